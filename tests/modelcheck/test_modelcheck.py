"""A small world holds, planted faults are found, and the model moves as the gateway does."""

from __future__ import annotations

from functools import cache

import pytest

from gateway.domain.task import MOVES, Status
from tests.modelcheck.explore import Explorer, Result
from tests.modelcheck.faults import Fault
from tests.modelcheck.mutants import SMALL, try_out
from tests.modelcheck.report import counterexample


@cache
def the_small_world() -> Result:
    return Explorer(SMALL).run()


def test_no_promise_is_broken_in_the_small_world():
    result = the_small_world()
    assert result.violation is None, "\n".join(counterexample(result))


def test_the_small_world_is_as_large_as_it_was():
    """Fewer states would mean that something can no longer happen."""
    assert the_small_world().states == 73_227


def test_the_model_makes_exactly_the_moves_of_the_gateway():
    made = {(was, now) for was, now in the_small_world().world.moves_seen if was is not now}
    drawn = {(was, now) for was, targets in MOVES.items() for now in targets}
    assert made == drawn | {(None, Status.QUEUED)}


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name.lower())
def test_a_planted_fault_is_found(fault: Fault):
    caught = try_out(fault)
    assert caught.result.violation
    *steps, end = counterexample(caught.result)
    assert len(steps) == caught.result.violation.length
    assert end == f"  => {caught.result.violation.what}"
