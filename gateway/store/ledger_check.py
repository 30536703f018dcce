"""Recomputes every sum from the ledger, and tells what differs; also while everything runs.

All sums that decide something are read in one moment, with the id of each day's last entry then.
The ledger only grows, so its entries up to those ids are exactly what the sums were made of. The
sums of an hour are read day by day in the same way, to hold the store up for no longer than a
moment.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.domain.charge import ALL
from gateway.domain.usage import HOUR_MS, NOBODY, Entry, Outcome, day_ms, hour_of
from gateway.store.connection import Store
from gateway.store.ledger import Ledger, hour_number, place_of
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


@dataclass(slots=True)
class _Sums:
    """What the store said in one moment."""

    first_hour: int
    hours: list[str]
    last: dict[str, str]
    """By day that is in the store, the id of its last entry."""
    archives: dict[str, dict[str, Any]]
    spend: dict[str, dict[str, int]]
    """By period, by `<holder>:reserved` and `<holder>:spent`."""
    archived: dict[str, dict[str, int]]
    live: set[str]
    """Tasks that have not ended."""

    @property
    def form(self) -> tuple[int, list[str]]:
        return self.first_hour, list(self.last)


@dataclass(slots=True)
class _Recomputed:
    """What the entries come to."""

    spent: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By period and holder, of the entries in the store."""
    archived: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The same of the files."""
    reserved: Counter[tuple[str, str]] = field(default_factory=Counter)
    entries: int = 0
    tasks: set[str] = field(default_factory=set)
    """Of the day that is being read, and of the one before it."""
    tasks_before: set[str] = field(default_factory=set)


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
        why = "the ledger changed its form while it was read; try again"
        return Verdict([], [why], 0, 0)

    async def _run(self) -> Verdict:
        sums, found = await self._sums(), _Recomputed()
        differences: list[str] = []
        unchecked: list[str] = []
        homeless = await self._reserve(sums, found)
        for day in sorted({*sums.archives, *sums.last}):
            found.tasks_before, found.tasks = found.tasks, set()
            if day in sums.archives and not self._files.has(day):
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
        differences += _spend_differences(sums, found, files_whole=not unchecked)
        return Verdict(differences, unchecked, found.entries, len(days) - len(unchecked))

    # Reading ---------------------------------------------------------------------------------

    async def _form(self) -> tuple[int, list[str]]:
        """Which days and hours there are in the store."""
        read = self._store.redis.pipeline(transaction=True)
        read.get(self._store.keys.first_usage_hour)
        read.zrange(self._store.keys.ledger_days, 0, -1)
        first_hour, days = await self._store.answer("read_ledger_form", read.execute())
        return int(first_hour or 0), days

    async def _sums(self) -> _Sums:
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
            return _Sums(
                first_hour=int(first_hour or 0),
                hours=hours,
                last={day: last[0][0] if last else "0-0" for day, last in newest.items()},
                archives={day: json.loads(file) for day, file in archives.items()},
                spend=spend,
                archived=archived,
                live=live,
            )

    async def _reserve(self, sums: _Sums, found: _Recomputed) -> set[str]:
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
                _add(found.reserved, (periods or "").split(), holders, int(price_fen))
        return homeless

    # Checking --------------------------------------------------------------------------------

    async def _check_stream(
        self, day: str, sums: _Sums, found: _Recomputed, homeless: set[str]
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
                _count_hour(recomputed, entry)
                if place_of(entry_id) <= upto:
                    differences += _count(entry, sums, found)
                    if entry.charged_fen:
                        _add(found.spent, entry.periods, entry.holders, entry.charged_fen)
                elif entry.task in homeless:
                    homeless.discard(entry.task)
                    _add(found.reserved, entry.periods, entry.holders, entry.price_fen)
        differences += _hour_differences(hours, recomputed, sums.first_hour)
        return differences

    async def _check_file(self, day: str, sums: _Sums, found: _Recomputed) -> list[str]:
        """A day that is a file."""
        _, hours = await self._hours(day)
        recomputed: dict[str, Counter[str]] = {}
        differences: list[str] = []
        file = self._files.read(day)
        try:
            async for page in file.pages():
                for entry in page:
                    _count_hour(recomputed, entry)
                    differences += _count(entry, sums, found)
                    if entry.charged_fen:
                        _add(found.archived, entry.periods, entry.holders, entry.charged_fen)
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
        return [*differences, *_hour_differences(hours, recomputed, sums.first_hour)]

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


def _count(entry: Entry, sums: _Sums, found: _Recomputed) -> Iterator[str]:
    """One entry of the moment, which must be its task's only one, and its end."""
    found.entries += 1
    if entry.task in found.tasks or entry.task in found.tasks_before:
        yield f"{entry.task} has more than one entry, the last of them in {entry.day}: {entry.id}"
    found.tasks.add(entry.task)
    if entry.task in sums.live:
        yield f"{entry.task} has an entry, {entry.id} in {entry.day}, and has not ended"


def _count_hour(hours: dict[str, Counter[str]], entry: Entry) -> None:
    """As write_ledger in money.lua counts it."""
    of = " ".join(
        (
            *(entry.team, entry.key or NOBODY, entry.model, entry.account or NOBODY),
            *(entry.status, entry.outcome),
        )
    )
    sums = hours.setdefault(hour_of(entry.at_ms), Counter())
    sums[f"{of} n"] += 1
    if entry.outcome is Outcome.CHARGED:
        sums[f"{of} fen"] += entry.price_fen
        sums[f"{of} cost"] += entry.cost_fen or 0


_WORDS = {"n": "tasks", "fen": "fen charged", "cost": "fen of cost"}


def _hour_differences(
    said: Mapping[str, Mapping[str, int]], recomputed: Mapping[str, Mapping[str, int]], first: int
) -> Iterator[str]:
    for hour in sorted({*said, *recomputed}):
        if hour_number(hour) < first:
            continue
        sums, must = said.get(hour, {}), recomputed.get(hour, {})
        for name in sorted({*sums, *must}):
            if sums.get(name, 0) != must.get(name, 0):
                of, _, what = name.rpartition(" ")
                yield (
                    f"usage:{hour} says {sums.get(name, 0)} {_WORDS.get(what, what)} of {of}, "
                    f"the ledger {must.get(name, 0)}"
                )


def _spend_differences(sums: _Sums, found: _Recomputed, *, files_whole: bool) -> Iterator[str]:
    """Of each period that there still is."""
    for period, spend in sums.spend.items():
        archived = sums.archived[period]
        spent = Counter(archived)
        spent.update({holder: n for (p, holder), n in found.spent.items() if p == period})
        reserved = {holder: n for (p, holder), n in found.reserved.items() if p == period}
        for what, must in (("spent", spent), ("reserved", reserved)):
            said = _of(spend, what)
            for holder in sorted({*said, *must}):
                if said.get(holder, 0) != must.get(holder, 0):
                    yield (
                        f"spend:{period} says {said.get(holder, 0)} fen {what} by {holder}, "
                        f"the {'ledger' if what == 'spent' else 'tasks under way'} "
                        f"{must.get(holder, 0)}"
                    )
        # Without any, it may be a period that was dropped, and came again with a clock set back.
        filed = {holder: n for (p, holder), n in found.archived.items() if p == period}
        for holder in sorted({*archived, *filed}) if files_whole and archived else ():
            if archived.get(holder, 0) != filed.get(holder, 0):
                yield (
                    f"archived:{period} says {archived.get(holder, 0)} fen spent by {holder}, "
                    f"the files {filed.get(holder, 0)}"
                )


def _of(spend: Mapping[str, int], what: str) -> dict[str, int]:
    end = f":{what}"
    return {name.removesuffix(end): n for name, n in spend.items() if name.endswith(end)}


def _add(
    sums: Counter[tuple[str, str]], periods: list[str] | tuple[str, ...], holders: Any, fen: int
) -> None:
    for period in periods:
        for holder in holders:
            sums[period, holder] += fen


def _numbers(hashed: Mapping[str, str]) -> dict[str, int]:
    return {name: int(value) for name, value in hashed.items()}
