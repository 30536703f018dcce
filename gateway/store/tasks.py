"""The records, the durable queue and the slots: one script a step."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.domain.ports import DueLook, MissingSoFar, Swept
from gateway.domain.provider_answers import Rest
from gateway.domain.task import Claim, Status, Task, TaskError
from gateway.domain.video import Video, VideoRequest
from gateway.store.connection import Store
from gateway.store.records import ending_fields, pairs, request_to_json, task_from_record

_ORPHANED_IMAGES_SECONDS = 3600
# What is left alone for which cause: of the task that was refused.
_REST_SCOPES = {
    Rest.KEY: "account",
    Rest.ACCOUNT: "account",
    Rest.UNREACHABLE: "account",
    Rest.CONCURRENCY: "account model",
    Rest.OVERLOAD: "provider model",
}
_OUTCOME_UNKNOWN = TaskError(
    code="submission_outcome_unknown",
    message="the vendor's answer to the submit was lost and nothing was heard of it since; "
    "it is not billed, and was not sent again because the vendor may have made it",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things are held."""

    claim_lease_seconds: float
    """A claim that was not used by then goes back to the queue."""
    sending_lease_seconds: float
    """A submit whose outcome was not recorded by then is unknown. Longer than a submit can take."""
    unknown_hold_seconds: float
    look_lease_seconds: float
    """A look that was not answered by then may be made by another process."""
    retention_seconds: float
    """How long an ended task can be asked for."""
    rest_seconds: Mapping[Rest, float]


class TaskStore:
    """Fits the port `Tasks`. Ended tasks never change, so the latest are also kept in memory:
    those can still be read while the store is away."""

    def __init__(self, store: Store, timing: Timing, cached_tasks: int) -> None:
        self._store = store
        self._timing = timing
        self._ended: OrderedDict[str, Task] = OrderedDict()
        self._cached_tasks = cached_tasks
        self._claim_lease_ms = _ms(timing.claim_lease_seconds)

    async def admit(
        self, task_id: str, team: str, request: VideoRequest, task_class: str, price_fen: int
    ) -> tuple[Task, tuple[Claim, ...]]:
        """Make the task durable, and claim what the free slots allow: this one, or older work."""
        if request.images:
            await self._store.answer(
                self._store.redis.set(
                    self._store.keys.images(task_id),
                    json.dumps(request.images),
                    ex=_ORPHANED_IMAGES_SECONDS,
                )
            )
        fields = {
            "team": team,
            "class": task_class,
            "request": request_to_json(request),
            "price_fen": str(price_fen),
        }
        flat = [part for pair in fields.items() for part in pair]
        record, claims = await self._store.run("admit", self._claim_lease_ms, task_id, *flat)
        return task_from_record(task_id, pairs(record)), _claims(claims)

    async def get(self, task_id: str) -> Task | None:
        """The task as it stands; None if there is none, or no longer."""
        if cached := self._ended.get(task_id):
            self._ended.move_to_end(task_id)
            return cached
        record = await self._store.answer(self._store.redis.hgetall(self._store.keys.task(task_id)))
        if not record:
            return None
        task = task_from_record(task_id, record)
        if task.ended:
            self._remember(task)
        return task

    async def with_images(self, task_id: str) -> Task | None:
        """The task with its images, which are there until its submit is over."""
        task = await self.get(task_id)
        if task is None:
            return None
        images = await self._store.answer(self._store.redis.get(self._store.keys.images(task_id)))
        return replace(
            task, request=replace(task.request, images=tuple(json.loads(images or "[]")))
        )

    async def mark_sending(self, claim: Claim, api_key_id: str) -> bool:
        """Whether the claim still holds, so that the submit may leave."""
        answer = await self._store.run(
            "mark_sending",
            claim.task_id,
            claim.number,
            api_key_id,
            _ms(self._timing.sending_lease_seconds),
        )
        return bool(answer)

    async def record_accepted(
        self, claim: Claim, provider_task_id: str, model: str | None, first_look_seconds: float
    ) -> bool:
        answer = await self._store.run(
            "record_accepted",
            claim.task_id,
            claim.number,
            provider_task_id,
            model or "",
            _ms(first_look_seconds),
        )
        return bool(answer)

    async def record_lost(self, claim: Claim, reason: str) -> bool:
        answer = await self._store.run(
            "record_lost",
            claim.task_id,
            claim.number,
            _ms(self._timing.unknown_hold_seconds),
            reason,
        )
        return bool(answer)

    async def give_back(
        self, claim: Claim, rest: Rest | None, reason: str, *, hand_on: bool = True
    ) -> tuple[Claim, ...]:
        """Put the task back at its old place, and leave alone for a while what refused it.

        With `hand_on` the freed slot goes to the best queued task at once, else to nobody yet.
        """
        flat = await self._store.run(
            "give_back",
            self._claim_lease_ms,
            claim.task_id,
            claim.number,
            reason,
            _REST_SCOPES[rest] if rest else "",
            _ms(self._timing.rest_seconds[rest]) if rest else 0,
            2 if hand_on else 0,
        )
        return _claims(flat)

    async def settle(
        self,
        task_id: str,
        claim_number: int,
        ending: tuple[Video, ...] | TaskError,
        model: str | None,
    ) -> tuple[bool, tuple[Claim, ...]]:
        """End the task. The first part of the answer is True for exactly one caller."""
        status = Status.FAILED if isinstance(ending, TaskError) else Status.COMPLETED
        ended, claims = await self._store.run(
            "settle",
            self._claim_lease_ms,
            task_id,
            claim_number,
            status,
            _ms(self._timing.retention_seconds),
            *ending_fields(ending),
            *(["served_model", model] if model else []),
        )
        return bool(ended), _claims(claims)

    async def claim_waiting(self, most: int) -> tuple[Claim, ...]:
        return _claims(await self._store.run("claim_waiting", self._claim_lease_ms, most))

    async def take_due(self, most: int) -> tuple[tuple[DueLook, ...], float | None]:
        """Tasks to look at now, and seconds until the next one is due (None: none is)."""
        next_ms, *taken = await self._store.run(
            "take_due", most, _ms(self._timing.look_lease_seconds)
        )
        looks = tuple(
            DueLook(task_id, int(number), account, api_key_id, provider_task_id, age_ms / 1000)
            for task_id, number, account, api_key_id, provider_task_id, age_ms in taken
        )
        return looks, None if next_ms < 0 else next_ms / 1000

    async def look_again(self, look: DueLook, delay_seconds: float, missing: bool) -> MissingSoFar:
        times, for_ms = await self._store.run(
            "look_again", look.task_id, look.claim_number, _ms(delay_seconds), int(missing)
        )
        return MissingSoFar(times, for_ms / 1000)

    async def sweep(self, most: int) -> Swept:
        requeued, unknown, given_up, claims = await self._store.run(
            "sweep",
            self._claim_lease_ms,
            _ms(self._timing.unknown_hold_seconds),
            _ms(self._timing.retention_seconds),
            most,
            _OUTCOME_UNKNOWN.code,
            _OUTCOME_UNKNOWN.message,
        )
        return Swept(tuple(requeued), tuple(unknown), tuple(given_up), _claims(claims))

    def _remember(self, task: Task) -> None:
        self._ended[task.id] = task
        if len(self._ended) > self._cached_tasks:
            self._ended.popitem(last=False)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _claims(flat: list[str | int]) -> tuple[Claim, ...]:
    return tuple(
        Claim(str(flat[i]), int(flat[i + 1]), str(flat[i + 2])) for i in range(0, len(flat), 3)
    )
