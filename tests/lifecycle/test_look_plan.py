"""Looks where they find something: counted over all the times that a task may take."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

import pytest

from gateway.domain.durations import Expectation
from gateway.lifecycle.look_plan import LookPlan

EVEN = Expectation((30.0, 60.0))


def plan(
    expected: Expectation = EVEN, looks: float = 7.2, latest_share: float = math.inf
) -> LookPlan:
    return LookPlan(
        expected, looks=looks, smallest_gap=0.2, longest_late_gap=15, latest_share=latest_share
    )


def looks_until(end: float, made: LookPlan) -> list[float]:
    """The ages at which a task that ends then is looked at."""
    ages = [made.next_age(0.0)]
    while ages[-1] < end:
        ages.append(made.next_age(ages[-1]))
    return ages


def figures(made: LookPlan, expected: Expectation = EVEN) -> tuple[float, float]:
    """Looks a task and share of slot time in use, over all ends that are expected."""
    pairs = list(pairwise(expected.ages))
    ends = [a + (b - a) * (i + 0.5) / 500 for a, b in pairs for i in range(500)]
    found = [looks_until(end, made) for end in ends]
    return sum(map(len, found)) / len(ends), sum(ends) / sum(ages[-1] for ages in found)


def test_with_known_times_eight_looks_leave_less_than_three_percent_idle():
    looks, in_use = figures(plan())
    assert looks <= 8
    assert in_use >= 0.97


@pytest.mark.parametrize("wanted", [2, 4, 6, 8, 12])
def test_the_number_of_looks_is_what_was_asked_for(wanted: float):
    uneven = Expectation((5.0, 20.0, 22.0, 25.0, 60.0, 61.0))
    assert figures(plan(looks=wanted))[0] == pytest.approx(wanted, abs=0.1)
    assert figures(plan(uneven, wanted), uneven)[0] == pytest.approx(wanted, abs=0.1)


def test_more_looks_waste_less():
    shares = [figures(plan(looks=looks))[1] for looks in (4, 6, 8, 12)]
    assert shares == sorted(shares)


def test_it_beats_looks_at_even_distances():
    looks, in_use = figures(plan())
    even = 15 / (looks - 1)  # from 30 s on, so that their number is the same
    idle = even / 2
    assert in_use > 45 / (45 + idle)


def test_no_look_is_made_before_anything_can_be_over():
    assert min(looks_until(60, plan())) > 30


def test_what_takes_longer_than_all_known_is_looked_at_ever_more_seldom():
    ages = [age for age in looks_until(600, plan()) if age >= 60]
    gaps = [b - a for a, b in pairwise(ages)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == pytest.approx(15)


def test_a_time_that_is_always_the_same_is_a_known_time_too():
    assert len(looks_until(5.0, plan(Expectation((5.0, 5.0))))) == 1


def test_where_all_take_nearly_the_same_few_looks_are_as_exact():
    narrow = Expectation((58.0, 62.0))
    looks, in_use = figures(plan(narrow), narrow)
    assert looks < 4
    assert in_use > 0.99


def test_half_of_the_ends_are_known_within_a_share_of_the_duration_whatever_the_aim():
    wide = Expectation((0.0, 10.0, 40.0, 120.0, 600.0))

    def median_late(made: LookPlan) -> float:
        pairs = list(pairwise(wide.ages))
        ends = [a + (b - a) * (i + 0.5) / 100 for a, b in pairs for i in range(100)]
        return statistics.median(looks_until(end, made)[-1] / end - 1 for end in ends)

    assert median_late(plan(wide, 2, 0.1)) < 0.12 < median_late(plan(wide, 2))
