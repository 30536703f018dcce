"""What befalls accounts while they work: each cause costs what it must, and nothing else.

In each scenario a backlog is worked off, the fault comes in the middle of it, and in the end every
task is what it would have been without.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.harness import Processes, api_keys, wait_until
from tests.pool.foreign import OtherUser
from tests.pool.gate import Gate
from tests.pool.stage import Stage, account, most_at_once

# As it is set unless somebody says otherwise: what is refused once is not tried again in a test.
LONG_REST = "300"


@pytest.fixture
def gate() -> Iterator[Gate]:
    with closing(Gate()) as opened:
        yield opened


def test_a_revoked_key_is_tried_a_few_times_and_the_account_goes_on_with_the_other(
    processes: Processes,
):
    stage = Stage(
        processes, [account("main", 6)], duration="0.1-0.2", GATEWAY_KEY_REST_SECONDS=LONG_REST
    )
    one, two = api_keys("main")
    stage.hand_in(100)
    stage.wait_for_more(30)
    stage.vendor.change_account("main", revoked_keys=[one])
    stage.wait_for_all()
    # Whatever was on its way with that key when it was refused for the first time, and again.
    assert 1 <= stage.refused("1002", one) <= 12
    assert not stage.refused("1002", two)
    # The tasks that were submitted with it: a look or two at each, then with the other.
    assert stage.looks_refused(one) <= 20
    stage.fill("main", 6)
    stage.wait_for_all()
    stage.check()


def test_a_key_that_works_again_is_used_again(processes: Processes):
    stage = Stage(processes, [account("main", 4)], duration="0.1")
    one, _ = api_keys("main")
    stage.vendor.change_account("main", revoked_keys=[one])
    stage.hand_in(40)
    wait_until(lambda: stage.refused("1002", one), what="the key to be refused")
    stage.vendor.change_account("main", revoked_keys=[])
    stage.hand_in(60)
    stage.wait_for_all()
    wait_until(lambda: used(stage, one), what="the key to be used again")
    stage.check()


def used(stage: Stage, key: str) -> bool:
    """Whether a key has made a task; if not, there is one more to be made."""
    if any(task["api_key"] == key for task in stage.made()):
        return True
    stage.hand_in(1)
    return False


def test_an_account_in_arrears_rests_and_comes_back_by_itself(processes: Processes):
    accounts = [account("poor", 4), account("rich", 4)]
    stage = Stage(processes, accounts, duration="0.2-0.4")
    stage.hand_in(100)
    stage.wait_for_more(20)
    stage.vendor.change_account("poor", arrears=True)
    running = {
        t["id"] for t in stage.made() if (t["account"], t["status"]) == ("poor", "PROCESSING")
    }
    wait_until(lambda: stage.refused("1113"), what="the arrears to be felt")
    wait_until(lambda: stage.told("ERROR", "poor", "1113"), what="the operator to be told")
    wait_until(
        lambda: any("poor" in line and "1113" in line for line in stage.slots().splitlines()),
        what="`gateway slots` to tell of it",
    )
    before = stage.vendor.account("poor")["accepted"]
    stage.wait_for_more(40, "rich")
    assert stage.vendor.account("poor")["accepted"] == before
    assert stage.refused("1113") <= 20
    # What ran when it happened is looked after as ever.
    wait_until(lambda: running <= told(stage), what="the ends of what ran when it happened")

    stage.vendor.change_account("poor", arrears=False)
    stage.hand_in(60)
    stage.wait_for_more(10, "poor")
    stage.wait_for_all()
    stage.check()


def told(stage: Stage) -> set[str]:
    """The tasks whose ends the gateway knows."""
    return {task["id"] for task in stage.made() if task["told_at"] is not None}


def test_another_user_of_an_account_costs_few_refusals_and_its_slots_come_back(
    processes: Processes,
):
    theirs = "main-key.theirs"
    stage = Stage(
        processes,
        [account("main", 5, more_keys=[theirs])],
        others=[theirs],
        duration="0.05-0.15",
        GATEWAY_FIRST_LOOK_SECONDS="0.05",
    )
    stage.hand_in(400)
    stage.wait_for_more(60)
    other = OtherUser(stage.vendor, theirs)
    other.take(3)
    beside = len(stage.made())
    stage.wait_for_more(80)
    assert most_at_once(stage.made()[beside:]) == 2
    other.leave()
    stage.wait_for_more(100)
    stage.fill("main", 5)
    stage.wait_for_all()
    refused, submits = stage.refused("1302"), stage.submits()
    assert refused <= 0.02 * submits, f"{refused} of {submits} submits were refused"
    stage.check(refused_over_limit=refused)


def test_an_overloaded_model_is_left_alone_and_the_other_vendor_takes_over(processes: Processes):
    zhipu = ["north", "south"]
    accounts = [*(account(name, 3) for name in zhipu), account("geek", 4, vendor="geekai")]
    stage = Stage(processes, accounts, duration="0.1-0.3")
    for _ in range(40):
        stage.hand_in(3)
        stage.hand_in(1, user_id="user-0001")  # geekai has no such field
    stage.wait_for_more(30)

    def storm(probability: float) -> None:
        stage.vendor.no_faults()
        for name in zhipu:
            rule = {"kind": "error", "code": "1305", "probability": probability}
            stage.vendor.fault(on="submit", account=name, **rule)

    storm(1)
    wait_until(lambda: stage.refused("1305"), what="the storm to be felt")
    stage.wait_for_more(40, "geek")
    assert stage.refused("1305") <= 20, "it was tried again and again"
    storm(0.3)
    stage.hand_in(60)
    stage.wait_for_more(20, *zhipu)
    stage.vendor.no_faults()
    refused = stage.refused("1305")
    stage.wait_for_all()
    assert refused <= 40
    assert stage.refused("1305") == refused
    only_zhipu = {task["account"] for task in stage.made() if "user_id" in task["body"]}
    assert only_zhipu <= set(zhipu)
    stage.check()


def test_a_vendor_that_refuses_connections_for_a_while_costs_no_task(
    processes: Processes, gate: Gate
):
    stage = Stage(processes, [account("main", 5)], duration="0.1-0.3", address=gate.url)
    gate.open(stage.vendor.url)
    leave_two_slots_free(stage)
    gate.shut()
    stage.hand_in(40)
    wait_until(lambda: stage.said("not reached") >= 3, what="three tries to reach it")
    assert len(stage.made()) <= 23
    gate.open(stage.vendor.url)
    stage.wait_for_all()
    stage.check()


def test_a_vendor_that_hangs_for_less_than_the_patience_of_a_submit_costs_no_task(
    processes: Processes,
):
    stage = Stage(processes, [account("main", 5)], duration="0.1-0.3")
    leave_two_slots_free(stage)
    with stage.vendor.hanging():
        stage.hand_in(40)
    stage.wait_for_all()
    assert not stage.said("outcome unknown")
    stage.check()


def test_a_vendor_that_hangs_for_longer_costs_the_answers_that_were_lost_and_no_more(
    processes: Processes,
):
    """What hung is an unknown outcome: never sent again, held, and given up when the hold is over.
    The vendor may have made it all the same."""
    stage = Stage(
        processes,
        [account("main", 5)],
        duration="0.1-0.3",
        GATEWAY_SUBMIT_TIMEOUT_SECONDS="0.5",
        GATEWAY_SENDING_MARGIN_SECONDS="1",
        GATEWAY_UNKNOWN_HOLD_SECONDS="5",
        GATEWAY_BREAKER_SECONDS="2",
    )
    leave_two_slots_free(stage)
    with stage.vendor.hanging():
        stage.hand_in(40)
        wait_until(lambda: stage.said("outcome unknown") >= 2, what="answers to be lost")
    ends = stage.ends()
    unknown = ends.pop("submission_outcome_unknown", 0)
    # Two may be; one more if the pause was over before the vendor went on.
    assert 2 <= unknown <= 3
    assert ends == {"SUCCESS": len(stage.tasks) - unknown}
    stage.check(unseen=unknown)


def leave_two_slots_free(stage: Stage) -> None:
    """Of five, so that submits are tried though no end can be seen; three tasks are under way."""
    stage.hand_in(20)
    stage.wait_for_all()
    stage.hand_in(3)
