"""The store goes away and comes back: nothing hangs, nothing is lost, nobody restarts anything."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import redis

from gateway.store.embedded import EmbeddedStore
from tests.harness import Caller, Processes, Running, Vendor, run_command, wait_until


@pytest.fixture
def own_store() -> Iterator[EmbeddedStore]:
    """A server that the test may stop and start. Asked for before the processes, so that it
    outlives them: a gateway that stops and has a claim to give back waits for its store."""
    with tempfile.TemporaryDirectory(prefix="gateway-away-") as folder:
        embedded = EmbeddedStore(Path(folder))
        embedded.start()
        yield embedded
        embedded.stop()


def server_pid(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def test_away_means_503_and_back_means_going_on(own_store: EmbeddedStore, processes: Processes):
    vendor = processes.simulator({"main": 2}, duration="0.5")
    running = processes.gateway(vendor, {"main": 2}, GATEWAY_REDIS_URL=own_store.url)
    team = processes.caller(running)
    ended = team.created()
    team.ended(ended)
    vendor.settings(duration=2)
    tasks = [team.created(prompt=f"number {i}") for i in range(6)]

    own_store.stop()
    answer = team.submit()
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json()["error"]["code"] == "store_unavailable"
    assert answer.headers["x-should-retry"] == "false"  # it may have been taken in all the same
    assert team.task(ended)["task_status"] == "SUCCESS"  # from memory
    assert team.http.get(f"/v1/async-result/{tasks[0]}").status_code == 503
    for probe in ("/healthz", "/readyz"):
        assert team.http.get(probe).status_code == 200

    own_store.start()
    assert {team.ended(task)["task_status"] for task in tasks} == {"SUCCESS"}
    total = vendor.total()
    assert (total["accepted"], total["duplicates"], total["peak_in_flight"]) == (7, 0, 2)


def test_a_store_that_hangs_is_away_as_well(own_store: EmbeddedStore, processes: Processes):
    vendor = processes.simulator({"main": 2}, duration="0.5")
    running = processes.gateway(
        vendor, {"main": 2}, GATEWAY_REDIS_URL=own_store.url, GATEWAY_STORE_TIMEOUT_SECONDS="0.5"
    )
    team = processes.caller(running)
    tasks = [team.created() for _ in range(3)]
    pid = server_pid(own_store.url)
    os.kill(pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: team.submit(), range(20)))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert {answer.status_code for answer in answers} == {503}
    assert {team.ended(task)["task_status"] for task in tasks} == {"SUCCESS"}


def test_the_gateway_starts_before_its_store(own_store: EmbeddedStore, processes: Processes):
    own_store.stop()
    vendor = processes.simulator({"main": 2}, duration="0.2")
    running = processes.gateway(
        vendor, {"main": 2}, wait_ready=False, GATEWAY_REDIS_URL=own_store.url
    )
    team = processes.caller(running)
    assert team.submit().status_code == 503
    assert team.http.get("/healthz").status_code == 200
    assert team.http.get("/readyz").status_code == 503
    own_store.start()
    wait_until(lambda: team.http.get("/readyz").status_code == 200)
    assert team.ended(team.created())["task_status"] == "SUCCESS"


def test_kill_9_of_the_embedded_store_under_load_loses_nothing(
    processes: Processes, tmp_path: Path
):
    vendor = processes.simulator({"main": 10}, duration="0.2-0.6")
    embedded = {"GATEWAY_DATA_DIR": str(tmp_path / "data"), "GATEWAY_CLAIM_LEASE_SECONDS": "1"}
    settings = processes.settings(vendor, {"main": 10}) | embedded
    del settings["GATEWAY_REDIS_URL"]
    running = Running(["serve"], settings, tmp_path / "gateway.log")
    try:
        acknowledged = _submit_while_the_store_dies(running, tmp_path / "data", vendor)
        team = processes.caller(running)
        ends = {task: team.ended(task)["task_status"] for task in acknowledged}
        assert set(ends.values()) == {"SUCCESS"}
        wait_until(lambda: not vendor.total()["in_flight"])
        total = vendor.total()
        assert (total["duplicates"], total["refused"], total["peak_in_flight"]) == (0, {}, 10)
        assert run_command("slots", "--verify", **settings).returncode == 0
    finally:
        running.stop()


def _submit_while_the_store_dies(running: Running, data: Path, vendor: Vendor) -> list[str]:
    """120 tasks from 8 callers; the server is killed each time another 30 are accepted."""
    url = EmbeddedStore(data).url

    def submit(i: int) -> str | None:
        with closing(Caller(running.url)) as team:
            answer = team.submit(prompt=f"number {i}")
        assert answer.status_code in (200, 503), answer.text
        return answer.json()["id"] if answer.status_code == 200 else None

    with ThreadPoolExecutor(8) as pool:
        submits = [pool.submit(submit, i) for i in range(120)]
        for mark in (5, 30, 60):
            wait_until(lambda mark=mark: vendor.total()["accepted"] >= mark)
            killed = wait_until(lambda: _pid_or_none(url))
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda killed=killed: _pid_or_none(url) not in (None, killed))
        acknowledged = [task for submit in submits if (task := submit.result()) is not None]
    assert len(acknowledged) >= 60
    return acknowledged


def _pid_or_none(url: str) -> int | None:
    try:
        return server_pid(url)
    except redis.RedisError:
        return None
