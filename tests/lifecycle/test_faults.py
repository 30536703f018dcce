"""What becomes of tasks when the vendor, or a process of ours, misbehaves. Over real HTTP."""

from __future__ import annotations

import os
import signal

import httpx
import pytest

from tests.harness import (
    ADMIN_KEY,
    Processes,
    Running,
    api_keys,
    processes_titled,
    run_command,
    wait_until,
)


def test_a_lost_answer_keeps_its_slot_for_the_hold_and_is_never_sent_again(processes: Processes):
    limit = {"main": 1}
    vendor = processes.simulator(limit, duration="0.1")
    vendor.fault(on="submit", kind="accept_then_cut", times=1)
    running = processes.gateway(vendor, limit, GATEWAY_UNKNOWN_HOLD_SECONDS="3600")
    team = processes.caller(running)
    lost, waiting = team.created(prompt="lost"), team.created(prompt="waiting")
    slots = run_command("slots", **processes.settings(vendor, limit)).stdout
    assert f"{lost}  films  unknown: RemoteProtocolError" in slots
    processes.pass_time(3600)
    ended = team.ended(lost)
    assert ended["task_status"] == "FAIL"
    assert ended["error"]["code"] == "submission_outcome_unknown"
    assert team.ended(waiting)["task_status"] == "SUCCESS"
    assert [task["body"]["prompt"] for task in vendor.tasks()] == ["lost", "waiting"]


@pytest.mark.parametrize("code", ["1302", "1305"])
def test_a_task_that_was_refused_for_want_of_room_keeps_its_place(processes: Processes, code: str):
    vendor = processes.simulator({"main": 1}, duration="0.1")
    vendor.fault(on="submit", kind="error", code=code, status=429, times=2)
    team = processes.caller(processes.gateway(vendor, {"main": 1}))
    tasks = [team.created(prompt=f"number {i}") for i in range(3)]
    assert {team.ended(task)["task_status"] for task in tasks} == {"SUCCESS"}
    assert [task["body"]["prompt"] for task in vendor.tasks()] == [f"number {i}" for i in range(3)]
    assert vendor.total()["duplicates"] == 0


def test_a_revoked_key_rests_and_its_account_goes_on_with_the_other(processes: Processes):
    vendor = processes.simulator({"main": 2}, duration="0.1")
    vendor.change_account("main", revoked_keys=[api_keys("main")[0]])
    running = processes.gateway(vendor, {"main": 2}, GATEWAY_KEY_REST_SECONDS="600")
    team = processes.caller(running)
    for _ in range(6):
        assert team.ended(team.created())["task_status"] == "SUCCESS"
    assert vendor.total()["refused"] == {"1002": 1}
    assert {task["api_key"] for task in vendor.tasks()} == {api_keys("main")[1]}


def test_a_key_revoked_while_its_task_runs_is_replaced_for_the_looks(processes: Processes):
    vendor = processes.simulator({"main": 1}, duration="3600")
    team = processes.caller(processes.gateway(vendor, {"main": 1}))
    task = team.created()
    vendor.change_account("main", revoked_keys=[vendor.tasks()[0]["api_key"]])
    vendor.end_all()
    assert team.ended(task)["task_status"] == "SUCCESS"
    assert vendor.total()["looks_with_foreign_key"] == 0


def test_an_account_in_arrears_leaves_its_work_to_the_others(processes: Processes):
    limits = {"poor": 5, "rich": 5}
    vendor = processes.simulator(limits, duration="0.1")
    vendor.change_account("poor", arrears=True)
    running = processes.gateway(vendor, limits, GATEWAY_ACCOUNT_REST_SECONDS="600")
    team = processes.caller(running)
    tasks = [team.created() for _ in range(6)]
    assert {team.ended(task)["task_status"] for task in tasks} == {"SUCCESS"}
    assert {task["account"] for task in vendor.tasks()} == {"rich"}
    assert vendor.account("poor")["refused"] == {"1113": 1}


def test_an_account_that_cannot_be_reached_leaves_its_work_to_the_others(processes: Processes):
    limits = {"far": 5, "near": 5}
    vendor = processes.simulator({"near": 5}, duration="0.1")
    accounts = processes.settings(vendor, limits)["GATEWAY_ACCOUNTS"]
    accounts[0]["base_url"] = "http://127.0.0.1:9/api/paas/v4"
    team = processes.caller(processes.gateway(vendor, limits, GATEWAY_ACCOUNTS=accounts))
    tasks = [team.created() for _ in range(6)]
    assert {team.ended(task)["task_status"] for task in tasks} == {"SUCCESS"}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "garbage"},
        {"kind": "cut"},
        {"kind": "unknown_status"},
        {"kind": "error", "status": 500},
        {"kind": "error", "status": 404, "code": "1214"},
        {"kind": "error", "status": 401, "code": "1002"},
    ],
    ids=lambda fault: f"{fault['kind']} {fault.get('status', '')}".strip(),
)
def test_odd_looks_end_nothing(processes: Processes, fault: dict[str, object]):
    vendor = processes.simulator({"main": 1}, duration="3600")
    team = processes.caller(processes.gateway(vendor, {"main": 1}))
    task = team.created()
    vendor.fault(on="look", **fault)
    looked = vendor.total()["looks"]
    wait_until(lambda: vendor.total()["looks"] >= looked + 4)
    assert team.task(task)["task_status"] == "PROCESSING"
    vendor.no_faults()
    vendor.end_all()
    assert team.ended(task)["task_status"] == "SUCCESS"


def test_the_tasks_of_a_killed_process_are_looked_after_by_the_others(processes: Processes):
    vendor = processes.simulator({"main": 5}, duration="3600")
    quick = {"GATEWAY_CLAIM_LEASE_SECONDS": "0.5"}
    killed = processes.gateway(vendor, {"main": 5}, **quick)
    tasks = [processes.caller(killed).created(prompt=f"number {i}") for i in range(8)]
    other = processes.caller(processes.gateway(vendor, {"main": 5}, **quick))
    killed.kill()
    vendor.settings(duration=0.1)
    vendor.end_all()
    assert {other.ended(task)["task_status"] for task in tasks} == {"SUCCESS"}
    total = vendor.total()
    assert (total["accepted"], total["duplicates"], total["peak_in_flight"]) == (8, 0, 5)
    verified = run_command("slots", "--verify", **processes.settings(vendor, {"main": 5}))
    assert verified.returncode == 0, verified.stdout


def test_a_task_that_the_vendor_no_longer_knows_ends_after_a_while(processes: Processes):
    vendor = processes.simulator({"main": 1}, duration="3600")
    team = processes.caller(processes.gateway(vendor, {"main": 1}, GATEWAY_MISSING_SECONDS="0.5"))
    gone, waiting = team.created(), team.created()
    vendor.forget()
    vendor.settings(duration=0.1)
    ended = team.ended(gone)
    assert ended["error"]["code"] == "provider_task_not_found"
    assert team.ended(waiting)["task_status"] == "SUCCESS"


def test_a_task_past_its_age_is_told_and_keeps_its_slot(processes: Processes):
    vendor = processes.simulator({"main": 1}, duration="3600")
    old = {"GATEWAY_MAX_AGE_SECONDS": "0.1"}
    running = processes.gateway(vendor, {"main": 1}, **old)
    task, _ = processes.caller(running).created(), processes.caller(running).created()
    settings = processes.settings(vendor, {"main": 1}) | old
    shown = wait_until(
        lambda: (out := run_command("slots", **settings).stdout) and "overdue" in out and out
    )
    assert f"{task}  films  overdue" in shown
    assert 'gateway_tasks_overdue{account="main",model="cogvideox-3"} 1.0' in metrics(running)
    assert 'gateway_slots_in_use{account="main",model="cogvideox-3"} 1.0' in metrics(running)
    waiting = 'gateway_queue_tasks{class="cogvideox-3@bigmodel",team="films"} 1.0'
    assert waiting in metrics(running)


def test_what_rests_and_why_is_told(processes: Processes):
    vendor = processes.simulator({"main": 1}, duration="0.1")
    (account,) = processes.settings(vendor, {"main": 1})["GATEWAY_ACCOUNTS"]
    long = {"GATEWAY_ACCOUNT_REST_SECONDS": "600", "GATEWAY_KEY_REST_SECONDS": "600"}
    mistyped = [account | {"api_keys": ["main-kay.one"]}]
    running = processes.gateway(vendor, {"main": 1}, GATEWAY_ACCOUNTS=mistyped, **long)
    task = processes.caller(running).created()
    shown = run_command("slots", **processes.settings(vendor, {"main": 1})).stdout
    assert "key:main:" in shown
    assert " is left alone for another " in shown
    assert "1002: " in shown
    assert 'gateway_rest_seconds{name="key:main:' in metrics(running)
    # Corrected, and started again: nobody waits for the rest to end.
    again = processes.caller(processes.gateway(vendor, {"main": 1}))
    assert again.ended(task)["task_status"] == "SUCCESS"


def test_a_killed_process_of_a_fleet_is_replaced(processes: Processes):
    vendor = processes.simulator({"main": 5}, duration="0.1")
    running = processes.gateway(vendor, {"main": 5}, GATEWAY_WORKERS="2")
    fleet = children(running.process.pid)
    assert len(fleet) == 2
    os.kill(fleet[0], signal.SIGKILL)
    wait_until(lambda: len(now := children(running.process.pid)) == 2 and fleet[0] not in now)
    team = processes.caller(running)
    assert team.ended(team.created())["task_status"] == "SUCCESS"
    assert running.stop() == 0


def test_a_fleet_ends_with_its_parent(processes: Processes):
    running = processes.gateway(None, {"main": 5}, GATEWAY_WORKERS="2")
    fleet = children(running.process.pid)
    running.kill()
    wait_until(lambda: not set(fleet) & set(processes_titled("spawn_main")))


def metrics(running: Running) -> str:
    return httpx.get(
        f"{running.url}/metrics", headers={"Authorization": f"Bearer {ADMIN_KEY}"}
    ).text


def children(pid: int) -> list[int]:
    """The API processes of a `gateway serve`; its resource tracker and store are not among them."""
    return [child for child, p in processes_titled("spawn_main").items() if p.ppid() == pid]
