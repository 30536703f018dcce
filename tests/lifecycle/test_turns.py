"""Whose look is next, when an account has more of them than may be under way."""

from __future__ import annotations

from gateway.domain.durations import Variant
from gateway.domain.ports import DueLook
from gateway.lifecycle.turns import TakenLook, Turns
from tests.harness import Processes, wait_until

LATELY = 3600.0


def taken(account: str, number: int) -> TakenLook:
    variant = Variant("bigmodel", "cogvideox-3")
    return TakenLook(DueLook(f"task-{number}", 1, account, "key", "vendor-1", variant, 1.0, False))


def test_each_account_has_turns_of_its_own():
    turns = Turns(2, LATELY)
    assert [turns.ask(taken("slow", i)) for i in range(4)] == [True, True, False, False]
    assert turns.ask(taken("quick", 4))


def test_turns_are_passed_on_in_the_order_in_which_they_were_asked_for():
    turns = Turns(1, LATELY)
    looks = [taken("main", i) for i in range(3)]
    assert [turns.ask(look) for look in looks] == [True, False, False]
    assert [turns.pass_on("main") for _ in range(3)] == [looks[1], looks[2], None]
    assert turns.ask(looks[0])


def test_who_has_waited_too_long_is_dropped_and_the_turn_is_free():
    turns = Turns(1, patience_seconds=0)
    assert [turns.ask(taken("main", i)) for i in range(3)] == [True, False, False]
    assert turns.pass_on("main") is None
    assert turns.ask(taken("main", 3))


def test_a_process_that_stops_begins_no_look_that_waited():
    turns = Turns(1, LATELY)
    assert [turns.ask(taken("main", i)) for i in range(2)] == [True, False]
    turns.drop_all()
    assert turns.pass_on("main") is None


def test_an_account_whose_looks_hang_holds_up_nobody_elses(processes: Processes):
    """Sixteen looks may be under way, and thirty tasks of one account are looked at in vain."""
    limits = {"slow": 30, "quick": 100}
    vendor = processes.simulator(limits, duration="3600")
    running = processes.gateway(
        vendor,
        limits,
        GATEWAY_TIERS={"V0": 5, "V3": 200},
        GATEWAY_LOOKS_AT_ONCE="16",
        GATEWAY_LOOKS_PER_ACCOUNT="8",
    )
    team = processes.caller(running)
    for _ in range(130):
        team.created()
    wait_until(lambda: vendor.total()["in_flight"] == 130)
    vendor.fault(on="look", account="slow", kind="hang", seconds=3600)
    wait_until(lambda: vendor.fired() == 8, what="looks that hang")
    vendor.end_all()
    wait_until(lambda: vendor.account("quick")["ended_unseen"] == 0, what="the others' ends")
    # The first eight hang still: each that had been given up would have made room for another.
    assert vendor.fired() == 8
    assert vendor.account("slow")["ended_unseen"] == 30
    running.kill()  # told to stop, it would wait for the looks that hang
