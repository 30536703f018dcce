"""What a vendor can answer, as values: to a submit, and to a look.

A submit ends in one of three worlds, and everything depends on telling them apart: the vendor
has the task (`Accepted`), the vendor surely does not have it (`Refused`), or nobody knows
(`Lost`). Only the second may ever be submitted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.task import TaskError
from gateway.domain.video import Video


class Rest(StrEnum):
    """Why something is left alone, and so what and for how long at first (..._REST_SECONDS).

    When the time is over it is tried with one task at a time; each refusal in a row makes the next
    rest longer, and a task that is accepted ends it.
    """

    KEY = "key"
    """This API key does not open the account; the account's other keys go on."""
    ACCOUNT = "account"
    """The account itself cannot buy: arrears, locked, quota used up."""
    CONCURRENCY = "concurrency"
    """The vendor counts more in flight on this account and model than we do: somebody else uses it,
    or it is a peak hour. The effective limit of the two is lowered, and tried upward again."""
    RATE = "rate"
    """This account and model was asked too often."""
    OVERLOAD = "overload"
    """The vendor has no room for this model, whoever asks."""
    UNREACHABLE = "unreachable"
    """No connection to the vendor for this account."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The vendor has the task and gave it this id."""

    provider_task_id: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The vendor surely does not have the task.

    `error` ends the task; without it the task goes back to its place in the queue. `rest` says
    what to leave alone for a while.
    """

    reason: str
    rest: Rest | None = None
    error: TaskError | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """The answer was lost or cannot be read: the vendor may have the task."""

    reason: str


SubmitAnswer = Accepted | Refused | Lost


@dataclass(frozen=True, slots=True)
class Running:
    """Still running, as far as anybody can tell; `doubt` says why we are not sure."""

    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class Succeeded:
    videos: tuple[Video, ...]
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    error: TaskError


@dataclass(frozen=True, slots=True)
class Missing:
    """The vendor says that it knows no such task. Believed only when it says so repeatedly."""

    reason: str


@dataclass(frozen=True, slots=True)
class KeyRefused:
    """This API key may not look; another of the account may."""

    reason: str


LookAnswer = Running | Succeeded | Failed | Missing | KeyRefused
