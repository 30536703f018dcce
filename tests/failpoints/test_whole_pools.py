"""What takes more than one process that fails once at one place."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing
from pathlib import Path

import httpx
import pytest

from gateway.domain.ports import Swept
from tests.failpoints.blows import Blow
from tests.failpoints.judge import left_behind
from tests.failpoints.lane import Lane
from tests.failpoints.lanes import Lanes
from tests.failpoints.play import all_ended, finish
from tests.failpoints.predecessor import leave_abandoned
from tests.failpoints.traffic import CREATE, SUCCESS, Job, Traffic
from tests.harness import TEAM_KEY, Running, api_keys, wait_until


@pytest.fixture
def lane(lanes: Lanes) -> Lane:
    """One of the test's own: what it changes there is nobody else's concern."""
    lane = lanes.new()
    lane.clear()
    return lane


@pytest.fixture
def traffic(lane: Lane, request: pytest.FixtureRequest) -> Traffic:
    """Asks the rescuer, which each test must wake."""
    return Traffic(lane, request.node.name)


def test_half_a_request_leaves_nothing_behind(lane: Lane, traffic: Traffic):
    lane.wake()
    url = httpx.URL(lane.rescuer.url)
    head = (
        f"POST {CREATE} HTTP/1.1\r\nHost: {url.host}\r\n"
        f"Authorization: Bearer {TEAM_KEY}\r\nContent-Length: 100\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port)) as leaving:
        leaving.sendall(head.encode() + b'{"model": "cogvideox-3", "prompt": "a c')
    for wrong in ('{"model": "cogvideox-3"', '{"model": "cogvideox-9", "prompt": "a cat"}'):
        headers = {"Authorization": f"Bearer {TEAM_KEY}"}
        answer = lane.http.post(f"{lane.rescuer.url}{CREATE}", headers=headers, content=wrong)
        assert answer.status_code == 400
    assert not lane.records()
    assert not left_behind(lane)
    traffic.submit(traffic.new_jobs())
    lane.account.let_tasks_end()
    finish(traffic)


def test_a_task_that_kills_whoever_takes_it_is_given_up(lane: Lane, traffic: Traffic):
    """At its second death, here: one may be an accident."""
    once = {"GATEWAY_POISON_CLAIMS": 1}
    poison = traffic.new_job(key="poison", ends=frozenset({"submission_abandoned"}))
    first = lane.victim("before mark_sending", Blow.KILL, **once)
    wait_until(first.ready)
    with pytest.raises(httpx.TransportError):
        traffic.ask_once(first.running, "POST", CREATE, poison)
    second = lane.victim("before mark_sending", Blow.KILL, **once)
    for victim in (first, second):
        wait_until(lambda victim=victim: not victim.alive(), what="its death")
    assert [record["claim"] for record in lane.records().values()] == ["2"]

    healthy = lane.replica(**once)
    wait_until(lambda: all_ended(lane), what="the end of the poison")
    assert healthy.stop() == 0
    lane.wake()
    traffic.submit([poison, *traffic.new_jobs()])
    lane.account.let_tasks_end()
    finish(traffic)


def test_limits_and_keys_that_change_under_running_tasks(lane: Lane, traffic: Traffic):
    jobs = traffic.new_jobs()
    traffic.server = lane.replica()
    traffic.submit(jobs)
    traffic.server.kill()
    revoked, kept = api_keys(lane.account.name)
    lane.account.vendor.change_account(lane.account.name, revoked_keys=[revoked])
    (account,) = lane.settings["GATEWAY_ACCOUNTS"]
    changed = lane.replica(GATEWAY_ACCOUNTS=[account | {"limit": 1, "api_keys": [kept]}])

    # Three run where one may. One that ends makes no room.
    ended = lane.made()[0]
    lane.account.end(ended["id"])
    wait_until(lambda: _status(lane, jobs[0]) == "completed", what="the end of one")
    assert _status(lane, jobs[-1]) == "queued"

    lane.account.let_tasks_end()
    wait_until(lambda: all_ended(lane), what="the end of all")
    assert changed.stop() == 0
    *before, last = lane.made()
    assert last["accepted_at"] >= max(task["ends_at"] for task in before)
    assert revoked in {task["api_key"] for task in before}
    assert last["api_key"] == kept
    lane.wake()
    finish(traffic)


def _status(lane: Lane, job: Job) -> str:
    return lane.records()[job.id or ""]["status"]


def test_many_sweepers_move_each_thing_once(lane: Lane, traffic: Traffic):
    leave_abandoned(traffic)
    swept = asyncio.run(_sweep_at_once(lane, 12))
    moved = Counter(
        task
        for each in swept
        for task in (*each.requeued, *each.unknown, *each.given_up, *each.timed_out)
    )
    assert moved == Counter(job.id for job in traffic.jobs)
    claims = [claim for each in swept for claim in each.claims]
    assert [(claim.task_id, claim.number) for claim in claims] == [(traffic.jobs[0].id, 2)]
    # The one that has the claim dies with it.
    lane.wake()
    finish(traffic)


async def _sweep_at_once(lane: Lane, sweepers: int) -> list[Swept]:
    async with AsyncExitStack() as stack:
        pools = [await stack.enter_async_context(lane.pool()) for _ in range(sweepers)]
        return await asyncio.gather(*(pool.tasks.sweep(50) for pool in pools))


_MOST_KNOCKS_A_SECOND = 15
"""Of one replica: three loops, each tries twice and then waits for up to a second."""


def test_a_store_that_comes_back_is_not_overrun(lane: Lane, traffic: Traffic):
    replicas = [lane.replica(), lane.replica(), lane.rescuer]
    lane.wake()
    lane.store.stop()
    with closing(_Door(lane.store.socket)) as door:
        # Those that were impatient at first have slowed down after so many.
        wait_until(lambda: door.knocks >= 40, what="somebody who knocks")
        since, began = door.knocks, time.monotonic()
        wait_until(lambda: door.knocks >= since + 40, what="somebody who knocks")
        rate = 40 / (time.monotonic() - began) / len(replicas)
    assert rate <= _MOST_KNOCKS_A_SECOND

    lane.store.start()
    jobs = [traffic.new_job(key=f"{traffic.name} {i}", ends=SUCCESS) for i in range(12)]
    began = time.monotonic()
    with ThreadPoolExecutor(len(jobs)) as callers:
        askings = zip(jobs, itertools.cycle(replicas), strict=False)
        list(callers.map(lambda asking: _hand_in(traffic, *asking), askings))
    assert time.monotonic() - began < 5
    lane.account.let_tasks_end()
    wait_until(lambda: all_ended(lane), what="the end of all")
    assert {replica.stop() for replica in replicas[:2]} == {0}
    finish(traffic)


def _hand_in(traffic: Traffic, job: Job, replica: Running) -> None:
    own = Traffic(traffic.lane, traffic.name, server=replica)
    own.submit([job])


class _Door:
    """Stands where the store stood: counts who knocks, and hangs up."""

    def __init__(self, path: Path) -> None:
        self.knocks = 0
        self._path = path
        self._closing = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(128)
        self._socket.settimeout(0.1)
        self._keeper = threading.Thread(target=self._open)
        self._keeper.start()

    def _open(self) -> None:
        while not self._closing.is_set():
            try:
                knocking, _ = self._socket.accept()
            except TimeoutError:
                continue
            self.knocks += 1
            knocking.close()

    def close(self) -> None:
        self._closing.set()
        self._keeper.join()
        self._socket.close()
        self._path.unlink()
