"""A vendor that answers nothing any more: what it may cost, and that all goes on afterwards."""

from __future__ import annotations

import pytest

from tests.harness import Processes, run_command, wait_until

BRIEF = {
    "GATEWAY_SUBMIT_WAIT_SECONDS": "0.2",
    "GATEWAY_SUBMIT_TIMEOUT_SECONDS": "0.5",
    "GATEWAY_SENDING_MARGIN_SECONDS": "1",
    "GATEWAY_BREAKER_SECONDS": "0.3",
    "GATEWAY_TRIAL_SECONDS": "600",
}


@pytest.mark.parametrize(
    "outage",
    [
        {"kind": "accept_then_cut"},
        {"kind": "error", "code": "500", "status": 500},
        {"kind": "hang", "seconds": 5},
    ],
    ids=["cut", "500", "silence"],
)
def test_an_outage_takes_its_share_of_the_slots_and_the_rest_go_on_after_it(
    processes: Processes, outage: dict[str, object]
):
    limit = {"main": 10}
    vendor = processes.simulator(limit, duration="0.2")
    vendor.fault(on="submit", **outage)
    running = processes.gateway(vendor, limit, **BRIEF, GATEWAY_UNKNOWN_HOLD_SECONDS="3600")
    team = processes.caller(running)
    tasks = [team.created(prompt=f"number {i}") for i in range(18)]
    settings = processes.settings(vendor, limit)

    def unknown() -> int:
        return run_command("slots", **settings).stdout.count("  unknown: ")

    # Four of ten, and one more that tried after the short pause. Only then does the long one begin,
    # with nothing on the way: time that passed before would not be of it.
    wait_until(lambda: unknown() >= 5, what="the long pause")
    told = run_command("slots", **settings).stdout
    assert "breaker:main:cogvideox-3 is left alone" in told
    assert "one task at a time" in told
    assert unknown() == 5
    vendor.no_faults()
    processes.pass_time(600)
    wait_until(
        lambda: sum(team.task(task)["task_status"] == "SUCCESS" for task in tasks) == 13,
        60,
        "the others to be made",
    )
    assert unknown() == 5
    assert vendor.total()["duplicates"] == 0
    assert run_command("slots", "--verify", **settings).returncode == 0


def test_a_lost_answer_now_and_then_changes_nothing_for_the_rest(processes: Processes):
    limit = {"main": 5}
    vendor = processes.simulator(limit, duration="0.2")
    vendor.fault(on="submit", kind="accept_then_cut", times=1)
    running = processes.gateway(vendor, limit, **BRIEF, GATEWAY_UNKNOWN_HOLD_SECONDS="3600")
    team = processes.caller(running)
    tasks = [team.created() for _ in range(10)]
    wait_until(
        lambda: sum(team.task(task)["task_status"] == "SUCCESS" for task in tasks) == 9,
        what="nine of ten",
    )
