"""What a task costs, whom, and what they may spend: whole fen, in days and months of one zone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

ALL = "all"
"""The period that never ends."""
ALERT_SHARE = 0.8
"""Of a budget: from here on it is told that it runs out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What may be spent in a day, in a month and in all, in whole fen; None: whatever it is.

    What is reserved for tasks that have not ended counts like what is spent.
    """

    day_fen: int | None = None
    month_fen: int | None = None
    total_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Periods:
    """A day, like 2026-03-01, and its month, like 2026-03; and the Unix ms when each is over."""

    day: str
    day_ends_ms: int
    month: str
    month_ends_ms: int

    @classmethod
    def at(cls, when: datetime, zone: tzinfo) -> Periods:
        """Those that a moment lies in, by the calendar of a zone."""
        local = when.astimezone(zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        # By the wall: a day on which clocks are changed has 23 or 25 hours.
        next_day = midnight + timedelta(days=1)
        next_month = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
        return cls(
            f"{midnight:%Y-%m-%d}", _unix_ms(next_day), f"{midnight:%Y-%m}", _unix_ms(next_month)
        )

    def bounds(self, holder: str, budget: Budget) -> Iterable[Bound]:
        """What of a budget bounds a task of these periods."""
        parts = (
            (self.day, budget.day_fen),
            (self.month, budget.month_fen),
            (ALL, budget.total_fen),
        )
        return (Bound(holder, period, fen) for period, fen in parts if fen is not None)


@dataclass(frozen=True, slots=True)
class Bound:
    """At most so much may be reserved and spent by a holder in a period."""

    holder: str
    """`team:<name>` or `key:<id>`."""
    period: str
    cap_fen: int


@dataclass(frozen=True, slots=True)
class Spending:
    """What is taken by a holder in a period, in whole fen."""

    period: str
    reserved_fen: int = 0
    """By tasks that have not ended."""
    spent_fen: int = 0

    @property
    def taken_fen(self) -> int:
        return self.reserved_fen + self.spent_fen

    def runs_out(self, cap_fen: int) -> bool:
        """Whether so much of a budget is taken that it should be told; as in money.lua."""
        return self.taken_fen >= ALERT_SHARE * cap_fen


@dataclass(frozen=True, slots=True)
class Rate:
    """So many submits a minute by a holder, all at once or evenly."""

    holder: str
    per_minute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """The money side of an admission. The price is frozen with it."""

    price_fen: int
    key_id: str = ""
    """The caller's key; empty where there is none to charge."""
    periods: Periods | None = None
    """Those that it is charged to; None: nothing is reserved."""
    bounds: tuple[Bound, ...] = ()
    rates: tuple[Rate, ...] = ()
    queue_tasks: int | None = None
    """So many tasks of the team may wait, where that is less than of any team."""


def of_team(name: str) -> str:
    """The holder that a team is."""
    return f"team:{name}"


def of_key(key_id: str) -> str:
    """The holder that a key is."""
    return f"key:{key_id}"


def _unix_ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)
