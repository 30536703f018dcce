"""The judge of the pool's bench: which submit took the place of which end."""

from __future__ import annotations

import math
from itertools import count
from typing import Any

import pytest

from bench.refills import Window, lateness, percentile, refills, slot_time_in_use, told_within

WINDOW = Window(100, 200)
READ_AT = 205.0
_numbers = count(1)


def made(accepted: float, ends: float, told: float | None, account: str = "main") -> dict[str, Any]:
    return {
        "number": next(_numbers),
        "account": account,
        "accepted_at": accepted,
        "ends_at": ends,
        "told_at": told,
    }


def test_a_submit_takes_the_place_that_is_known_to_be_free_for_longest():
    tasks = [made(90, 101, 102), made(91, 102, 104), made(105, 300, None), made(110, 300, None)]
    assert refills(tasks, 2, WINDOW, READ_AT).seconds == [3, 6]


def test_a_place_is_filled_at_its_own_account_only():
    tasks = [made(90, 101, 102, "one"), made(103, 300, None, "two"), made(109, 300, None, "one")]
    assert refills(tasks, 1, WINDOW, READ_AT).seconds == [7]


def test_the_first_submits_to_an_account_follow_no_end():
    tasks = [made(110 + i, 300, None) for i in range(5)]
    told = refills(tasks, 5, WINDOW, READ_AT)
    assert (told.seconds, told.never, told.early) == ([], 0, 0)


def test_a_place_that_stays_empty_counts_until_the_tasks_were_read():
    told = refills([made(90, 101, 102)], 1, WINDOW, READ_AT)
    assert (told.seconds, told.never) == ([103], 1)


def test_what_was_told_outside_the_window_is_matched_and_not_counted():
    tasks = [made(1, 98, 99), made(150, 200, 201), made(202, 300, None)]
    told = refills(tasks, 1, WINDOW, READ_AT)
    assert (told.seconds, told.never) == ([], 0)


def test_a_submit_before_any_end_was_known_is_told():
    tasks = [made(90, 101, 103), made(102, 300, None)]
    assert refills(tasks, 1, WINDOW, READ_AT).early == 1


def test_lateness_is_a_share_of_how_long_the_task_took():
    told = told_within([made(90, 100, 105), made(90, 190, 195), made(90, 190, None)], WINDOW)
    assert lateness(told) == [0.05, 0.5]


def test_slot_time_counts_what_ran_within_the_window():
    tasks = [made(50, 150, 151), made(180, 260, None), made(0, 90, 95)]
    assert slot_time_in_use(tasks, 1, WINDOW) == pytest.approx(0.7)


def test_a_percentile_of_nothing_keeps_no_promise():
    assert math.isnan(percentile([], 0.5))
    assert not percentile([], 0.5) <= 1
    assert percentile([1, 2, 3], 0.99) == 3
