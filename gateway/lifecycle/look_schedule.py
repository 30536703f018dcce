"""When to look at a task: where a look is likeliest to find its end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

# Without knowledge, ever more seldom as a task grows older; so as well past the longest expected.
_SHARE_OF_AGE = 0.2
# Towards the longest expected time the gaps shrink to nothing; a tenth of the widest is enough.
_SMALLEST_GAP = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class LookSchedule:
    """Seconds from one look at a task to the next.

    Where a model's shortest and longest time are known, a and b, no look is made before a, and
    between them the gaps are proportional to sqrt(b - age). Of all schedules with so many looks
    that one wastes the least slot time, if ends are evenly spread: the rate at which tasks end
    among those still running is 1 / (b - age), and the best density of looks is its square root.
    Their number is what the factor is chosen by, so a model that takes twice as long costs no
    more looks. `python -m bench.looks` shows looks against wasted time.
    """

    expected_seconds: Mapping[str, tuple[float, float]]
    """By model: the shortest and the longest that a task usually takes."""
    looks_per_task: float
    """To aim at, on average, where the above is known."""
    first_seconds: float
    """From acceptance to the first look, where it is not."""
    longest_seconds: float

    def first(self, model: str) -> float:
        """From acceptance to the first look."""
        expected = self.expected_seconds.get(model)
        if expected is None:
            return self.first_seconds
        return expected[0] + self._gap(expected, expected[0])

    def delay(self, model: str, age_seconds: float) -> float:
        """From a look at a task of this age to the next."""
        expected = self.expected_seconds.get(model)
        if expected is None:
            wanted = max(age_seconds * _SHARE_OF_AGE, self.first_seconds)
        elif age_seconds < expected[0]:
            return self.first(model) - age_seconds
        else:
            late = max(0.0, age_seconds - expected[1])
            wanted = self._gap(expected, age_seconds) + late * _SHARE_OF_AGE
        return min(wanted, self.longest_seconds)

    def _gap(self, expected: tuple[float, float], age_seconds: float) -> float:
        shortest, longest = expected
        left = max(0.0, longest - age_seconds)
        # The factor that makes their number: the mean of their density over the tasks that still
        # run. A quarter, because gaps are whole (counted for 2 to 15 looks a task).
        widest = 2 / 3 * (longest - shortest) / (self.looks_per_task - 0.25)
        gap = widest * math.sqrt(left / (longest - shortest)) if longest > shortest else 0.0
        return max(gap, widest * _SMALLEST_GAP, self.first_seconds * _SMALLEST_GAP)
