"""Which plan a task's looks follow: by what is known, and by whether its slot is wanted."""

from __future__ import annotations

import statistics
from itertools import pairwise

import pytest

from gateway.domain.durations import GUESS, Expectation, Variant
from gateway.lifecycle.look_schedule import LookSchedule

KNOWN = Variant("bigmodel", "cogvideox-3", "1920x1080:speed:5")
UNKNOWN = Variant("bigmodel", "cogvideox-3")


class Known:
    """Knows durations of one variant."""

    def __init__(self, *ages: float) -> None:
        self.expected = Expectation(ages)

    def of(self, variant: Variant) -> Expectation:
        return self.expected if variant == KNOWN else GUESS

    def seconds_of(self, model: str) -> float:
        return self.expected.seconds


def schedule(known: Known) -> LookSchedule:
    return LookSchedule(
        known, looks_per_task=7.2, idle_looks_per_task=5, first_seconds=2, longest_seconds=15
    )


def looks_until(end: float, plan: LookSchedule, variant: Variant, work_waits: bool) -> list[float]:
    ages = [plan.first(variant)]
    while ages[-1] < end:
        ages.append(ages[-1] + plan.delay(variant, ages[-1], work_waits=work_waits))
    return ages


def all_ends(*ages: float) -> list[float]:
    """As many between any two of these as between any other two."""
    return [a + (b - a) * (i + 0.5) / 300 for a, b in pairwise(ages) for i in range(300)]


def looks_a_task(plan: LookSchedule, ends: list[float], work_waits: bool) -> float:
    return sum(len(looks_until(end, plan, KNOWN, work_waits)) for end in ends) / len(ends)


def test_looks_are_densest_when_work_waits_for_the_slot():
    plan, ends = schedule(Known(30.0, 60.0)), all_ends(30.0, 60.0)
    assert 7 <= looks_a_task(plan, ends, True) <= 7.4
    assert 4.9 <= looks_a_task(plan, ends, False) <= 5.5


@pytest.mark.parametrize("ages", [(30.0, 60.0), (8.0, 20.0, 50.0, 200.0), (58.0, 62.0)], ids=str)
def test_half_of_the_ends_are_known_within_a_tenth_also_when_nothing_waits(
    ages: tuple[float, ...],
):
    plan = schedule(Known(*ages))
    late = [looks_until(end, plan, KNOWN, False)[-1] / end - 1 for end in all_ends(*ages)]
    assert statistics.median(late) <= 0.1


def test_never_more_looks_for_a_slot_that_nobody_wants():
    # So widely spread that a tenth of the duration would take more than the aim.
    ages = (0.0, 1.0, 5.0, 3000.0)
    plan, ends = schedule(Known(*ages)), all_ends(*ages)
    assert looks_a_task(plan, ends, False) <= looks_a_task(plan, ends, True)


def test_without_knowledge_the_distance_grows_with_age():
    ages = looks_until(200, schedule(Known(30.0, 60.0)), UNKNOWN, work_waits=True)
    assert ages[0] == 2
    assert ages[-1] - ages[-2] == 15


def test_what_was_learned_meanwhile_is_used_at_once():
    known = Known(30.0, 60.0)
    plan = schedule(known)
    assert plan.first(KNOWN) > 30
    known.expected = Expectation((10.0, 20.0))
    assert 10 < plan.first(KNOWN) < 20
