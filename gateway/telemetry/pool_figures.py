"""What is true of the pool, read from the store at a scrape."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gateway.domain.capacity import Capacity
from gateway.domain.charge import Budget, Spending, of_team
from gateway.domain.errors import StoreUnavailable
from gateway.domain.ports import ReadsCapacity, ReadsSpending
from gateway.domain.team import Team

# The check reads every record that holds a slot.
_VERIFY_EVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFigures:
    """The pool at one moment."""

    at: float
    """Unix seconds."""
    capacity: Capacity
    spending: Mapping[str, tuple[Spending, ...]]
    """By team: of this day, of this month and in all."""
    budgets: Mapping[str, Budget]
    drift: int
    """Differences between slots and records."""
    queue_limit: int


class PoolReader:
    """Reads anew for whoever asks, one after the other."""

    def __init__(
        self,
        capacity: ReadsCapacity,
        spending: ReadsSpending,
        teams: Callable[[], Mapping[str, Team]],
        verify: Callable[[], Awaitable[list[str]]],
        queue_limit: int,
    ) -> None:
        """`verify` tells the differences between slots and records, as sentences."""
        self._capacity = capacity
        self._spending = spending
        self._teams = teams
        self._verify = verify
        self._queue_limit = queue_limit
        self._reading = asyncio.Lock()
        self._verified_at = float("-inf")
        self._drift = 0

    async def read(self) -> PoolFigures | None:
        """How it stands now; None while the store is away."""
        async with self._reading:
            try:
                return await self._read()
            except StoreUnavailable:
                return None

    async def _read(self) -> PoolFigures:
        capacity, teams = await self._capacity.read(), dict(self._teams())
        by_holder = await self._spending.spending_of([of_team(name) for name in teams])
        if time.monotonic() - self._verified_at > _VERIFY_EVERY_SECONDS:
            self._drift = len(await self._verify())
            self._verified_at = time.monotonic()
        return PoolFigures(
            at=time.time(),
            capacity=capacity,
            spending={name: by_holder[of_team(name)] for name in teams},
            budgets={name: team.permit.budget for name, team in teams.items()},
            drift=self._drift,
            queue_limit=self._queue_limit,
        )
