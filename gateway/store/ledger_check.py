"""Recomputes every sum from the ledger, and tells what differs; also while everything runs.

All sums that decide something are read in one moment, with the id of each day's last entry then.
The ledger only grows, so its entries up to those ids are exactly what the sums were made of. The
sums of an hour are read day by day in the same way, to hold the store up for no longer than a
moment.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.domain.charge import ALL
from gateway.domain.recomputing import (
    KeptSums,
    Recomputed,
    add,
    count,
    count_hour,
    hour_differences,
    spend_differences,
)
from gateway.domain.usage import HOUR_MS, Entry, day_ms, hour_of
from gateway.store.connection import Store
from gateway.store.ledger import Ledger, place_of
from gateway.store.ledger_files import LedgerFiles, UnreadableLine

_TRIES = 5
_RECORDS_AT_ONCE = 1000
_MONEY = ("team", "key_id", "price_fen", "periods")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. Without differences all is well, as far as it could be checked."""

    differences: list[str]
    unchecked: list[str]
    """What cannot be checked on this machine, and why."""
    entries: int
    days: int


class _Changed(Exception):
    """A day began or was archived, or sums were dropped, while all was read: look again."""


class LedgerCheck:
    """One check; see the head of this module."""

    def __init__(self, store: Store, files: LedgerFiles) -> None:
        self._store = store
        self._files = files
        self._ledger = Ledger(store, files)

    async def run(self) -> Verdict:
        """Check all that can be checked.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        for _ in range(_TRIES):
            try:
                return await self._run()
            except _Changed:
                continue
        # Nothing was checked, so this must not look like books that agree.
        why = "nothing could be checked: the ledger changed its form while it was read; try again"
        return Verdict([why], [], 0, 0)

    async def _run(self) -> Verdict:
        sums, found = await self._sums(), Recomputed()
        differences: list[str] = []
        unchecked: list[str] = []
        elsewhere = {day for day in sums.archives if not self._files.has(day)}
        homeless = await self._reserve(sums, found)
        for day in sorted({*sums.archives, *sums.last}):
            found.tasks_before, found.tasks = found.tasks, set()
            if day in elsewhere and elsewhere < sums.archives.keys():
                differences.append(
                    f"{day}.jsonl is missing: other days are in GATEWAY_LEDGER_DIR of this machine"
                )
            elif day in elsewhere:
                unchecked.append(
                    f"{day} cannot be checked here: its file is not in GATEWAY_LEDGER_DIR of this "
                    "machine"
                )
            elif day in sums.archives:
                differences += await self._check_file(day, sums, found)
            else:
                differences += await self._check_stream(day, sums, found, homeless)
        if (await self._form()) != sums.form:
            raise _Changed
        differences += [f"{task} is under way and has no record" for task in sorted(homeless)]
        days = {*sums.archives, *sums.last}
        differences += [
            f"usage:{hour} has sums, and there is no ledger of that day"
            for hour in sums.hours
            if hour[:10] not in days
        ]
        differences += spend_differences(sums, found, files_whole=not elsewhere)
        return Verdict(differences, unchecked, found.entries, len(days - elsewhere))

    # Reading ---------------------------------------------------------------------------------

    async def _form(self) -> tuple[int, list[str]]:
        """Which days and hours there are in the store."""
        read = self._store.redis.pipeline(transaction=True)
        read.get(self._store.keys.first_usage_hour)
        read.zrange(self._store.keys.ledger_days, 0, -1)
        first_hour, days = await self._store.answer("read_ledger_form", read.execute())
        return int(first_hour or 0), days

    async def _sums(self) -> KeptSums:
        redis, keys = self._store.redis, self._store.keys
        asked: tuple[list[str], list[str]] = ([], [])
        while True:
            days, periods = asked
            read = redis.pipeline(transaction=True)
            for zset in (keys.ledger_days, keys.periods, keys.usage_hours):
                read.zrange(zset, 0, -1)
            read.get(keys.first_usage_hour)
            read.hgetall(keys.archives)
            for zset in (keys.deadlines, keys.leases, keys.due):
                read.zrange(zset, 0, -1)
            for day in days:
                read.xrevrange(keys.ledger(day), count=1)
            for name in (keys.spend, keys.archived):
                for period in (*periods, ALL):
                    read.hgetall(name(period))
            answers = iter(await self._store.answer("read_sums", read.execute()))
            asked = (next(answers), next(answers))
            if asked != (days, periods):
                continue  # they are other days and periods than were asked about
            hours, first_hour, archives = next(answers), next(answers), next(answers)
            live = {task for _ in range(3) for task in next(answers)}
            newest = {day: next(answers) for day in days}
            spend, archived = (
                {period: _numbers(next(answers)) for period in (*periods, ALL)} for _ in range(2)
            )
            return KeptSums(
                first_hour=int(first_hour or 0),
                hours=hours,
                last={day: last[0][0] if last else "0-0" for day, last in newest.items()},
                archives={day: json.loads(file) for day, file in archives.items()},
                spend=spend,
                archived=archived,
                live=live,
            )

    async def _reserve(self, sums: KeptSums, found: Recomputed) -> set[str]:
        """Add up what live tasks reserve, which never changes; return those without a record: they
        have ended since, and been forgotten, so their entries say it."""
        homeless, live = set(), sorted(sums.live)
        for start in range(0, len(live), _RECORDS_AT_ONCE):
            some = live[start : start + _RECORDS_AT_ONCE]
            read = self._store.redis.pipeline(transaction=False)
            for task in some:
                read.hmget(self._store.keys.task(task), _MONEY)
            for task, record in zip(
                some, await self._store.answer("read_reserved", read.execute()), strict=True
            ):
                team, key, price_fen, periods = record
                if price_fen is None:
                    homeless.add(task)
                    continue
                holders = [f"team:{team}", *([f"key:{key}"] if key else [])]
                add(found.reserved, (periods or "").split(), holders, int(price_fen))
        return homeless

    # Checking --------------------------------------------------------------------------------

    async def _check_stream(
        self, day: str, sums: KeptSums, found: Recomputed, homeless: set[str]
    ) -> list[str]:
        """A day that is in the store."""
        last, hours = await self._hours(day)
        upto = place_of(sums.last[day])
        recomputed: dict[str, Counter[str]] = {}
        differences: list[str] = []
        async for page in self._ledger.stream_pages(day, last):
            for entry_id, said in page:
                try:
                    entry = Entry.read(day, entry_id, said)
                except (KeyError, ValueError):
                    differences.append(f"{day}: {entry_id} is no entry")
                    continue
                count_hour(recomputed, entry)
                if place_of(entry_id) <= upto:
                    differences += count(entry, sums, found)
                    if entry.charged_fen:
                        add(found.spent, entry.periods, entry.holders, entry.charged_fen)
                elif entry.task in homeless:
                    homeless.discard(entry.task)
                    add(found.reserved, entry.periods, entry.holders, entry.price_fen)
        differences += hour_differences(hours, recomputed, sums.first_hour)
        return differences

    async def _check_file(self, day: str, sums: KeptSums, found: Recomputed) -> list[str]:
        """A day that is a file."""
        _, hours = await self._hours(day)
        recomputed: dict[str, Counter[str]] = {}
        differences: list[str] = []
        file = self._files.read(day)
        try:
            async for page in file.pages():
                for entry in page:
                    count_hour(recomputed, entry)
                    differences += count(entry, sums, found)
                    if entry.charged_fen:
                        add(found.archived, entry.periods, entry.holders, entry.charged_fen)
        except UnreadableLine as error:
            return [*differences, f"{day}.jsonl: its line {error.number} is no entry"]
        except OSError as error:
            return [*differences, f"{day}.jsonl cannot be read: {error.strerror}"]
        said = sums.archives[day]
        for what, expected, is_there in (
            ("SHA-256", said["sha256"], file.sha256),
            ("number of entries", said["entries"], file.entries),
            ("sum of fen charged", said["fen"], file.fen),
        ):
            if expected != is_there:
                differences.append(f"{day}.jsonl: the {what} was {expected} and is {is_there}")
        return [*differences, *hour_differences(hours, recomputed, sums.first_hour)]

    async def _hours(self, day: str) -> tuple[str, dict[str, dict[str, int]]]:
        """The last entry of a day and the sums of its hours, in one moment."""
        redis, keys = self._store.redis, self._store.keys
        names = [hour_of(day_ms(day) + number * HOUR_MS) for number in range(24)]
        read = redis.pipeline(transaction=True)
        read.xrevrange(keys.ledger(day), count=1)
        for hour in names:
            read.hgetall(keys.usage(hour))
        newest, *hashes = await self._store.answer("read_usage", read.execute())
        hours = {hour: _numbers(sums) for hour, sums in zip(names, hashes, strict=True)}
        return newest[0][0] if newest else "0-0", hours


def _numbers(hashed: Mapping[str, str]) -> dict[str, int]:
    return {name: int(value) for name, value in hashed.items()}
