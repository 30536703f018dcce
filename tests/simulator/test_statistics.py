"""The figures: some over HTTP, those that are made of times on a clock of our own."""

import pytest

from gateway.simulator.accounts import Account, Accounts
from gateway.simulator.figures import Figures
from gateway.simulator.tasks import Order, Task
from gateway.simulator.vendor import Vendor

from .conftest import API, MODEL, Driver, code_of, wait_until


def test_duplicates_are_second_tasks_for_one_gateway_task(simulator: Driver) -> None:
    simulator.accepted("one-a", request_id="task-a-1")
    simulator.accepted("two-a", request_id="task-a-2")
    simulator.accepted("two-a", request_id="task-b-1")
    simulator.accepted("one-a", request_id="without")
    simulator.accepted("one-a")
    assert simulator.total()["duplicates"] == 1
    assert simulator.lane("two")["duplicates"] == 1
    assert simulator.lane("one")["duplicates"] == 0


def test_the_peak_stays_when_tasks_have_ended(simulator: Driver) -> None:
    for key in ("one-a", "one-a", "one-a", "two-a"):
        simulator.accepted(key)
    assert simulator.end() == 4
    simulator.accepted()
    assert simulator.lane("one")["peak_in_flight"] == 3
    assert simulator.lane("two")["peak_in_flight"] == 1
    assert simulator.total()["peak_in_flight"] == 4
    assert simulator.total()["in_flight"] == 1


def test_looks_are_counted_by_task_and_after_the_end_was_told(simulator: Driver) -> None:
    often, once = simulator.accepted(), simulator.accepted()
    for task in (often, often, once):
        simulator.look(task)
    simulator.end(ids=[often])
    for _ in range(3):
        simulator.look(often)
    lane = simulator.lane("one")
    assert lane["looks"] == 6
    assert lane["looks_per_task"] == {"mean": 3.0, "max": 5}
    assert lane["looks_after_end"] == 2
    assert simulator.tasks()[0]["looks"] == len(simulator.tasks()[0]["look_times"]) == 5


def test_an_end_is_unseen_until_a_look_has_told_it(simulator: Driver) -> None:
    simulator.settings(duration=0.01)
    seen, _ = simulator.accepted(), simulator.accepted()
    wait_until(lambda: simulator.total()["succeeded"] == 2)
    assert simulator.total()["ended_unseen"] == 2
    assert simulator.status(seen) == "SUCCESS"
    total = simulator.total()
    assert total["ended_unseen"] == 1
    told = total["end_to_seen_seconds"]
    assert told["count"] == 1
    assert 0 < told["p50"] == told["p99"] == told["max"] == told["mean"]


def test_requests_are_counted_by_path(simulator: Driver) -> None:
    simulator.look(simulator.accepted())
    simulator.look("123")
    simulator.http.get("/media/1.mp4")
    simulator.http.get("/favicon.ico")
    requests = simulator.stats()["requests"]
    assert requests.pop("/simulator") >= 1
    assert requests == {
        f"{API}/videos/generations": 1,
        f"{API}/async-result": 2,
        "/media": 1,
        "other": 1,
    }


def test_the_users_of_an_account_are_told_apart_by_their_keys(simulator: Driver) -> None:
    simulator.account("one", limit=2)
    ours, theirs = simulator.accepted("one-a"), simulator.accepted("one-b")
    assert code_of(simulator.submit("one-a")) == "1302"
    simulator.account("one", revoked_keys=["one-a"])
    assert code_of(simulator.submit("one-a")) == "1002"
    simulator.look(ours, "one-a")
    simulator.end(ids=[theirs])
    simulator.fault(on="submit", kind="error", code="1305")
    assert code_of(simulator.submit("one-b")) == "1305"
    assert simulator.stats()["keys"] == {
        "one-a": {
            "submits": 3,
            "accepted": 1,
            "refused": {"1302": 1, "1002": 1},
            "refused_over_limit": 1,
            "in_flight": 1,
            "peak_in_flight": 1,
            "looks_refused": {"1002": 1},
        },
        "one-b": {
            "submits": 2,
            "accepted": 1,
            "refused": {"1305": 1},
            "refused_over_limit": 0,
            "in_flight": 0,
            "peak_in_flight": 1,
            "looks_refused": {},
        },
    }
    refusals = simulator.control("GET", "refusals")
    assert [refusal["api_key"] for refusal in refusals] == ["one-a", "one-a"]


def test_a_key_that_nobody_has_is_not_counted_by_itself(simulator: Driver) -> None:
    simulator.submit("of-nobody")
    assert simulator.total()["refused"] == {"1002": 1}
    assert simulator.stats()["keys"] == {}


class Clock:
    """A vendor with an account of two places, and a time that only a test moves."""

    def __init__(self, keep_tasks: int = 1000) -> None:
        self.now = 100.0
        self.account = Account(name="a", limit=2, api_keys=["k"])
        self.vendor = Vendor(Accounts([self.account]), [MODEL], keep_tasks)

    def start(self, seconds: float) -> Task:
        order = Order(self.account, "k", MODEL, {"prompt": "a cat"})
        return self.vendor.accept(order, self.now, seconds, None)

    def figures(self) -> Figures:
        figures = self.vendor.account_figures(self.now)["a"][MODEL]
        assert figures.slot_time_in_use == self.vendor.total_figures(self.now).slot_time_in_use
        return figures


def test_slot_time_is_the_share_of_the_places_that_were_used() -> None:
    clock = Clock()
    clock.start(10)
    clock.now += 4
    assert clock.figures().slot_time_in_use == pytest.approx(0.5)
    clock.start(2)
    clock.now += 6
    assert clock.figures().slot_time_in_use == pytest.approx(12 / 20)


def test_slot_time_counts_to_the_last_end_and_over_a_pause_once_work_came_again() -> None:
    clock = Clock()
    clock.start(10)
    clock.now += 30
    assert clock.figures().slot_time_in_use == pytest.approx(0.5)
    clock.start(10)
    clock.now += 10
    assert clock.figures().slot_time_in_use == pytest.approx(20 / 80)


def test_slot_time_follows_a_limit_that_changes() -> None:
    clock = Clock()
    clock.start(20)
    clock.now += 10
    clock.vendor.change_account(clock.account.patched({"limit": 4}), clock.now)
    clock.now += 10
    assert clock.figures().slot_time_in_use == pytest.approx(20 / (20 + 40))


def test_ends_are_counted_with_their_own_times_however_late_they_are_noticed() -> None:
    clock = Clock()
    first, second = clock.start(5), clock.start(7)
    clock.now += 100
    for task in (first, second):
        clock.vendor.tell(task, clock.now)
    told = clock.figures().end_to_seen_seconds
    assert (told.count, told.mean, told.max) == (2, 94, 95)
    assert clock.figures().slot_time_in_use == pytest.approx(12 / 14)


def test_a_place_is_free_from_the_very_moment_of_the_end() -> None:
    clock = Clock()
    clock.start(5)
    clock.start(5)
    clock.now += 5
    clock.start(5)
    assert clock.figures().peak_in_flight == 2


def test_a_task_that_was_ended_early_does_not_end_again() -> None:
    clock = Clock()
    clock.start(5)
    assert clock.vendor.end_now(lambda task: True, clock.now) == 1
    clock.start(50)
    clock.now += 5
    figures = clock.figures()
    assert (figures.succeeded, figures.in_flight) == (1, 1)


def test_old_ended_tasks_are_forgotten_but_never_a_running_one() -> None:
    clock = Clock(keep_tasks=3)
    running = clock.start(1000)
    ended = []
    for _ in range(5):
        ended.append(clock.start(1))
        clock.now += 1
    kept = [clock.vendor.find(task.id, clock.now) is not None for task in ended]
    assert kept == [False, False, True, True, True]
    assert clock.vendor.find(running.id, clock.now) is running
