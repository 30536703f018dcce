"""What the ledger's entries come to, and where the sums that are kept say something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.domain.task import Outcome
from gateway.domain.usage import HOUR_MS, NOBODY, Entry, hour_ms, hour_of


@dataclass(slots=True)
class KeptSums:
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
class Recomputed:
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


def count(entry: Entry, sums: KeptSums, found: Recomputed) -> Iterator[str]:
    """One entry of the moment, which must be its task's only one, and its end."""
    found.entries += 1
    if entry.task in found.tasks or entry.task in found.tasks_before:
        yield f"{entry.task} has more than one entry, the last of them in {entry.day}: {entry.id}"
    found.tasks.add(entry.task)
    if entry.task in sums.live:
        yield f"{entry.task} has an entry, {entry.id} in {entry.day}, and has not ended"


def count_hour(hours: dict[str, Counter[str]], entry: Entry) -> None:
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


def hour_differences(
    said: Mapping[str, Mapping[str, int]], recomputed: Mapping[str, Mapping[str, int]], first: int
) -> Iterator[str]:
    """Of the sums of hours, from the first on that is kept."""
    for hour in sorted({*said, *recomputed}):
        if hour_ms(hour) // HOUR_MS < first:
            continue
        sums, must = said.get(hour, {}), recomputed.get(hour, {})
        for name in sorted({*sums, *must}):
            if sums.get(name, 0) != must.get(name, 0):
                of, _, what = name.rpartition(" ")
                yield (
                    f"usage:{hour} says {sums.get(name, 0)} {_WORDS.get(what, what)} of {of}, "
                    f"the ledger {must.get(name, 0)}"
                )


def spend_differences(sums: KeptSums, found: Recomputed, *, files_whole: bool) -> Iterator[str]:
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


def add(
    sums: Counter[tuple[str, str]], periods: Iterable[str], holders: Iterable[str], fen: int
) -> None:
    """To each holder in each period."""
    named = list(holders)
    for period in periods:
        for holder in named:
            sums[period, holder] += fen
