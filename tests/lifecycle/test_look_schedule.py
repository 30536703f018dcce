"""Looks where they find something: counted over all the times that a task may take."""

from __future__ import annotations

import pytest

from gateway.lifecycle.look_schedule import LookSchedule


def schedule(looks: float = 7.2) -> LookSchedule:
    return LookSchedule(
        expected_seconds={"known": (30.0, 60.0)},
        looks_per_task=looks,
        first_seconds=2,
        longest_seconds=15,
    )


def looks_until(end: float, plan: LookSchedule, model: str = "known") -> list[float]:
    """The ages at which a task that ends then is looked at."""
    ages = [plan.first(model)]
    while ages[-1] < end:
        ages.append(ages[-1] + plan.delay(model, ages[-1]))
    return ages


def figures(plan: LookSchedule) -> tuple[float, float]:
    """Looks a task and share of slot time in use, for ends spread evenly over 30 to 60 s."""
    ends = [30 + 30 * (i + 0.5) / 3000 for i in range(3000)]
    known = [looks_until(end, plan) for end in ends]
    return sum(map(len, known)) / len(ends), sum(ends) / sum(ages[-1] for ages in known)


def test_with_known_times_eight_looks_leave_less_than_three_percent_idle():
    looks, in_use = figures(schedule())
    assert looks <= 8
    assert in_use >= 0.97


@pytest.mark.parametrize("wanted", [4, 6, 8, 12])
def test_the_number_of_looks_is_what_was_asked_for(wanted: float):
    assert figures(schedule(wanted))[0] == pytest.approx(wanted, abs=0.1)


def test_more_looks_waste_less():
    shares = [figures(schedule(looks))[1] for looks in (4, 6, 8, 12)]
    assert shares == sorted(shares)


def test_it_beats_looks_at_even_distances():
    looks, in_use = figures(schedule())
    even = 15 / (looks - 1)  # from 30 s on, so that their number is the same
    idle = even / 2
    assert in_use > 45 / (45 + idle)


def test_no_look_is_made_before_anything_can_be_over():
    assert min(looks_until(60, schedule())) > 30


def test_what_takes_longer_than_expected_is_looked_at_ever_more_seldom():
    gaps = [schedule().delay("known", age) for age in looks_until(600, schedule()) if age > 60]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 15


def test_a_time_that_is_always_the_same_is_a_known_time_too():
    plan = LookSchedule(
        expected_seconds={"known": (5.0, 5.0)},
        looks_per_task=7,
        first_seconds=2,
        longest_seconds=15,
    )
    assert len(looks_until(5.0, plan)) == 1


def test_without_knowledge_the_distance_grows_with_age():
    ages = looks_until(200, schedule(), "unknown")
    assert ages[0] == 2
    assert ages[-1] - ages[-2] == 15
