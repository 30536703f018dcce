"""Looks by durations that were learned from looks, over thousands of invented tasks.

Computed, with fixed dice: task after task is looked at by the plan as it is then, and what that saw
is learned; what was learned is read again after every ten tasks.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from typing import NamedTuple

import pytest

from gateway.domain.durations import GUESS, Expectation, Seen, Variant
from gateway.domain.learning import FEWEST, KEPT, learned
from gateway.lifecycle.look_schedule import LookSchedule

READ_EVERY = 10
VARIANT = Variant("bigmodel", "cogvideox-3")


class Looked(NamedTuple):
    """A task, and what its end cost."""

    seconds: float
    found: float
    looks: int


class Knowledge:
    """What the store keeps, and what a process has read of it."""

    def __init__(self) -> None:
        self.kept: list[Seen] = []
        self.expected = GUESS

    def of(self, variant: Variant) -> Expectation:
        return self.expected

    def seconds_of(self, model: str) -> float:
        return self.expected.seconds

    def read(self) -> None:
        self.expected = learned(self.kept) or GUESS


class Watched:
    """A model whose tasks are looked at, one after the other."""

    def __init__(self) -> None:
        self.known = Knowledge()
        self.schedule = LookSchedule(
            self.known,
            looks_per_task=7.2,
            idle_looks_per_task=5,
            first_seconds=2,
            longest_seconds=15,
        )

    def look_at(self, durations: Iterable[float], *, late: float = 0.0) -> list[Looked]:
        """Each task until its end is found, by looks that come so much later than planned."""
        return [self._look_at(seconds, i, late) for i, seconds in enumerate(durations)]

    def _look_at(self, seconds: float, number: int, late: float) -> Looked:
        age, running, looks = self.schedule.first(VARIANT), 0.0, 1
        while age < seconds:
            running, looks = age, looks + 1
            age += self.schedule.delay(VARIANT, age, work_waits=True)
        age += late
        self.known.kept = [*self.known.kept, Seen(running, age)][-KEPT:]
        if number % READ_EVERY == 0:
            self.known.read()
        return Looked(seconds, age, looks)


def evenly(low: float, high: float, count: int, seed: int = 1) -> list[float]:
    dice = random.Random(seed)
    return [dice.uniform(low, high) for _ in range(count)]


def figures(tasks: list[Looked]) -> tuple[float, float]:
    """Looks a task, and the share of slot time in use."""
    in_use = sum(task.seconds for task in tasks) / sum(task.found for task in tasks)
    return sum(task.looks for task in tasks) / len(tasks), in_use


def told(low: float, high: float, ends: list[float]) -> tuple[float, float]:
    """The same if the two times were known from the start."""
    watched = Watched()
    watched.known.expected = Expectation((low, high))
    watched.known.read = lambda: None  # type: ignore[method-assign]
    return figures(watched.look_at(ends))


@pytest.mark.parametrize("seed", range(5))
def test_what_was_learned_is_as_good_as_what_was_told(seed: int):
    watched = Watched()
    watched.look_at(evenly(30, 60, KEPT, seed))
    ends = evenly(30, 60, 1000, seed + 100)
    looks, in_use = figures(watched.look_at(ends))
    told_looks, told_in_use = told(30, 60, ends)
    assert looks <= told_looks + 0.2
    assert in_use >= told_in_use - 0.003 >= 0.97


@pytest.mark.parametrize("seed", range(5))
def test_a_vendor_twice_as_fast_is_followed_within_as_many_tasks_as_are_kept(seed: int):
    watched = Watched()
    watched.look_at(evenly(30, 60, 300, seed))
    watched.look_at(evenly(15, 30, KEPT, seed))
    looks, in_use = figures(watched.look_at(evenly(15, 30, 200, seed + 100)))
    assert looks <= 8
    assert in_use >= 0.96


@pytest.mark.parametrize("seed", range(5))
def test_a_vendor_twice_as_slow_is_followed_within_as_many_tasks_as_are_kept(seed: int):
    watched = Watched()
    watched.look_at(evenly(30, 60, 300, seed))
    meanwhile = watched.look_at(evenly(60, 120, KEPT, seed))
    looks, in_use = figures(watched.look_at(evenly(60, 120, 200, seed + 100)))
    assert looks <= 8
    assert in_use >= 0.97
    assert figures(meanwhile)[0] <= 16


def test_the_shortest_that_is_known_neither_sinks_nor_rises_for_ever():
    watched = Watched()
    watched.look_at(evenly(30, 60, 300))
    shortest = []
    for task in evenly(30, 60, 5000, seed=2):
        watched.look_at([task])
        shortest.append(watched.known.expected.ages[0])
    assert min(shortest) > 20
    assert max(shortest) < 37
    assert sum(shortest) / len(shortest) == pytest.approx(30, abs=2)


def test_a_shortest_that_only_sinks_a_little_is_found_too():
    watched = Watched()
    watched.look_at(evenly(30, 60, 300))
    watched.look_at(evenly(20, 60, 3 * KEPT))
    assert watched.known.expected.ages[0] < 25
    looks, in_use = figures(watched.look_at(evenly(20, 60, 1000, seed=2)))
    assert looks <= 7.5
    assert in_use >= 0.96


def test_narrow_durations_cost_few_looks_for_less_waste():
    watched = Watched()
    watched.look_at(evenly(58, 62, 2 * KEPT))
    looks, in_use = figures(watched.look_at(evenly(58, 62, 1000, seed=2)))
    assert looks <= 4
    assert in_use >= 0.99


def test_a_duration_that_is_always_the_same_costs_a_look_or_a_few():
    watched = Watched()
    watched.look_at([60.0] * 2 * KEPT)
    looks, in_use = figures(watched.look_at([60.0] * 500))
    assert looks <= 5
    assert in_use >= 0.99


def test_a_heavy_tail_costs_no_more_looks():
    dice = random.Random(1)
    watched = Watched()
    ends = [60 * math.exp(dice.gauss(0, 0.7)) for _ in range(2000)]
    tasks = watched.look_at(ends)[KEPT:]
    looks, in_use = figures(tasks)
    assert looks <= 8
    assert in_use >= 0.92
    assert sorted(task.found / task.seconds for task in tasks)[len(tasks) // 2] <= 1.1


def test_some_that_fail_early_are_found_early():
    dice = random.Random(1)
    watched = Watched()
    ends = [
        dice.uniform(2, 5) if dice.random() < 0.2 else dice.uniform(30, 60) for _ in range(1000)
    ]
    tasks = watched.look_at(ends)[300:]
    early = [task.found for task in tasks if task.seconds < 6]
    assert sorted(early)[len(early) // 2] < 15
    assert figures(tasks)[0] <= 8


def test_looks_that_came_an_hour_late_move_nothing():
    watched = Watched()
    watched.look_at(evenly(30, 60, 300))
    watched.look_at(evenly(30, 60, KEPT // 4), late=3600)  # the store was away meanwhile
    looks, in_use = figures(watched.look_at(evenly(30, 60, 40, seed=2)))
    assert looks <= 8
    assert in_use >= 0.96


def test_a_few_ends_tell_nothing_yet():
    assert learned([Seen(28, 31)] * (FEWEST - 1)) is None
    expected = learned([Seen(28, 31)] * FEWEST)
    assert expected is not None
    assert not expected.guessed
    assert 27 < expected.ages[0] < expected.ages[-1] < 32
