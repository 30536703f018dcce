"""Reads the ledger: its entries, from the store and from the files behind it, and its sums.

Entries are in one stream a day, in UTC; when a day is over for long enough its stream becomes a
file (ledger_archive.py). Who reads need not know which: the days follow one another, and a day that
is taken out while it is read goes on in its file.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence

from gateway.domain.errors import Conflict
from gateway.domain.usage import HOUR_MS, Entry, Tally, day_of, tallies_of_hour
from gateway.domain.usage_query import Span
from gateway.store.connection import Store
from gateway.store.ledger_files import LedgerFiles, UnreadableLine

PAGE = 1000
_HOURS_AT_ONCE = 48


class Ledger:
    """Fits the port `ReadsLedger`."""

    def __init__(self, store: Store, files: LedgerFiles) -> None:
        self._store = store
        self._files = files

    # Entries ---------------------------------------------------------------------------------

    async def entries(self, span: Span | None = None) -> AsyncGenerator[Entry, None]:
        """Those of a time, of all times unless one is said, in the order of their settlement.

        Raises:
            Conflict: a file of them is not on this machine, or damaged.
        """
        for day in await self._days(span):
            async for page in self._day(day):
                for entry in page:
                    if span is None or entry.at_ms in span:
                        yield entry

    async def require(self, span: Span | None = None) -> None:
        """See that all entries of a time can be read here.

        Raises:
            Conflict: they cannot.
        """
        archived = await self.archives()
        missing = [day for day in await self._days(span) if day in archived]
        missing = [day for day in missing if not self._files.has(day)]
        if missing:
            raise _elsewhere(missing)

    async def stream_pages(
        self, day: str, upto: str = "+"
    ) -> AsyncIterator[list[tuple[str, Mapping[str, str]]]]:
        """What the store has of a day, up to an id, as it has it."""
        name, start = self._store.keys.ledger(day), "-"
        while page := await self._store.answer(
            "read_ledger", self._store.redis.xrange(name, start, upto, count=PAGE)
        ):
            yield page
            start = f"({page[-1][0]}"

    async def archives(self) -> dict[str, str]:
        """By day, what is remembered of its file."""
        redis, keys = self._store.redis, self._store.keys
        read: dict[str, str] = await self._store.answer(
            "read_archives", redis.hgetall(keys.archives)
        )
        return read

    async def _days(self, span: Span | None) -> list[str]:
        """Those that may have entries of a time, in order."""
        redis, keys = self._store.redis, self._store.keys
        # In this order: a day that moves from the one to the other meanwhile is in both.
        kept = await self._store.answer("read_ledger_days", redis.zrange(keys.ledger_days, 0, -1))
        days = sorted({*kept, *await self.archives()})
        if span is None:
            return days
        first, last = day_of(span.from_ms), day_of(span.to_ms - 1)
        return [day for day in days if first <= day <= last]

    async def _day(self, day: str) -> AsyncIterator[list[Entry]]:
        last = (0, 0)
        async for page in self.stream_pages(day):
            last = place_of(page[-1][0])
            yield [Entry.read(day, entry_id, said) for entry_id, said in page]
        redis, keys = self._store.redis, self._store.keys
        if not await self._store.answer("read_archives", redis.hexists(keys.archives, day)):
            return
        try:
            async for entries in self._files.read(day).pages():
                if rest := [entry for entry in entries if place_of(entry.id) > last]:
                    yield rest
        except OSError:
            raise _elsewhere([day]) from None
        except UnreadableLine as error:
            raise Conflict(
                f"{day}.jsonl cannot be read: its line {error.number} is no entry; "
                "gateway usage verify tells more"
            ) from None

    # Sums ------------------------------------------------------------------------------------

    async def hours(self, span: Span) -> list[str] | None:
        """The hours of a time that have sums; None where sums do not tell of all of it, because it
        begins or ends within an hour, or before the first that is kept."""
        redis, keys = self._store.redis, self._store.keys
        read = redis.pipeline(transaction=True)
        read.get(keys.first_usage_hour)
        first, end = span.from_ms // HOUR_MS, span.to_ms // HOUR_MS
        read.zrangebyscore(keys.usage_hours, first, f"({end}")
        first_kept, hours = await self._store.answer("read_usage_hours", read.execute())
        if not span.whole_hours or first < int(first_kept or 0):
            return None
        return list(hours)

    async def hourly(self, hours: Sequence[str]) -> AsyncGenerator[Tally, None]:
        """What the sums of these hours say."""
        for start in range(0, len(hours), _HOURS_AT_ONCE):
            some = hours[start : start + _HOURS_AT_ONCE]
            read = self._store.redis.pipeline(transaction=False)
            for hour in some:
                read.hgetall(self._store.keys.usage(hour))
            for hour, sums in zip(
                some, await self._store.answer("read_usage", read.execute()), strict=True
            ):
                for tally in tallies_of_hour(hour, sums):
                    yield tally

    async def spend(self, periods: Iterable[str]) -> list[dict[str, int]]:
        """For each of these, in one moment, by `<holder>:reserved` and `<holder>:spent`: fen."""
        read = self._store.redis.pipeline(transaction=True)
        for period in periods:
            read.hgetall(self._store.keys.spend(period))
        return [
            {name: int(value) for name, value in sums.items()}
            for sums in await self._store.answer("read_spend", read.execute())
        ]


def place_of(entry_id: str) -> tuple[int, int]:
    """An entry's id, so that it can be compared."""
    ms, _, number = entry_id.partition("-")
    return int(ms), int(number)


def _elsewhere(days: Sequence[str]) -> Conflict:
    others = f" (and {len(days) - 1} other days)" if len(days) > 1 else ""
    return Conflict(
        f"the entries of {days[0]}{others} are in files, which are not in GATEWAY_LEDGER_DIR of "
        "this machine: ask where they are, or for a later time"
    )
