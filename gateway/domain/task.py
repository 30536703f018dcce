"""A task: our record of one generation, from the accepted POST to its end.

              admit            claim             mark             accepted
    (nothing) ------> queued --------> claimed -------> sending ------------> in_progress
                      | ^                |              |  |  |                  ^    |
                      | |  lease over,   |  surely not  |  |  | answer lost      |    |
                      | |  given back    |  accepted    |  |  +------> unknown --+    |
                      | +----------------+--------------+  |             | late answer |
                      |                  |                 | refused     | hold over,  | ended at
                      | waited too long  | lost too often  | for good    | released    | the vendor,
                      v                  v                 v             v             v released
                    failed             failed            failed        failed     completed | failed

    queued, claimed -- cancel --> cancelled. From `sending` on a cancel is a mark only, for the
    vendor may be at it; a marked task that proves not accepted goes to cancelled instead of back.

A slot is held in exactly `claimed`, `sending`, `unknown` and `in_progress`. The moves themselves
are made by the scripts in `store/lua`, each a compare-and-set, so that any number of processes
may try at once; `MOVES` is what they do, and a test holds them to it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gateway.domain.video import Video, VideoRequest


class Status(StrEnum):
    """Where a task is. The values are stored, so they are for ever."""

    QUEUED = "queued"
    """Waits, durably, for a place of its team and a slot of an account."""
    CLAIMED = "claimed"
    """One process holds a slot for it and may submit it; nothing has been sent."""
    SENDING = "sending"
    """Bytes may be on their way: from here nothing is ever sent again by itself."""
    UNKNOWN = "unknown"
    """The submit's answer was lost: the vendor may be working on it, so the slot stays."""
    IN_PROGRESS = "in_progress"
    """The vendor accepted it and has not said that it is over."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """Its caller wanted it no more before any vendor had it: it costs nothing."""


HOLDS_SLOT = frozenset({Status.CLAIMED, Status.SENDING, Status.UNKNOWN, Status.IN_PROGRESS})
ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})

MOVES: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.CLAIMED, Status.FAILED, Status.CANCELLED}),
    Status.CLAIMED: frozenset(
        {Status.SENDING, Status.QUEUED, Status.FAILED, Status.CANCELLED},
    ),
    Status.SENDING: frozenset(
        {Status.IN_PROGRESS, Status.UNKNOWN, Status.QUEUED, Status.FAILED, Status.CANCELLED},
    ),
    Status.UNKNOWN: frozenset({Status.IN_PROGRESS, Status.FAILED}),
    Status.IN_PROGRESS: frozenset({Status.COMPLETED, Status.FAILED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskError:
    """Why a task failed: a code of the vendor (digits) or of ours (words), and a sentence."""

    code: str
    message: str
    caller_at_fault: bool = False
    """The vendor refused what the caller asked for; asking again would change nothing."""


CANCELLED = TaskError(code="cancelled", message="cancelled at the caller's wish")
OUTCOME_UNKNOWN_CODE = "submission_outcome_unknown"
RELEASED_CODE = "released_by_operator"


class Outcome(StrEnum):
    """What a task's end means for the bill. The values are stored."""

    CHARGED = "charged"
    FREE = "free"
    UNKNOWN = "unknown"
    """The vendor may have made it, and nobody saw it: shown apart, not billed."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to a task: when (Unix ms), what, by which process, and why or how."""

    at_ms: int
    name: str
    """The status that it brought; or `cancel_asked`, which is a mark."""
    process: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task as the store has it. Times are Unix milliseconds by the store's clock."""

    id: str
    team: str
    status: Status
    request: VideoRequest
    """Without its images: those are kept apart, and only until the submit is over."""
    price_fen: int
    created_ms: int
    claim_number: int = 0
    """How often a process was given the right to submit it; the number of the latest claim."""
    account: str | None = None
    provider: str | None = None
    api_key_id: str | None = None
    provider_task_id: str | None = None
    served_model: str | None = None
    """The model that the vendor says it used."""
    submitted_ms: int | None = None
    ended_ms: int | None = None
    looks: int = 0
    cancel_asked_ms: int | None = None
    """When its caller said that it is wanted no more."""
    last_reason: str | None = None
    """Why it went back to the queue, or why its outcome is unknown."""
    videos: tuple[Video, ...] = field(default=())
    error: TaskError | None = None
    key_id: str | None = None
    """Which of its team's keys it was asked for with."""
    running_ms: int = 0
    """Its age, since the vendor accepted it, when a look last found it running."""

    @property
    def outcome(self) -> Outcome | None:
        """What its end means for the bill; None before it."""
        if not self.ended:
            return None
        if self.status is Status.COMPLETED:
            return Outcome.CHARGED
        unknown = self.error is not None and self.error.code in (
            OUTCOME_UNKNOWN_CODE,
            RELEASED_CODE,
        )
        return Outcome.UNKNOWN if unknown else Outcome.FREE

    @property
    def ended(self) -> bool:
        """Whether it is over: an ended task never changes again."""
        return self.status in ENDED

    def as_told(self) -> Task:
        """The task as its caller reads it: once cancelled it stays so, whatever the vendor does."""
        if self.cancel_asked_ms is None:
            return self
        return replace(self, status=Status.CANCELLED, videos=(), error=CANCELLED)

    def overdue(self, now_seconds: float, max_age_seconds: float) -> bool:
        """Whether the vendor has been at it for longer than anything should take.

        Such a task keeps its slot all the same: the vendor says that it is running.
        """
        return is_overdue(self.status, self.submitted_ms, now_seconds, max_age_seconds)


def is_overdue(
    status: Status, submitted_ms: int | None, now_seconds: float, max_age_seconds: float
) -> bool:
    """See `Task.overdue`."""
    if status is not Status.IN_PROGRESS or submitted_ms is None:
        return False
    return now_seconds - submitted_ms / 1000 > max_age_seconds


@dataclass(frozen=True, slots=True)
class Claim:
    """The numbered right of one process to submit a task to one account, now."""

    task_id: str
    number: int
    account: str
    api_key_id: str
    """The key whose turn it is."""

    @property
    def request_id(self) -> str:
        """What the vendor gets as `request_id`: unique to this attempt, 39 characters or so."""
        return f"{self.task_id}-{self.number}"


def new_task_id() -> str:
    """Make an id that cannot be guessed (128 random bits) and needs no escaping in a path."""
    return f"task_{secrets.token_hex(16)}"
