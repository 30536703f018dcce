"""The looks at a task of which it is known how long it may take: where they find most.

Let f be how many tasks end per second at an age, and S how many still run, so that h = f / S is the
rate at which those that run end. Looks that are g seconds apart find an end g/2 late on average,
which wastes f g/2 of slot time and costs S/g of looks. The least waste for so many looks is where
both change alike: g is proportional to 1/sqrt(h), the density of looks to sqrt(h).

So between two looks always lies the same amount of sqrt(h), summed up over the ages. That is one
step of a plan. It says by itself when to look first, and that looks are rare where ends are. If
ends are evenly spread up to b, it comes to gaps proportional to sqrt(b - age).

With J the sum of sqrt(f S) over all ages, steps of c cost J/c + 1/2 looks a task (gaps are whole)
and find its end c J/2 seconds late, both on average. `python -m bench.looks` shows one against the
other.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from itertools import pairwise

from gateway.domain.durations import Expectation

# To know an end sooner than this share of the duration is worth no look: where durations are
# nearly the same, fewer looks than the aim find them as exactly as this.
_SOON_ENOUGH = 0.005
# Past the longest known, ever more seldom: at first after a small share of it, then with lateness.
_FIRST_LATE_SHARE, _SHARE_OF_LATENESS = 0.05, 0.5
_SHORTEST_STRETCH_SECONDS = 0.001


class LookPlan:
    """Where the looks at a task of a known kind are."""

    def __init__(
        self,
        expected: Expectation,
        *,
        looks: float,
        smallest_gap: float,
        longest_late_gap: float,
        latest_share: float = math.inf,
    ) -> None:
        """`looks`: to aim at on average; fewer if those find ends soon enough, and more where half
        of the tasks would be known later than by `latest_share` of their duration. In seconds."""
        self._ages = expected.ages
        self._smallest_gap = smallest_gap
        self._longest_late_gap = longest_late_gap
        count = len(self._ages) - 1
        self._running = [1 - i / count for i in range(count + 1)]
        self._q = [
            math.sqrt(max(b - a, _SHORTEST_STRETCH_SECONDS) * count)
            for a, b in pairwise(self._ages)
        ]
        """By stretch, 1/sqrt(f)."""
        self._sums, total = _sums(self._running, self._q)
        self._step = self._step_for(looks, total)
        soon = 2 * _SOON_ENOUGH * expected.seconds / total
        late = 2 * latest_share / self._median_gap_share()
        self._step = max(min(self._step, late), soon)

    def next_age(self, age: float) -> float:
        """Of the next look at a task that runs at this age."""
        longest = self._ages[-1]
        if age >= longest:
            gap = longest * _FIRST_LATE_SHARE + (age - longest) * _SHARE_OF_LATENESS
            return age + max(min(gap, self._longest_late_gap), self._smallest_gap)
        return max(self._age_at(self._sum_at(age) + self._step), age + self._smallest_gap)

    def looks_a_task(self) -> float:
        """How many looks find a task's end, on average."""
        count, age = 0.0, 0.0
        while age < self._ages[-1]:
            count += self._running_at(age)
            age = self.next_age(age)
        return count

    def _step_for(self, looks: float, total: float) -> float:
        """The formula is exact for many looks; for few ones it is mended by counting."""
        self._step = total / (looks - 0.5)
        for _ in range(3):
            self._step *= (self.looks_a_task() - 0.5) / (looks - 0.5)
        return self._step

    def _median_gap_share(self) -> float:
        """Of the duration, between two looks around its end; for steps of 1."""
        stretches = zip(pairwise(self._ages), pairwise(self._running), self._q, strict=True)
        return statistics.median(
            q * math.sqrt((before + after) / 2) / ((a + b) / 2)
            for (a, b), (before, after), q in stretches
        )

    def _running_at(self, age: float) -> float:
        i = self._stretch_of(age)
        if i < 0:
            return 1.0
        since = (age - self._ages[i]) / self._q[i] ** 2
        return max(self._running[i] - since, self._running[i + 1])

    def _sum_at(self, age: float) -> float:
        i = self._stretch_of(age)
        if i < 0:
            return 0.0
        roots = math.sqrt(self._running[i]) - math.sqrt(self._running_at(age))
        return self._sums[i] + 2 * roots * self._q[i]

    def _age_at(self, wanted: float) -> float:
        """The age up to which so much is summed up; the longest known if all of it is less."""
        if wanted >= self._sums[-1]:
            return self._ages[-1]
        i = bisect_right(self._sums, wanted) - 1
        root = math.sqrt(self._running[i]) - (wanted - self._sums[i]) / 2 / self._q[i]
        return self._ages[i] + (self._running[i] - root**2) * self._q[i] ** 2

    def _stretch_of(self, age: float) -> int:
        return min(bisect_right(self._ages, age), len(self._q)) - 1


def _sums(running: list[float], q: list[float]) -> tuple[list[float], float]:
    """From the start to each age, the sum of sqrt(h); and that of sqrt(f S) over all ages."""
    sums, total = [0.0], 0.0
    for (before, after), each in zip(pairwise(running), q, strict=True):
        sums.append(sums[-1] + 2 * (math.sqrt(before) - math.sqrt(after)) * each)
        total += 2 / 3 * (before**1.5 - after**1.5) * each
    return sums, total
