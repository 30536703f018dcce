"""One task as the store, the processes, the network and the vendor have it, at one moment.

All that is interchangeable has no name here. Processes are told apart by the claim that they hold
and by how far they are with it, so a task carries its holders. Claim numbers are only ever
compared with the record's, so a holder's claim is fresh (it is the record's number) or stale (the
task was claimed again since); that needs no bound on how often a task is claimed.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from gateway.domain.task import Status


class Stage(IntEnum):
    """How far a process is with a claim. The names say what it does next, or knows."""

    HAS_CLAIM = 0
    MAY_SEND = 1
    """The store said so, and no byte has left."""
    WAITS_ON_THE_WAY = 2
    """For the answer to a message that is still in the network."""
    WAITS_IN_VAIN = 3
    """The message was refused, or lost on its way; it will never run."""
    WAITS_TAKEN = 4
    """The vendor accepted it."""
    SENDS_NOT = 5
    """Knows that it sent nothing, and gives back until the store says that it heard."""
    REFUSED = 6
    REFUSED_FOR_GOOD = 7
    ACCEPTED = 8
    LOST = 9
    """Gave up waiting: the outcome is unknown."""


class Script(IntEnum):
    """The scripts that a process runs with a claim in its hand."""

    MARK_SENDING = 0
    GIVE_BACK_UNSENT = 1
    GIVE_BACK_REFUSED = 2
    SETTLE_REFUSED = 3
    RECORD_ACCEPTED = 4
    RECORD_LOST = 5


class Holder(NamedTuple):
    """A process with a claim. One with a stale claim does not know that it is."""

    stage: Stage
    fresh: bool


class Late(NamedTuple):
    """A request whose sender gave up waiting for it; the store may still run it."""

    script: Script
    fresh: bool


class Task(NamedTuple):
    """The record, the sets of the store that the task is in, and what is outside the store."""

    status: Status | None = None
    """None: nobody has handed it in yet."""
    in_slots: bool = False
    in_transit: bool = False
    in_unknown: bool = False
    in_leases: bool = False
    in_due: bool = False
    cancel_asked: bool = False
    drops: int = 0
    """How often in a row its claim ran out unsent."""
    has_vendor_id: bool = False
    ledger: int = 0
    """Entries."""

    on_the_way: int = 0
    """Messages to the vendor that nobody waits for, but that may still arrive."""
    running: int = 0
    """At the vendor."""
    accepted: int = 0
    """How often the vendor ever took it."""
    holders: tuple[Holder, ...] = ()
    late: tuple[Late, ...] = ()

    def without(self, holder: Holder) -> Task:
        """The process is through with its claim."""
        rest = list(self.holders)
        rest.remove(holder)
        return self._replace(holders=tuple(rest))

    def moved(self, holder: Holder, stage: Stage) -> Task:
        """The process is in another stage."""
        rest = self.without(holder)
        return rest.joined(holder._replace(stage=stage))

    def joined(self, holder: Holder) -> Task:
        return self._replace(holders=tuple(sorted((*self.holders, holder))))

    def stuck(self, late: Late) -> Task:
        """The request is somewhere on its way to the store."""
        return self._replace(late=tuple(sorted((*self.late, late))))
