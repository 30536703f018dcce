"""What is going on in a case, so that its place is reached.

`prepare` runs before the victim is there; `act` is what callers do then, until all is handed in and
the vendor's tasks may end. How each job ends where nothing is struck is said by the jobs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.failpoints import predecessor
from tests.failpoints.blows import Blow
from tests.failpoints.traffic import UNKNOWN, Traffic
from tests.harness import wait_until


@dataclass(frozen=True)
class Scenario:
    name: str
    prepare: Callable[[Traffic, Blow], Any]
    act: Callable[[Traffic], Any]


def _hand_in(traffic: Traffic) -> None:
    traffic.submit(traffic.jobs)
    traffic.lane.account.let_tasks_end()


def _look_up(traffic: Traffic) -> None:
    traffic.submit(traffic.jobs)
    answer = traffic.ask("GET", f"/v1/async-result/{traffic.jobs[-1].id}")
    assert answer.json()["task_status"] == "PROCESSING"
    traffic.lane.account.let_tasks_end()


def _ask_for_limits(traffic: Traffic) -> None:
    traffic.submit(traffic.jobs)
    assert traffic.ask("GET", "/v1/limits").json()["team"] == "films"
    traffic.lane.account.let_tasks_end()


def _ask_again(traffic: Traffic) -> None:
    """A caller that does not believe its answers."""
    traffic.submit(traffic.jobs)
    told = [job.id for job in traffic.jobs]
    traffic.submit(traffic.jobs)
    assert told == [job.id for job in traffic.jobs]
    traffic.lane.account.let_tasks_end()


def _cancel(traffic: Traffic) -> None:
    """One that waits, for nothing; and one that runs, which only reads as cancelled."""
    traffic.submit(traffic.jobs)
    for job, status in ((traffic.jobs[-1], 200), (traffic.jobs[1], 202)):
        assert traffic.ask("POST", f"/v1/videos/{job.id}/cancel").status_code == status
    traffic.lane.account.let_tasks_end()


def _hand_in_elsewhere(traffic: Traffic) -> None:
    """Nobody calls a process that is not ready yet."""
    wait_until(traffic.elsewhere.is_set, what="the strike")
    _hand_in(traffic)


def _new_jobs(traffic: Traffic, blow: Blow) -> None:
    traffic.new_jobs()


def _to_be_cancelled(traffic: Traffic, blow: Blow) -> None:
    jobs = traffic.new_jobs()
    for job in (jobs[-1], jobs[1]):
        job.ends = frozenset({"cancelled"})


# One kind of lost answer, of refusal and of odd look for each blow, so that all are met.
_LOST: dict[Blow, dict[str, Any]] = {
    Blow.KILL: {"kind": "accept_then_cut"},
    Blow.PAUSE: {"kind": "garbage", "accepted": True},
    Blow.RAISE: {"kind": "truncated", "accepted": True},
    Blow.RESET: {"kind": "accept_then_error", "code": "500"},
    Blow.CANCEL: {"kind": "error", "status": 502, "envelope": "html"},
}
_REFUSED: dict[Blow, dict[str, Any]] = {
    Blow.KILL: {"kind": "error", "code": "1302"},
    Blow.PAUSE: {"kind": "error", "code": "1305"},
    Blow.RAISE: {"kind": "error", "code": "1113"},
    Blow.RESET: {"kind": "error", "code": "1002"},
    Blow.CANCEL: {"kind": "error", "code": "1303", "envelope": "flat"},
}
_ODD_LOOK: dict[Blow, dict[str, Any]] = {
    Blow.KILL: {"kind": "garbage"},
    Blow.PAUSE: {"kind": "error", "status": 404, "code": "1214"},
    Blow.RAISE: {"kind": "cut"},
    Blow.RESET: {"kind": "error", "code": "500"},
    Blow.CANCEL: {"kind": "unknown_status"},
}


def _will_be_lost(traffic: Traffic, blow: Blow) -> None:
    job = traffic.new_jobs()[0]
    job.ends = frozenset({UNKNOWN})
    traffic.lane.account.fault(on="submit", prompt_contains=job.prompt, times=1, **_LOST[blow])


def _will_be_refused(traffic: Traffic, blow: Blow) -> None:
    rule = _REFUSED.get(blow, _REFUSED[Blow.KILL])
    job = traffic.new_jobs()[0]
    traffic.lane.account.fault(on="submit", prompt_contains=job.prompt, times=1, **rule)


def _will_be_refused_for_good(traffic: Traffic, blow: Blow) -> None:
    job = traffic.new_jobs()[0]
    job.ends = frozenset({"1301"})
    traffic.lane.account.fault(
        on="submit", kind="error", code="1301", prompt_contains=job.prompt, times=1
    )


def _will_be_misread(traffic: Traffic, blow: Blow) -> None:
    predecessor.leave_running(traffic)
    job = traffic.jobs[0]
    rule = _ODD_LOOK.get(blow, _ODD_LOOK[Blow.KILL])
    traffic.lane.account.fault(on="look", prompt_contains=job.prompt, times=2, **rule)


def _left(leave: Callable[[Traffic], None]) -> Callable[[Traffic, Blow], None]:
    return lambda traffic, blow: leave(traffic)


def _nothing(traffic: Traffic) -> None:
    """All is left behind; nobody calls."""


def _let_end(traffic: Traffic) -> None:
    traffic.lane.account.let_tasks_end()


PLAIN = Scenario("plain", _new_jobs, _hand_in)
STARTING = Scenario("starting", _new_jobs, _hand_in_elsewhere)
LOOKED_UP = Scenario("looked up", _new_jobs, _look_up)
LIMITS_ASKED = Scenario("limits asked", _new_jobs, _ask_for_limits)
ASKED_AGAIN = Scenario("asked again", _new_jobs, _ask_again)
CANCELLED = Scenario("cancelled", _to_be_cancelled, _cancel)
LOST = Scenario("answer lost", _will_be_lost, _hand_in)
REFUSED = Scenario("refused", _will_be_refused, _hand_in)
REFUSED_FOR_GOOD = Scenario("refused for good", _will_be_refused_for_good, _hand_in)
MISREAD = Scenario("odd looks", _will_be_misread, _nothing)
ABANDONED = Scenario("abandoned", _left(predecessor.leave_abandoned), _nothing)
WAITING = Scenario("waiting", _left(predecessor.leave_waiting), _let_end)
RUNNING = Scenario("running", _left(predecessor.leave_running), _nothing)
