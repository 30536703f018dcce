"""How large a world is walked through, and what of it is counted."""

from __future__ import annotations

from typing import NamedTuple


class Config(NamedTuple):
    """One account and its model."""

    processes: int
    """How many claims may be in processes' hands at once: a submit of a process is one here."""
    tasks: int
    limit: int
    unknown_cap: int = 2
    """The smallest that the settings can make."""
    breaker_losses: int = 2
    late_requests: int = 1
    """How many requests to the store may be stuck on their way at once."""
    cancels: bool = True
    """Whether callers cancel."""

    def __str__(self) -> str:
        size = f"{self.processes},{self.tasks},{self.limit}"
        usual = self._field_defaults
        cap = f", cap {self.unknown_cap}" if self.unknown_cap != usual["unknown_cap"] else ""
        late = ", none late" if not self.late_requests else ""
        return size + cap + late


class Counts(NamedTuple):
    """Over all tasks."""

    running: int
    slots: int
    transit: int
    unknown: int
    holders: int
    late: int


# Counts are added up millions of times, so they are packed into one number, four bits each.
_BITS = 4
_MASK = (1 << _BITS) - 1


def packed(counts: Counts) -> int:
    number = 0
    for count in reversed(counts):
        number = number << _BITS | count
    return number


def unpacked(number: int) -> Counts:
    return Counts(*(number >> _BITS * place & _MASK for place in range(len(Counts._fields))))
