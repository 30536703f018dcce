"""What a caller hands in: a request, and how it wants to be served."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from gateway.domain.video import VideoRequest


class Overflow(StrEnum):
    """What becomes of a request when no slot is free."""

    QUEUE = "queue"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A request with its terms. None means "not said": the team's or the gateway's own applies."""

    request: VideoRequest
    overflow: Overflow | None = None
    queue_timeout_seconds: float | None = None
    """How long it may wait for a slot before it fails."""
    waits: bool = False
    """Whether its caller wants the answer only when the video is done, or a time-out is near."""
    idempotency_key: str | None = None
    """The caller's name for this one submit, wherever it is repeated. It begins with where it
    was said, so that a header and a field of the body never mean each other."""

    def request_digest(self) -> str:
        """Tells whether two requests are the same; images included."""
        said = json.dumps(asdict(self.request), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(said.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Where a task stands that waits for a slot, or would."""

    position: int
    """1: the next to start."""
    position_in_team: int
    slots: int
    """Of all accounts that could make it and are not left alone."""
    free_slots: int
    team_cap: int
    team_free: int

    def starts_in_seconds(self, task_seconds: float) -> int | None:
        """An estimate, given how long a task holds its slot; None while no slot serves it.

        What is free is taken first. Slots come free one after the other, evenly; so do the
        team's places.
        """
        if self.slots == 0:
            return None
        turns = (self.position - self.free_slots) / self.slots
        own_turns = (self.position_in_team - self.team_free) / self.team_cap
        return round(max(turns, own_turns, 0) * task_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueBounds:
    """How much may wait, in all and of one team. Bytes are of requests and images."""

    tasks: int
    team_tasks: int
    bytes: int
    team_bytes: int
