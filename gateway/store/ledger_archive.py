"""Turns the ledger's older days into files, and drops sums whose time is over.

Any number of processes may do it at once. Of those that share a folder one writes at a time; of
those that each have their own, one is the first to take the day out of the store.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing

from gateway.domain.ports import Kept
from gateway.domain.usage import DAY_MS, Entry, day_ms, day_of
from gateway.store.connection import Store
from gateway.store.ledger import Ledger
from gateway.store.ledger_files import LedgerFiles, NewDay

_MOST_DROPPED = 500


class LedgerArchive:
    """Fits the port `KeepsLedger`."""

    def __init__(
        self,
        store: Store,
        files: LedgerFiles,
        *,
        ledger_seconds: float,
        usage_seconds: float,
        now_ms: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        """`now_ms` is the store's own clock unless another is given."""
        self._store = store
        self._files = files
        self._ledger = Ledger(store, files)
        self._ledger_ms = round(ledger_seconds * 1000)
        self._usage_ms = round(usage_seconds * 1000)
        self._now_ms = now_ms or self._store_clock

    async def keep(self) -> Kept:
        """Make files of the days that are over for long enough, the oldest first, then drop sums.

        A day whose file cannot be written stays in the store, and so do those after it.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        now = await self._now_ms()
        archived: list[str] = []
        failure = None
        try:
            for day in await self._overdue(now):
                if await self._archive(day):
                    archived.append(day)
        except OSError as error:
            failure = f"{error.strerror or error}"
        await self._store.run("drop_sums", now, self._ledger_ms, self._usage_ms, _MOST_DROPPED)
        return Kept(tuple(archived), failure)

    async def _overdue(self, now: int) -> list[str]:
        redis, keys = self._store.redis, self._store.keys
        days = await self._store.answer("read_ledger_days", redis.zrange(keys.ledger_days, 0, -1))
        return [day for day in days if day_ms(day) + DAY_MS + self._ledger_ms <= now]

    async def _archive(self, day: str) -> bool:
        """Whether this process took the day out of the store."""
        with self._files.locked() as ours:
            if not ours:
                return False
            with closing(await asyncio.to_thread(self._files.create, day)) as new:
                return await self._write(day, new)

    async def _write(self, day: str, new: NewDay) -> bool:
        sums: Counter[tuple[str, str]] = Counter()
        entries, fen, last = 0, 0, ""
        async for page in self._ledger.stream_pages(day):
            await asyncio.to_thread(new.write, page)
            for entry_id, said in page:
                entry = Entry.read(day, entry_id, said)
                fen += entry.charged_fen
                for period in entry.periods if entry.charged_fen else ():
                    sums.update({(period, holder): entry.charged_fen for holder in entry.holders})
            entries, last = entries + len(page), page[-1][0]
        if not await self._still_whole(day, entries):
            return False  # another process has taken it out meanwhile
        await asyncio.to_thread(new.keep)
        word = await self._store.run(
            "archive_day",
            day,
            day_of(day_ms(day) + DAY_MS),
            entries,
            last,
            json.dumps({"sha256": new.sha256, "entries": entries, "fen": fen}, sort_keys=True),
            *(part for (period, holder), fen in sums.items() for part in (period, holder, fen)),
        )
        if word == "changed" or (word == "gone" and await self._sha256(day) != new.sha256):
            await asyncio.to_thread(new.withdraw)
        return bool(word == "archived")

    async def _still_whole(self, day: str, entries: int) -> bool:
        redis, keys = self._store.redis, self._store.keys
        length = await self._store.answer("count_ledger", redis.xlen(keys.ledger(day)))
        return bool(length == entries > 0)

    async def _sha256(self, day: str) -> str:
        archives = await self._ledger.archives()
        return str(json.loads(archives[day])["sha256"])

    async def _store_clock(self) -> int:
        seconds, microseconds = await self._store.answer("read_time", self._store.redis.time())
        return int(seconds) * 1000 + int(microseconds) // 1000
