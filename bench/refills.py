"""How long a slot stayed empty, and what the looks cost, told from the simulator's list of tasks.

Which task took the place of which is nobody's decision: a place at an account is as good as any
other there. So they are matched first in, first out, account by account: each accepted submit
takes the place that has been known to be free for longest. A place is known to be free from the
start, and then from the look that told of a task's end.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

Made = dict[str, Any]
"""A task as `GET /simulator/tasks` shows it."""


@dataclass(frozen=True)
class Window:
    """From when to when it is measured: more waits than can start, and nothing is new any more."""

    begin: float
    end: float

    def __contains__(self, at: float) -> bool:
        return self.begin <= at < self.end

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True)
class Refills:
    """Seconds from our knowing of an end to the next submit there, sorted."""

    seconds: list[float]
    never: int
    """Of these, so many had seen no submit when the tasks were read: they count until then."""
    early: int
    """Submits that were accepted where no place was known to be free: there must be none."""


def refills(made: Iterable[Made], limit: int, window: Window, read_at: float) -> Refills:
    """Match what was told within the window with the submits that followed."""
    by_account: defaultdict[str, list[Made]] = defaultdict(list)
    for task in made:
        by_account[task["account"]].append(task)
    seconds: list[float] = []
    never = early = 0
    for tasks in by_account.values():
        free: deque[float] = deque([0.0] * limit)
        for at, is_submit in _moments(tasks):
            if not is_submit:
                free.append(at)
            elif not free:
                early += 1
            elif (since := free.popleft()) in window:
                seconds.append(at - since)
        left = [since for since in free if since in window]
        never += len(left)
        seconds += (read_at - since for since in left)
    return Refills(sorted(seconds), never, early)


def told_within(made: Iterable[Made], window: Window) -> list[Made]:
    return [task for task in made if task["told_at"] is not None and task["told_at"] in window]


def lateness(told: Iterable[Made]) -> list[float]:
    """From a task's end to our knowing, as a share of how long the task took, sorted."""
    return sorted(
        (task["told_at"] - task["ends_at"]) / (task["ends_at"] - task["accepted_at"])
        for task in told
    )


def slot_time_in_use(made: Iterable[Made], slots: int, window: Window) -> float:
    spans = (
        min(task["ends_at"], window.end) - max(task["accepted_at"], window.begin) for task in made
    )
    return sum(span for span in spans if span > 0) / (slots * window.seconds)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Of sorted numbers; of none, not a number, which keeps no promise."""
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _moments(tasks: Iterable[Made]) -> list[tuple[float, bool]]:
    """Ends as they were told (False) and submits (True), in order; an end before a submit."""
    told = ((task["told_at"], False) for task in tasks if task["told_at"] is not None)
    return sorted(chain(told, ((task["accepted_at"], True) for task in tasks)))
