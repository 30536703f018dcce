"""A time zone in which it is noon: no test there meets the end of a day or a month."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

ZONE = ZoneInfo(f"Etc/GMT{datetime.now(UTC).hour - 12:+d}")


def month() -> str:
    return f"{datetime.now(ZONE):%Y-%m}"


def day() -> str:
    return f"{datetime.now(ZONE):%Y-%m-%d}"
