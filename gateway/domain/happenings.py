"""What happens to tasks, as whoever keeps logs, metrics or traces is told of it.

A step is told once, where it is made, in one vocabulary; each listener makes of it what it keeps.
A `Task` has its prompt: whoever writes one down decides about that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.provider_answers import LookAnswer, SubmitAnswer
from gateway.domain.task import Claim, Task


class SubmitOutcome(StrEnum):
    """What came of a request for a video."""

    STARTED = "started"
    """A task that has a slot."""
    QUEUED = "queued"
    REPLAYED = "replayed"
    """An idempotency key had made it before."""
    INVALID = "invalid"
    NOT_ALLOWED = "not_allowed"
    OVER_BUDGET = "over_budget"
    TOO_FAST = "too_fast"
    FULL = "full"
    NO_SLOT = "no_slot"
    NO_ACCOUNT = "no_account"
    STORE_AWAY = "store_away"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A team asked for a video. `task` is None where none was made."""

    team: str
    outcome: SubmitOutcome
    task: Task | None = None
    task_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The bytes of a submit are about to leave."""

    claim: Claim
    task: Task
    provider: str
    waited_seconds: float
    """Since the task was admitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A submit is over, however that went."""

    claim: Claim
    task: Task
    provider: str
    answer: SubmitAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """A claim was given back unused."""

    claim: Claim
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapsed:
    """A process did not come back to a task: what it had claimed waits again, or, if it was being
    sent, nobody knows what became of it."""

    task_id: str
    was_sent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """The vendor answered a look."""

    task_id: str
    account: str
    provider: str
    answer: LookAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAsked:
    """Its caller wants a task no more, which the vendor has or may have."""

    task: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A task is over; told by the one process that ended it."""

    task: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRunsOut:
    """Most of a budget is taken; told once for each amount that it has."""

    holder: str
    period: str
    cap_fen: int
    percent: int


class StepResult(StrEnum):
    OK = "ok"
    STORE_AWAY = "store_away"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopStepped:
    """A background loop made a step."""

    loop: str
    result: StepResult


Happening = (
    Submitted
    | Sent
    | Answered
    | NotSent
    | Lapsed
    | Looked
    | CancelAsked
    | Ended
    | BudgetRunsOut
    | LoopStepped
)
