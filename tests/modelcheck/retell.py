"""A counterexample as a person reads it: who did what, one line a step."""

from __future__ import annotations

from collections.abc import Iterator

from tests.modelcheck.breaker import Breaker
from tests.modelcheck.explore import Violation
from tests.modelcheck.steps import Step
from tests.modelcheck.world import World

_NAMES = "ABCDEFGH"


def retell(world: World, violation: Violation) -> list[str]:
    """The steps, each with the statuses after it, and what is wrong in the end."""
    told = list(_steps(world, violation))
    width = max((len(what) for what, _ in told), default=0)
    lines = [f"{what:<{width}}  {statuses}".rstrip() for what, statuses in told]
    return [*lines, f"=> {violation.what}"]


def _steps(world: World, violation: Violation) -> Iterator[tuple[str, str]]:
    """States do not know which task is which, so each step is looked for again: one that leads
    from the tasks as they are to the next state."""
    codes, breaker = world.unpack(violation.path[0])
    for state in violation.path[1:]:
        after = world.unpack(state)[1]
        if world.pack(codes, breaker.paused_enough(world.fault)) == state:
            what = "the breaker's pause is over"
        else:
            place, step, codes = _step_to(world, codes, breaker, state)
            what = _named(place, step)
        breaker = after
        yield what, ", ".join(world.tasks[code].status or "-" for code in codes)
    if violation.last:
        task, step = violation.last
        yield _named(codes.index(task), step), ""


def _step_to(
    world: World, codes: list[int], breaker: Breaker, state: int
) -> tuple[int, Step, list[int]]:
    for place, step in world.steps_of(codes, breaker):
        there, found = world.take(codes, breaker, place, step)
        if found == state:
            return place, step, there
    raise AssertionError("no step leads there")


def _named(place: int, step: Step) -> str:
    return f"{_NAMES[place]}: {step.name}"
