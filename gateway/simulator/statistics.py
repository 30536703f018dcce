"""Counting: what the figures are made of. Memory stays bounded however long it runs."""

import random
from collections import Counter
from dataclasses import dataclass, field

from gateway.simulator.figures import EndToSeen, Figures, KeyFigures, LooksPerTask

SAMPLE_SIZE = 500


class Sample:
    """Seen times: exact count, mean and maximum, percentiles from an even sample."""

    def __init__(self) -> None:
        self._count = 0
        self._sum = 0.0
        self._max = 0.0
        self._kept: list[float] = []
        self._dice = random.Random(0)  # noqa: S311 - it only chooses which times are kept

    def add(self, seconds: float) -> None:
        self._count += 1
        self._sum += seconds
        self._max = max(self._max, seconds)
        if len(self._kept) < SAMPLE_SIZE:
            self._kept.append(seconds)
        elif (place := self._dice.randrange(self._count)) < SAMPLE_SIZE:
            self._kept[place] = seconds

    def figures(self) -> EndToSeen:
        ordered = sorted(self._kept) or [0.0]
        return EndToSeen(
            count=self._count,
            mean=self._sum / max(self._count, 1),
            p50=ordered[len(ordered) // 2],
            p99=ordered[len(ordered) * 99 // 100],
            max=self._max,
        )


class SlotTime:
    """Task seconds against the seconds that the slots were there.

    The time without any task counts only once another task has come: what lies behind the last
    end says nothing about how well the slots were used.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running = 0
        self._used = 0.0
        self._offered = 0.0
        self._offered_idle = 0.0
        self._since: float | None = None

    def begin(self, now: float) -> None:
        self._pass(now)
        self._offered += self._offered_idle
        self._offered_idle = 0.0
        self._running += 1
        self._since = now

    def end(self, now: float) -> None:
        self._pass(now)
        self._running -= 1

    def change_limit(self, now: float, limit: int) -> None:
        self._pass(now)
        self._limit = limit

    def seconds(self, now: float) -> tuple[float, float]:
        """Used and offered."""
        if self._running:
            self._pass(now)
        return self._used, self._offered

    def _pass(self, now: float) -> None:
        if self._since is None:
            return
        span = now - self._since
        self._since = now
        if self._running:
            self._used += self._running * span
            self._offered += self._limit * span
        else:
            self._offered_idle += self._limit * span


@dataclass
class Tally:
    """The counters of everything, or of one account x model."""

    submits: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    refused_over_limit: int = 0
    in_flight: int = 0
    peak_in_flight: int = 0
    over_limit: int = 0
    duplicates: int = 0
    repeated_request_ids: int = 0
    looks: int = 0
    most_looks: int = 0
    looks_with_foreign_key: int = 0
    looks_after_end: int = 0
    looks_refused: Counter[str] = field(default_factory=Counter)
    succeeded: int = 0
    failed: int = 0
    ended_unseen: int = 0
    end_to_seen: Sample = field(default_factory=Sample)
    nulls_received: int = 0
    unknown_fields_received: int = 0

    def begin(self) -> None:
        self.accepted += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def end(self, failed: bool) -> None:
        self.in_flight -= 1
        self.ended_unseen += 1
        if failed:
            self.failed += 1
        else:
            self.succeeded += 1

    def look(self, looks_at_task: int, foreign: bool, told_before: bool) -> None:
        self.looks += 1
        self.most_looks = max(self.most_looks, looks_at_task)
        self.looks_with_foreign_key += foreign
        self.looks_after_end += told_before

    def told(self, seconds: float) -> None:
        self.ended_unseen -= 1
        self.end_to_seen.add(seconds)

    def key_figures(self) -> KeyFigures:
        return KeyFigures.model_validate(
            {name: value for name, value in vars(self).items() if name in KeyFigures.model_fields}
        )

    def figures(self, limit: int, used: float, offered: float) -> Figures:
        plain = {
            name: value
            for name, value in vars(self).items()
            if isinstance(value, int | Counter) and name in Figures.model_fields
        }
        mean_looks = self.looks / max(self.accepted, 1)
        derived = {
            "limit": limit,
            "looks_per_task": LooksPerTask(mean=mean_looks, max=self.most_looks),
            "end_to_seen_seconds": self.end_to_seen.figures(),
            "slot_time_in_use": used / offered if offered else 0.0,
        }
        return Figures.model_validate(plain | derived)
