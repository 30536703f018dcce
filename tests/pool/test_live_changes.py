"""What an operator changes while accounts work: it counts at once, and no task notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from tests.harness import Processes, api_keys, wait_until
from tests.pool.admin import Operator
from tests.pool.stage import Stage, account, most_at_once

Operate = Callable[[Stage], Operator]


@pytest.fixture
def operate() -> Iterator[Operate]:
    """Makes an operator of the gateway on a stage."""
    with ExitStack() as opened:
        yield lambda stage: opened.enter_context(closing(Operator(stage.gateway)))


def keep(stage: Stage, operator: Operator, name: str) -> None:
    """Let the gateway have an account that it does not know; those of the settings stay as they
    are while it runs."""
    limit = stage.limits[name]
    operator.add(name, base_url=stage.vendor.base_url, limit=limit, api_keys=api_keys(name))


def test_a_tier_is_lowered_and_raised_while_tasks_run(processes: Processes, operate: Operate):
    """From 10 to 5, where the vendor does so only when five have drained, and up to 15."""
    stage = Stage(processes, [account("main", 10)], duration="0.1-0.3", unknown=["main"])
    operator = operate(stage)
    keep(stage, operator, "main")
    stage.hand_in(150)
    stage.wait_for_more(30)

    operator.change("main", tier="V0")
    assert operator.lane("main")["limit"] == 5
    wait_until(lambda: operator.lane("main")["in_flight"] <= 5, what="the rest to drain")
    # From here on the vendor would refuse a sixth.
    stage.vendor.change_account("main", limit=5)
    stage.wait_for_more(40)
    stage.fill("main", 5)

    stage.vendor.change_account("main", limit=15)
    operator.change("main", tier="V2")
    stage.fill("main", 15)
    stage.wait_for_all()
    stage.check(limits={"main": 15})


def test_a_limit_below_what_runs_takes_nothing_from_it(processes: Processes, operate: Operate):
    stage = Stage(processes, [account("main", 4)], duration="3600", unknown=["main"])
    operator = operate(stage)
    keep(stage, operator, "main")
    stage.hand_in(6)
    wait_until(lambda: len(stage.made()) == 4, what="all slots to be in use")
    operator.change("main", limit=1)
    lane = operator.lane("main")
    assert (lane["limit"], lane["in_flight"]) == (1, 4)
    running = [task["id"] for task in stage.made()]
    stage.vendor.settings(duration=0.1)
    stage.vendor.end(running[:3])
    wait_until(lambda: operator.lane("main")["in_flight"] == 1, what="three to be settled")
    assert len(stage.made()) == 4
    stage.vendor.end(running[3:])
    stage.wait_for_all()
    assert most_at_once(stage.made()[4:]) == 1
    stage.check()


def test_an_account_that_drains_gets_nothing_new_until_it_is_resumed(
    processes: Processes, operate: Operate
):
    accounts = [account("old", 4), account("other", 4)]
    stage = Stage(processes, accounts, duration="0.1-0.3")
    operator = operate(stage)
    stage.hand_in(150)
    stage.wait_for_more(20)
    operator.drain("old")
    assert operator.account("old")["state"] in ("draining", "drained")
    wait_until(lambda: not operator.lane("old")["in_flight"], what="the account to be empty")
    made = stage.vendor.account("old")["accepted"]
    stage.wait_for_more(30, "other")
    figures = stage.vendor.account("old")
    assert (figures["accepted"], figures["in_flight"], figures["ended_unseen"]) == (made, 0, 0)

    operator.resume("old")
    stage.hand_in(40)
    stage.wait_for_more(10, "old")
    stage.wait_for_all()
    stage.check()


def test_an_account_is_added_while_tasks_wait(processes: Processes, operate: Operate):
    accounts = [account("main", 2), account("new", 4)]
    stage = Stage(processes, accounts, duration="0.1-0.3", unknown=["new"])
    operator = operate(stage)
    stage.hand_in(100)
    stage.wait_for_more(10)
    assert not stage.vendor.account("new")["submits"]
    keep(stage, operator, "new")
    stage.wait_for_more(20, "new")
    stage.fill("new", 4)
    stage.wait_for_all()
    stage.check()


def test_keys_are_rotated_with_fifty_tasks_in_flight(processes: Processes, operate: Operate):
    """Both old keys go, one after the other; what they had submitted is looked at with the new."""
    new = "main-key.new"
    stage = Stage(
        processes,
        [account("main", 50, more_keys=[new])],
        duration="3600",
        unknown=["main"],
    )
    operator = operate(stage)
    keep(stage, operator, "main")
    stage.hand_in(70)
    wait_until(lambda: len(stage.made()) == 50, what="fifty in flight")
    old = api_keys("main")
    assert {task["api_key"] for task in stage.made()} == set(old)
    old_ids = set(operator.key_ids("main"))

    operator.change("main", add_keys=[new])
    for key_id in old_ids:
        operator.change("main", remove_keys=[key_id])
    (new_id,) = operator.key_ids("main")
    assert new_id not in old_ids
    stage.vendor.change_account("main", revoked_keys=old)
    looks = stage.looks_refused(*old)
    stage.vendor.settings(duration=0.1)
    stage.vendor.end([task["id"] for task in stage.made()])
    stage.wait_for_all()
    # They open nothing any more, and nobody tried, but for looks that were on the wire: to try
    # them first would have cost a refused look at each of the fifty.
    assert stage.looks_refused(*old) - looks < 10
    assert not stage.refused("1002")
    assert {task["api_key"] for task in stage.made()[50:]} == {new}
    stage.check()
