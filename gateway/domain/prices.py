"""The price book: what a video costs its team, by what is asked for, by whom, and from when on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.catalog import ModelSpec
from gateway.domain.video import VideoRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One line of the book. What is None does not matter."""

    model: str
    price_fen: int
    team: str | None = None
    size: str | None = None
    quality: str | None = None
    duration_seconds: int | None = None
    starts: datetime | None = None
    """It counts for what is admitted from then on; None: always did."""

    def covers(self, team: str, request: VideoRequest, when: datetime) -> bool:
        """Whether it is about such a request of that team at that moment."""
        said = (self.team, self.size, self.quality, self.duration_seconds)
        asked = (team, request.size, request.quality, request.duration_seconds)
        return (
            self.model == request.model
            and (self.starts is None or self.starts <= when)
            and all(mine is None or mine == its for mine, its in zip(said, asked, strict=True))
        )

    @property
    def narrowness(self) -> tuple[bool, int, float]:
        """By which the best of several is chosen: one for the team goes before all others, then
        the one that says most about the video, then the latest."""
        of_video = (self.size, self.quality, self.duration_seconds)
        since = self.starts.timestamp() if self.starts else float("-inf")
        return self.team is not None, sum(each is not None for each in of_video), since


class PriceBook:
    """All lines that there are. Where none is about a request, the model's own price holds."""

    def __init__(self, prices: Iterable[Price] = ()) -> None:
        self._prices = tuple(prices)

    def price_fen(self, spec: ModelSpec, team: str, request: VideoRequest, when: datetime) -> int:
        """What this video costs this team now, in fen."""
        lines = [price for price in self._prices if price.covers(team, request, when)]
        if not lines:
            return spec.price_fen
        # Of two that say equally much, the later line: that is the one made last.
        best = max(range(len(lines)), key=lambda i: (lines[i].narrowness, i))
        return lines[best].price_fen
