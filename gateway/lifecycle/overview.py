"""How the whole stands, for people: slots, queue, what was made and spent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gateway.domain.capacity import Capacity
from gateway.domain.charge import of_team
from gateway.domain.ports import Directory, Durations, ReadsCapacity, ReadsSpending, Tasks
from gateway.domain.usage import HOUR_MS, Sums
from gateway.domain.usage_query import Query, Span
from gateway.lifecycle.usage_reports import UsageReports

_HOURS = 24
_MOST_ESTIMATES = 20
"""So many teams are told how long a new task of theirs would wait: those with most that waits."""
_SUMS_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamQueue:
    """What of a team waits."""

    team: str
    tasks: int
    since_ms: int
    expected_wait_seconds: int | None
    """Of one that would be handed in now; None where nobody can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was settled since midnight, and in each of the last hours, the oldest first."""

    from_ms: int
    today: Mapping[str, Sums] = field(default_factory=dict)
    """By team."""
    hours: tuple[tuple[int, Sums], ...] = ()
    """Begin in Unix milliseconds."""
    reserved_fen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    at_ms: int
    capacity: Capacity
    queue: tuple[TeamQueue, ...]
    made: Made


class Overviews:
    """Reads it. What changes slowly is read less often."""

    def __init__(
        self,
        capacity: ReadsCapacity,
        usage: UsageReports,
        spending: ReadsSpending,
        tasks: Tasks,
        durations: Durations,
        directory: Directory,
    ) -> None:
        self._capacity = capacity
        self._usage = usage
        self._spending = spending
        self._tasks = tasks
        self._durations = durations
        self._directory = directory
        self._made: Made | None = None
        self._made_at = float("-inf")

    async def read(self) -> Overview:
        """How it stands now.

        Raises:
            StoreUnavailable: nobody knows.
        """
        capacity = await self._capacity.read()
        queue = await self._queue(capacity)
        if self._made is None or time.monotonic() - self._made_at > _SUMS_EVERY_SECONDS:
            self._made = await self._read_made()
            self._made_at = time.monotonic()
        return Overview(
            at_ms=round(time.time() * 1000), capacity=capacity, queue=queue, made=self._made
        )

    async def _queue(self, capacity: Capacity) -> tuple[TeamQueue, ...]:
        by_team: dict[str, list[tuple[str, int, int]]] = {}
        for (kind, team), waiting in capacity.queues.items():
            by_team.setdefault(team, []).append((kind, waiting.tasks, waiting.since_ms))
        told: list[TeamQueue] = []
        counts = {team: sum(tasks for _, tasks, _ in parts) for team, parts in by_team.items()}
        for team in sorted(by_team, key=lambda team: (-counts[team], team)):
            parts = by_team[team]
            expected = None
            if len(told) < _MOST_ESTIMATES:
                expected = await self._expected(team, max(parts, key=lambda part: part[1])[0])
            told.append(
                TeamQueue(
                    team=team,
                    tasks=counts[team],
                    since_ms=min(since_ms for _, _, since_ms in parts),
                    expected_wait_seconds=expected,
                )
            )
        return tuple(told)

    async def _expected(self, team: str, kind: str) -> int | None:
        """How long a new task of the class of which most waits would wait."""
        limits = await self._tasks.team_limits(team, (kind,))
        model = kind.rpartition("@")[0]
        return limits.classes[0].place.starts_in_seconds(self._durations.seconds_of(model))

    async def _read_made(self) -> Made:
        zone, now = self._usage.zone, datetime.now(UTC)
        midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        from_ms = round(midnight.timestamp() * 1000)
        now_ms = round(now.timestamp() * 1000)
        first_ms = (now_ms // HOUR_MS - _HOURS + 1) * HOUR_MS
        to_ms = first_ms + _HOURS * HOUR_MS
        today = await self._sums(Span(from_ms, to_ms), zone, ("team",))
        hourly = {
            round(datetime.fromisoformat(hour).timestamp() * 1000): sums
            for (hour,), sums in await self._sums(Span(first_ms, to_ms), zone, ("hour",))
        }
        spending = await self._spending.spending_of([of_team(t) for t in self._directory.teams])
        starts = range(first_ms, to_ms, HOUR_MS)
        return Made(
            from_ms=from_ms,
            today={team: sums for (team,), sums in today},
            hours=tuple((start, hourly.get(start, Sums())) for start in starts),
            reserved_fen=sum(each[-1].reserved_fen for each in spending.values()),
        )

    async def _sums(
        self, span: Span, zone: ZoneInfo, group_by: tuple[str, ...]
    ) -> list[tuple[tuple[str, ...], Sums]]:
        return await self._usage.sums(Query(span, zone, {}, group_by))
