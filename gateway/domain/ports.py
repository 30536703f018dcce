"""Everything that a task's life asks of the outside world.

Adapters fit these by shape; `bootstrap` puts one behind each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.domain.account import Account, ApiKey
from gateway.domain.provider_answers import LookAnswer, Rest, SubmitAnswer
from gateway.domain.task import Claim, Task, TaskError
from gateway.domain.video import Video, VideoRequest


class Provider(Protocol):
    """A vendor. Neither call raises: whatever happens is one of the answers."""

    async def submit(
        self, account: Account, key: ApiKey, request_id: str, request: VideoRequest
    ) -> SubmitAnswer: ...

    async def look(self, account: Account, key: ApiKey, provider_task_id: str) -> LookAnswer: ...


@dataclass(frozen=True, slots=True)
class DueLook:
    """A task that the vendor should be asked about now."""

    task_id: str
    claim_number: int
    account: str
    api_key_id: str
    provider_task_id: str
    age_seconds: float
    """Since the vendor accepted it."""


@dataclass(frozen=True, slots=True)
class MissingSoFar:
    """How often in a row, and for how long, the vendor has said that it knows no such task."""

    times: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Swept:
    """What the sweeper moved, by task id, and what could be claimed with the freed slots."""

    requeued: tuple[str, ...]
    unknown: tuple[str, ...]
    given_up: tuple[str, ...]
    claims: tuple[Claim, ...]


class Tasks(Protocol):
    """The records, the queue and the slots: one atomic step a method, each safe to run twice.

    Every method raises StoreUnavailable when the store does not answer. A step that frees a slot
    hands it on in the same script and returns whom to: claims that the caller must dispatch.
    """

    async def admit(
        self, task_id: str, team: str, request: VideoRequest, task_class: str, price_fen: int
    ) -> tuple[Task, tuple[Claim, ...]]: ...

    async def get(self, task_id: str) -> Task | None: ...

    async def with_images(self, task_id: str) -> Task | None: ...

    async def mark_sending(self, claim: Claim, api_key_id: str) -> bool: ...

    async def record_accepted(
        self, claim: Claim, provider_task_id: str, model: str | None, first_look_seconds: float
    ) -> bool: ...

    async def record_lost(self, claim: Claim, reason: str) -> bool: ...

    async def give_back(
        self, claim: Claim, rest: Rest | None, reason: str, *, hand_on: bool = True
    ) -> tuple[Claim, ...]: ...

    async def settle(
        self,
        task_id: str,
        claim_number: int,
        ending: tuple[Video, ...] | TaskError,
        model: str | None,
    ) -> tuple[bool, tuple[Claim, ...]]: ...

    async def claim_waiting(self, most: int) -> tuple[Claim, ...]: ...

    async def take_due(self, most: int) -> tuple[tuple[DueLook, ...], float | None]: ...

    async def look_again(
        self, look: DueLook, delay_seconds: float, missing: bool
    ) -> MissingSoFar: ...

    async def sweep(self, most: int) -> Swept: ...
