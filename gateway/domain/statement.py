"""A team's bill of a month, from the entries of the ledger. Whole fen."""

from __future__ import annotations

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from gateway.domain.task import Outcome
from gateway.domain.usage import Entry
from gateway.domain.usage_query import Span, month_span


@dataclass(slots=True, kw_only=True)
class Line:
    """Videos of one kind at one price."""

    model: str
    size: str
    quality: str
    seconds: str
    """These three are `-` where the request did not say it."""
    unit_price_fen: int
    count: int = 0

    @property
    def amount_fen(self) -> int:
        return self.unit_price_fen * self.count


_Kind = tuple[str, str, int]


@dataclass(slots=True)
class Statement:
    """What a team pays for a month, and what it does not pay.

    A task counts in the month of its settlement, by the calendar of `zone`; a budget had counted it
    in the month of its admission. What has ended stays as it is, so a month that is over has the
    same bill for ever.
    """

    team: str
    month: str
    zone: ZoneInfo
    failed: int = 0
    cancelled: int = 0
    _charged: dict[_Kind, Line] = field(default_factory=dict)
    _unknown: dict[_Kind, Line] = field(default_factory=dict)

    @property
    def span(self) -> Span:
        return month_span(self.month, self.zone)

    @property
    def lines(self) -> list[Line]:
        return [self._charged[kind] for kind in sorted(self._charged)]

    @property
    def unknown(self) -> list[Line]:
        """What may have been made and nobody saw; not billed."""
        return [self._unknown[kind] for kind in sorted(self._unknown)]

    @property
    def videos(self) -> int:
        return sum(line.count for line in self._charged.values())

    @property
    def total_fen(self) -> int:
        return sum(line.amount_fen for line in self._charged.values())

    def add(self, entry: Entry) -> None:
        """Count one of the team's entries of the month."""
        if entry.outcome is Outcome.FREE:
            if entry.status == "cancelled":
                self.cancelled += 1
            else:
                self.failed += 1
            return
        lines = self._charged if entry.outcome is Outcome.CHARGED else self._unknown
        kind = (entry.model, entry.form, entry.price_fen)
        if kind not in lines:
            size, quality, seconds = entry.kind
            lines[kind] = Line(
                model=entry.model,
                size=size,
                quality=quality,
                seconds=seconds,
                unit_price_fen=entry.price_fen,
            )
        lines[kind].count += 1
