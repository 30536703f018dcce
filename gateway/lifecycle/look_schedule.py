"""When to look at a task: where a look is likeliest to find its end, and oftener when it pays."""

from __future__ import annotations

from gateway.domain.durations import Expectation, Variant
from gateway.domain.ports import Durations
from gateway.lifecycle.look_plan import LookPlan

# Where nothing is known, ever more seldom as a task grows older.
_SHARE_OF_AGE = 0.2
# No two looks at a task are closer than this share of the first wait.
_SMALLEST_GAP = 0.1
# A caller may wait for the end even where no work waits for the slot: half of the ends are known
# within a tenth of the duration.
_LATEST_SHARE = 0.1


class LookSchedule:
    """Seconds from one look at a task to the next, by what is known of such tasks.

    A slot that comes free is worth something if work waits for it: then the aim is
    `looks_per_task`, else `idle_looks_per_task`. Where nothing is known one schedule does for both.
    """

    def __init__(
        self,
        durations: Durations,
        *,
        looks_per_task: float,
        idle_looks_per_task: float,
        first_seconds: float,
        longest_seconds: float,
    ) -> None:
        """`first_seconds` is from acceptance to the first look, where nothing is known;
        `longest_seconds` bounds the gaps there, and past the longest duration known."""
        self._durations = durations
        self._looks_per_task = looks_per_task
        self._idle_looks_per_task = min(idle_looks_per_task, looks_per_task)
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        # Made anew only when what is known has changed, which shows by its being another object.
        self._plans: dict[Variant, tuple[Expectation, LookPlan, LookPlan]] = {}

    def first(self, variant: Variant) -> float:
        """From acceptance to the first look."""
        return self.delay(variant, 0.0, work_waits=True)

    def delay(self, variant: Variant, age_seconds: float, *, work_waits: bool) -> float:
        """From a look at a task of this age to the next."""
        expected = self._durations.of(variant)
        if expected.guessed:
            wanted = max(age_seconds * _SHARE_OF_AGE, self._first_seconds)
            return min(wanted, self._longest_seconds)
        busy, idle = self._plans_for(variant, expected)
        return (busy if work_waits else idle).next_age(age_seconds) - age_seconds

    def _plans_for(self, variant: Variant, expected: Expectation) -> tuple[LookPlan, LookPlan]:
        made = self._plans.get(variant)
        if made is None or made[0] is not expected:
            smallest = self._first_seconds * _SMALLEST_GAP
            bounds = {"smallest_gap": smallest, "longest_late_gap": self._longest_seconds}
            busy = LookPlan(expected, looks=self._looks_per_task, **bounds)
            idle = LookPlan(
                expected, looks=self._idle_looks_per_task, latest_share=_LATEST_SHARE, **bounds
            )
            if idle.looks_a_task() > busy.looks_a_task():
                idle = busy
            made = self._plans[variant] = (expected, busy, idle)
        return made[1], made[2]
