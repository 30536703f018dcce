"""What can be asked about usage: from when to when, of whom, by what. Its words are judged here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.domain.errors import InvalidField
from gateway.domain.usage import GROUPS, HOUR_MS, STATUSES, Entry, Tally, time_group

FILTERS = ("team", "key", "model", "account", "status")
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_YEARS = range(1971, 9001)
_WHAT_A_TIME_IS = "must be a day like 2026-03-01, or a time like 2026-03-01T08:00:00+08:00"


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment up to, and without, another: Unix milliseconds."""

    from_ms: int
    to_ms: int

    def __contains__(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms < self.to_ms

    @property
    def whole_hours(self) -> bool:
        return self.from_ms % HOUR_MS == 0 and self.to_ms % HOUR_MS == 0


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries are meant, and what they are put together by."""

    span: Span
    zone: ZoneInfo
    of: Mapping[str, str]
    """By name of a field (see FILTERS), what it must be."""
    group_by: tuple[str, ...] = ("team",)

    def fits(self, tally: Tally) -> bool:
        return all(getattr(tally, name) == value for name, value in self.of.items())

    def fits_entry(self, entry: Entry) -> bool:
        return all(
            (entry.told_status if name == "status" else getattr(entry, name)) == value
            for name, value in self.of.items()
        )

    def splits(self, hour_ms: int) -> bool:
        """Whether an hour of UTC lies in two of the groups: where offsets are no whole hours."""
        return any(
            time_group(hour_ms, name, self.zone)
            != time_group(hour_ms + HOUR_MS - 1, name, self.zone)
            for name in self.group_by
            if name in ("day", "hour")
        )


def read_query(said: Mapping[str, str | None], default_zone: ZoneInfo, now: datetime) -> Query:
    """What was asked: `from`, `to`, `time_zone`, `group_by` and filters, each a text or nothing.

    Raises:
        InvalidField: naming the field, and what is right.
    """
    zone = read_zone(said.get("time_zone"), default_zone)
    groups = tuple(part.strip() for part in (said.get("group_by") or "team").split(","))
    for name in groups:
        if name not in GROUPS:
            raise InvalidField(f"group_by must be some of {', '.join(GROUPS)}", param="group_by")
    if len(set(groups)) < len(groups):
        raise InvalidField("group_by names something twice", param="group_by")
    of = {name: value for name in FILTERS if (value := said.get(name)) is not None}
    if "status" in of and of["status"] not in STATUSES:
        raise InvalidField(f"status must be one of {', '.join(STATUSES)}", param="status")
    return Query(read_span(said.get("from"), said.get("to"), zone, now), zone, of, groups)


def read_zone(name: str | None, default: ZoneInfo) -> ZoneInfo:
    if name is None:
        return default
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidField(
            "time_zone must be a time zone like Asia/Shanghai or UTC", param="time_zone"
        ) from None


def read_span(start: str | None, end: str | None, zone: ZoneInfo, now: datetime) -> Span:
    """This month where nothing is said; up to the end of today where only `from` is; from the
    beginning of its month where only `to` is."""
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    if start is None and end is None:
        return month_span(f"{today:%Y-%m}", zone)
    to_ms = _ms(today + timedelta(days=1)) if end is None else _read_time("to", end, zone)
    if start is not None:
        from_ms = _read_time("from", start, zone)
    else:
        last = datetime.fromtimestamp((to_ms - 1) / 1000, zone)
        from_ms = month_span(f"{last:%Y-%m}", zone).from_ms
    if from_ms >= to_ms:
        raise InvalidField("from must be before to, which is not itself meant", param="from")
    return Span(from_ms, to_ms)


def require_full_hours(span: Span, zone: ZoneInfo) -> None:
    """Refuse what begins or ends within an hour of a zone: no sums tell of it, and to add up all
    entries in between takes the longer, the more everybody's tasks they are.

    Raises:
        InvalidField: naming `from` or `to`.
    """
    for name, at_ms in (("from", span.from_ms), ("to", span.to_ms)):
        at = datetime.fromtimestamp(at_ms / 1000, zone)
        if (at.minute, at.second, at.microsecond) != (0, 0, 0):
            raise InvalidField(f"{name} must be a day or a full hour here ({zone})", param=name)


def read_month(month: str | None, zone: ZoneInfo, now: datetime) -> str:
    """A month like 2026-03; the last one that is over where none is said."""
    if month is None:
        first = now.astimezone(zone).replace(day=1)
        return f"{first - timedelta(days=1):%Y-%m}"
    if _MONTH.fullmatch(month) is None or int(month[:4]) not in _YEARS:
        raise InvalidField("month must be like 2026-03", param="month")
    return month


def month_span(month: str, zone: ZoneInfo) -> Span:
    first = datetime(int(month[:4]), int(month[5:]), 1, tzinfo=zone)
    return Span(_ms(first), _ms((first + timedelta(days=32)).replace(day=1)))


def _read_time(name: str, text: str, zone: ZoneInfo) -> int:
    """A day begins with its midnight there; a time without an offset is meant there as well."""
    if "T" in text:
        text = text.replace(" ", "+")  # what a + becomes in an address where nobody escaped it
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=zone)
        at_ms = _ms(when.astimezone(UTC))
    except (ValueError, OverflowError):
        raise InvalidField(f"{name} {_WHAT_A_TIME_IS}", param=name) from None
    if when.year not in _YEARS:
        raise InvalidField(f"{name} {_WHAT_A_TIME_IS}", param=name)
    return at_ms


def _ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)
