"""How the pool stands: what each account may do, what it does, and what keeps it from doing more.

Times are Unix milliseconds by the store's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.account import Source
from gateway.domain.task import Status, is_overdue


class Condition(StrEnum):
    """Whether an account gets tasks, as a whole, and if not, why."""

    ACTIVE = "active"
    RESTING = "resting"
    """A vendor's refusal says that it cannot buy at the moment; left alone for a while."""
    TRYING = "trying"
    """That while is over: the next task tries it, one at a time."""
    PAUSED = "paused"
    DRAINING = "draining"
    DRAINED = "drained"
    """It was draining, and nothing of it runs any more."""
    NO_WORKING_KEY = "no_working_key"
    """Every one of its keys is left alone."""
    LOCKED = "locked"
    """Its keys do not open here, or it does not fit the settings."""


class KeyCondition(StrEnum):
    OK = "ok"
    RESTING = "resting"
    TRYING = "trying"


@dataclass(frozen=True, slots=True)
class Why:
    """Why something is not as usual: since when, and when it is tried again by itself (None: not
    before somebody says so)."""

    reason: str
    since_ms: int | None
    until_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCapacity:
    """An API key, as it may be shown."""

    id: str
    hint: str
    condition: KeyCondition
    why: Why | None


@dataclass(frozen=True, slots=True)
class LearnedDurations:
    """How long tasks of a model take at a vendor, as the latest looks saw it. Of any form: looks
    tell apart by size, quality and length as well, once enough of a kind have ended."""

    ends: int
    """How many this is from."""
    shortest_seconds: float
    typical_seconds: float
    """On average."""
    longest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A task that holds a slot, in short: what a whole pool of them is looked through for."""

    id: str
    team: str
    status: Status
    account: str
    model: str
    created_ms: int
    submitted_ms: int | None
    last_reason: str | None
    """Why its outcome is unknown."""

    @property
    def since_ms(self) -> int:
        """When the vendor accepted it; before that, when it was admitted."""
        return self.submitted_ms or self.created_ms

    def overdue(self, now_seconds: float, max_age_seconds: float) -> bool:
        """See `Task.overdue`."""
        return is_overdue(self.status, self.submitted_ms, now_seconds, max_age_seconds)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many tasks wait, and since when the oldest does."""

    tasks: int
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneCapacity:
    """An account's slots for one model."""

    account: str
    model: str
    limit: int | None
    """None: tasks hold slots there, but there is no such account any more."""
    effective_limit: int | None
    """How many the vendor takes of late, where that is fewer than the limit."""
    tasks: tuple[Held, ...]
    """Those that hold its slots, oldest first."""
    unknown: int
    """Of these, submits whose answer was lost."""
    overdue: int
    queued: int
    """Tasks that wait and that it could take."""
    why: Why | None
    """What keeps this model from the account, or from its vendor, at the moment."""
    durations: LearnedDurations | None
    """None while too little was seen."""

    @property
    def in_flight(self) -> int:
        return len(self.tasks)

    @property
    def free(self) -> int:
        return max(0, (self.effective_limit or 0) - self.in_flight)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCapacity:
    """An account, its lanes and keys, and its condition."""

    name: str
    provider: str
    base_url: str | None
    source: Source
    shadowed: bool
    """An account of this name is kept in the store as well, and not in use."""
    tier: str | None
    limit: int | None
    limits: Mapping[str, int]
    """By model, where they are not `limit`."""
    weight: float
    costs_fen: Mapping[str, int]
    lanes: tuple[LaneCapacity, ...]
    keys: tuple[KeyCapacity, ...]
    condition: Condition
    why: Why | None
    last_error: tuple[int, str] | None
    """When something went wrong last, and what."""

    @property
    def in_flight(self) -> int:
        return sum(lane.in_flight for lane in self.lanes)

    @property
    def way_back(self) -> str | None:
        """What a person can do about its condition; None where nothing is to be done."""
        again = f"gateway accounts resume {self.name}"
        match self.condition:
            case Condition.ACTIVE:
                return None
            case Condition.PAUSED:
                return f"it gets no new tasks until somebody resumes it: {again}"
            case Condition.DRAINING:
                return (
                    f"it gets no new tasks; {self.in_flight} still run on it. When they have ended "
                    f"it can be removed; {again} lets it go on"
                )
            case Condition.DRAINED:
                remove = "take it out of the settings"
                if self.source is Source.STORE:
                    remove = f"gateway accounts remove {self.name}"
                return f"nothing runs on it any more: {remove}; {again} lets it go on"
            case Condition.RESTING:
                return f"mend the cause; it is tried again by itself, and at once with: {again}"
            case Condition.TRYING:
                return (
                    "the next task tries it, one at a time; one that is accepted ends this, and "
                    f"so does: {again}"
                )
            case Condition.NO_WORKING_KEY:
                replace = "replace its keys in the settings and restart"
                if self.source is Source.STORE:
                    replace = f"give it a key that works (gateway accounts set {self.name})"
                return f"{replace}; keys are tried again by themselves, and at once with: {again}"
            case Condition.LOCKED:
                return (
                    "put back what is missing (a secret into GATEWAY_SECRET_KEY, a tier or model "
                    f"into the settings), or change it: gateway accounts set {self.name}"
                )


@dataclass(frozen=True, slots=True)
class Capacity:
    """The whole pool at one moment."""

    accounts: tuple[AccountCapacity, ...]
    lanes: tuple[LaneCapacity, ...]
    """Of all accounts, those included that are there no more and still have tasks."""
    queues: Mapping[tuple[str, str], Waiting]
    """By class and team, where any wait."""
    resting_seconds: Mapping[str, float]
    """What is left alone (see `Resting`), and for how long still."""

    def waiting_by(self, part: int) -> dict[str, int]:
        """How many tasks wait, by class (0) or team (1)."""
        counts: dict[str, int] = {}
        for name, waiting in self.queues.items():
            counts[name[part]] = counts.get(name[part], 0) + waiting.tasks
        return counts

    def account(self, name: str) -> AccountCapacity | None:
        return next((account for account in self.accounts if account.name == name), None)
