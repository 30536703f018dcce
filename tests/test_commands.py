"""The commands as a person at a terminal meets them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.store.connection import Store
from tests.harness import Processes, processes_titled, run_command, wait_until


def test_slots_shows_who_holds_what_and_how_many_wait(processes: Processes):
    vendor = processes.simulator({"main": 2}, duration="3600")
    team = processes.caller(processes.gateway(vendor, {"main": 2}))
    tasks = [team.created() for _ in range(3)]
    shown = run_command("slots", **processes.settings(vendor, {"main": 2}))
    assert shown.returncode == 0
    assert "2/2" in shown.stdout
    assert [task in shown.stdout for task in tasks] == [True, True, False]
    assert "1 waiting for cogvideox-3@bigmodel" in shown.stdout


async def test_verify_exits_with_1_and_names_the_difference(processes: Processes, store: Store):
    vendor = processes.simulator({"main": 2}, duration="3600")
    team = processes.caller(processes.gateway(vendor, {"main": 2}))
    task = team.created()
    settings = processes.settings(vendor, {"main": 2})
    agreed = run_command("slots", "--verify", **settings)
    assert (agreed.returncode, agreed.stdout) == (0, "slots and records agree\n")
    await store.redis.srem(store.keys.slots("main", "cogvideox-3"), task)
    differs = run_command("slots", "--verify", **settings)
    assert differs.returncode == 1
    assert f"{task} is in_progress on main but in none of its slots" in differs.stdout


def test_verify_with_the_store_away_is_one_line_and_no_verdict(processes: Processes):
    settings = processes.settings(None, {"main": 2})
    settings["GATEWAY_REDIS_URL"] = "redis://127.0.0.1:9/0"
    away = run_command("slots", "--verify", **settings)
    assert away.returncode == 1
    assert away.stderr.startswith("error: the store does not answer: Error 111 connecting to 127")
    assert away.stdout == ""


@pytest.mark.parametrize("command", ["serve", "worker", "slots"])
def test_a_wrong_setting_stops_the_start_with_one_line(command: str):
    stopped = run_command(command, GATEWAY_PORT="web")
    assert stopped.returncode == 2
    assert len(stopped.stderr.splitlines()) == 1
    assert stopped.stderr.startswith("error: GATEWAY_PORT: ")


def test_a_taken_port_is_one_line(processes: Processes):
    running = processes.gateway(None, {"main": 1})
    port = running.url.rpartition(":")[2]
    taken = run_command("serve", **(processes.settings(None, {"main": 1}) | {"GATEWAY_PORT": port}))
    assert taken.returncode == 2
    assert "GATEWAY_PORT" in taken.stderr
    assert "Traceback" not in taken.stderr


def test_a_gateway_asked_to_stop_finishes_what_is_on_the_wire(processes: Processes):
    vendor = processes.simulator({"main": 2}, duration="0.2")
    running = processes.gateway(vendor, {"main": 2}, GATEWAY_SUBMIT_WAIT_SECONDS="0.1")
    vendor.settings(submit_delay_seconds=1)
    team = processes.caller(running)
    task = team.created()
    assert running.stop() == 0
    assert vendor.total()["accepted"] == 1
    again = processes.caller(processes.gateway(vendor, {"main": 2}))
    assert again.ended(task)["task_status"] == "SUCCESS"
    assert vendor.total()["duplicates"] == 0


def test_a_gateway_asked_to_stop_starts_nothing_more(processes: Processes):
    vendor = processes.simulator({"main": 1}, duration="0.1")
    # Refusals free the slot at once, so each submit would hand it to the next in the queue.
    vendor.fault(on="submit", kind="error", code="1301", status=400)
    vendor.settings(submit_delay_seconds=0.2)
    running = processes.gateway(vendor, {"main": 1}, GATEWAY_SUBMIT_WAIT_SECONDS="0.01")
    team = processes.caller(running)
    with ThreadPoolExecutor(20) as callers:
        list(callers.map(lambda _: team.submit(), range(60)))
    submitted = vendor.total()["submits"]
    assert running.stop() == 0
    assert vendor.total()["submits"] <= submitted + 1
    settings = processes.settings(vendor, {"main": 1})
    shown = run_command("slots", **settings).stdout
    assert "0/1" in shown
    assert "waiting for cogvideox-3@bigmodel" in shown
    assert run_command("slots", "--verify", **settings).returncode == 0


def test_a_gateway_asked_to_stop_is_not_ready_and_answers_for_a_while(processes: Processes):
    vendor = processes.simulator({"main": 1}, duration="3600")
    settings = processes.settings(vendor, {"main": 1})
    running = processes.gateway(vendor, {"main": 1}, GATEWAY_DRAIN_DELAY_SECONDS="600")
    team = processes.caller(running)
    team.created()
    running.signal(signal.SIGTERM)
    wait_until(lambda: team.http.get("/readyz").status_code == 503, what="not ready")
    vendor.end_all()
    # Still taken in, for whoever comes next; nothing is claimed here any more.
    waiting = team.created()
    assert "1 waiting for" in run_command("slots", **settings).stdout
    other = processes.caller(processes.gateway(vendor, {"main": 1}))
    wait_until(lambda: vendor.total()["accepted"] == 2, what="the other replica to take it up")
    assert other.task(waiting)["task_status"] == "PROCESSING"
    running.kill()


def test_an_operator_releases_the_slot_of_an_overdue_task(processes: Processes):
    vendor = processes.simulator({"main": 1}, duration="3600")
    settings = processes.settings(vendor, {"main": 1}) | {"GATEWAY_MAX_AGE_SECONDS": "1"}
    team = processes.caller(processes.gateway(vendor, {"main": 1}))
    overdue, waiting = team.created(), team.created()

    def release(task: str, *options: str, **changes: str) -> tuple[int, str]:
        command = ("slots", "release", task, "--reason", "the vendor lost it", *options)
        done = run_command(*command, **(settings | changes))
        return done.returncode, done.stdout + done.stderr

    assert run_command("slots", "release", overdue, **settings).returncode == 2  # no reason
    early = release(overdue, GATEWAY_MAX_AGE_SECONDS="3600")
    assert early[0] == 1
    assert "--force" in early[1]
    assert "queued" in release(waiting)[1]
    assert "no task" in release("task_none")[1]
    wait_until(lambda: "overdue" in run_command("slots", **settings).stdout, what="overdue")
    status, said = release(overdue)
    assert (status, said) == (0, f"released the slot of {overdue} on main; it was in_progress\n")
    assert team.ended(overdue)["error"]["code"] == "released_by_operator"
    wait_until(lambda: vendor.total()["submits"] >= 2, what="the slot to go on")
    audit = run_command("audit", **settings).stdout
    assert "slots.release" in audit
    assert overdue in audit
    assert "the vendor lost it" in audit


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.2, 0.3, 0.5, 0.8])
def test_a_stop_at_any_moment_of_the_start_leaves_no_store_behind(tmp_path: Path, seconds: float):
    started = subprocess.Popen(
        [sys.executable, "-m", "gateway", "serve"],
        env={**os.environ, "GATEWAY_DATA_DIR": str(tmp_path / "data"), "GATEWAY_PORT": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # Not a wait for anything: the moment of the stop is what is tried.
    with suppress(subprocess.TimeoutExpired):
        started.wait(0.25 + seconds)
    started.terminate()
    started.wait(30)
    assert processes_titled(f"{tmp_path}/data/store.sock") == {}


def test_no_secret_is_in_a_log(processes: Processes):
    vendor = processes.simulator({"main": 1}, duration="0.2")
    running = processes.gateway(vendor, {"main": 1}, GATEWAY_LOG_LEVEL="debug")
    team = processes.caller(running)
    vendor.fault(on="submit", kind="error", code="1002", status=401, times=1)
    team.ended(team.created(prompt="a planted prompt"))
    text = running.log_text()
    assert "completed" in text
    settings = processes.settings(vendor, {"main": 1})
    secrets = [key for account in settings["GATEWAY_ACCOUNTS"] for key in account["api_keys"]]
    secrets += [key for team in settings["GATEWAY_TEAMS"] for key in team["keys"]]
    for secret in [*secrets, settings["GATEWAY_ADMIN_KEY"], "a planted prompt"]:
        assert secret not in text


def test_the_demo_goes_the_whole_way():
    # A short path: where a socket's name fits into it, the store needs no folder of the user's.
    with tempfile.TemporaryDirectory(prefix="demo-", dir="/tmp") as folder:
        _play_the_demo(Path(folder))


def _play_the_demo(folder: Path) -> None:
    played = run_command("demo", TMPDIR=str(folder))
    assert played.returncode == 0, played.stdout
    assert "5 in flight, 7 waiting" in played.stdout
    assert "15 accepted, most in flight at once 5 of 5, refused 0, made twice 0" in played.stdout
    (movie,) = folder.iterdir()  # all else that it made is gone
    assert movie.suffix == ".mp4"
    assert movie.read_bytes()[4:8] == b"ftyp"


def test_a_model_of_the_settings_is_offered_beside_the_built_in_one(processes: Processes):
    vendor = processes.simulator({"main": 5}, duration="0.2")
    vendor.settings(models=["cogvideox-3", "vidu2"])
    model = {"name": "vidu2", "price_fen": 50, "limit": 1, "durations": [4]}
    team = processes.caller(processes.gateway(vendor, {"main": 5}, GATEWAY_MODELS=[model]))
    refused = team.submit(model="vidu2", duration=5)
    assert refused.json()["error"]["message"] == "duration must be one of 4 for vidu2"
    answers = [team.submit(model="vidu2") for _ in range(3)]
    assert {answer.headers["x-cost-fen"] for answer in answers} == {"50"}
    for answer in answers:
        assert team.ended(answer.json()["id"])["task_status"] == "SUCCESS"
    vidu = vendor.stats()["accounts"]["main"]["vidu2"]
    assert vidu["peak_in_flight"] == 1
