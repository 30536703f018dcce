"""A task that is wanted no more, over HTTP."""

from __future__ import annotations

import pytest

from tests.harness import OTHER_KEY, Caller, Processes, Vendor, run_command, wait_until


@pytest.fixture
def vendor(processes: Processes) -> Vendor:
    return processes.simulator({"main": 1}, duration="3600")


@pytest.fixture
def team(processes: Processes, vendor: Vendor) -> Caller:
    running = processes.gateway(vendor, {"main": 1}, GATEWAY_UNKNOWN_HOLD_SECONDS="3")
    return processes.caller(running)


def test_what_waits_is_cancelled_for_nothing(team: Caller, vendor: Vendor):
    running, waiting = team.created(), team.created()
    for _ in range(2):
        answer = team.http.post(f"/v1/videos/{waiting}/cancel")
        assert answer.status_code == 200
        assert (answer.json()["task_status"], answer.json()["error"]["code"]) == (
            *("FAIL", "cancelled"),
        )
        assert (answer.json()["cost_fen"], answer.headers["x-cost-fen"]) == (0, "0")
    assert team.task(waiting)["error"]["code"] == "cancelled"
    vendor.end_all()
    assert team.ended(running)["task_status"] == "SUCCESS"
    assert vendor.total()["submits"] == 1


def test_what_runs_keeps_its_slot_and_costs_what_it_costs(
    team: Caller, vendor: Vendor, processes: Processes
):
    running, waiting = team.created(), team.created()
    answer = team.http.post(f"/v1/videos/{running}/cancel")
    assert answer.status_code == 202
    assert answer.json()["error"]["code"] == "cancelled"
    assert (answer.json()["cost_fen"], answer.headers["x-cost-fen"]) == (100, "100")
    assert "slot" in answer.json()["message"]
    assert team.task(running)["task_status"] == "FAIL"
    shown = run_command("slots", **processes.settings(vendor, {"main": 1})).stdout
    assert f"{running}  films  in_progress" in shown
    assert team.task(waiting)["task_status"] == "PROCESSING"
    vendor.end_all()
    wait_until(lambda: vendor.total()["accepted"] == 2, what="the slot to go on")
    told = team.task(running)
    assert (told["task_status"], told["error"]["code"]) == ("FAIL", "cancelled")
    assert "video_result" not in told
    assert team.http.post(f"/v1/videos/{running}/cancel").status_code == 200


def test_one_whose_answer_was_lost_stays_held(team: Caller, vendor: Vendor):
    vendor.fault(on="submit", kind="accept_then_cut", times=1)
    lost = team.created()
    assert team.http.post(f"/v1/videos/{lost}/cancel").status_code == 202
    assert team.task(lost)["error"]["code"] == "cancelled"


def test_one_that_the_vendor_refuses_is_not_sent_again(processes: Processes, vendor: Vendor):
    vendor.settings(submit_delay_seconds=1)
    vendor.fault(on="submit", kind="error", code="1302", status=429, times=1)
    running = processes.gateway(vendor, {"main": 1}, GATEWAY_SUBMIT_WAIT_SECONDS="0.1")
    team = processes.caller(running)
    task = team.created()  # its answer is still on the way
    assert team.http.post(f"/v1/videos/{task}/cancel").status_code == 202
    settings = processes.settings(vendor, {"main": 1})
    wait_until(lambda: "0/1" in run_command("slots", **settings).stdout, what="a free slot")
    assert team.task(task)["error"]["code"] == "cancelled"
    assert vendor.total()["submits"] == 1


def test_what_is_over_cannot_be_cancelled(team: Caller, vendor: Vendor):
    task = team.created()
    vendor.end_all()
    team.ended(task)
    answer = team.http.post(f"/v1/videos/{task}/cancel")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "task_ended"
    assert answer.headers["x-should-retry"] == "false"
    assert team.task(task)["task_status"] == "SUCCESS"


def test_another_teams_task_and_none_at_all_are_the_same_404(team: Caller):
    mine = team.created()
    other = Caller(team.url, OTHER_KEY)
    foreign, none = (
        other.http.post(f"/v1/videos/{task}/cancel") for task in (mine, "task_" + "0" * 32)
    )
    assert (foreign.status_code, none.status_code) == (404, 404)
    assert foreign.content == none.content
    assert team.task(mine)["task_status"] == "PROCESSING"
    other.close()
