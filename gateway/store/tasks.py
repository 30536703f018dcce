"""The records, the durable queue and the slots: one script a step."""

from __future__ import annotations

import hashlib
import json
import random
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.domain.charge import ALL, Charge
from gateway.domain.durations import Variant, form_of
from gateway.domain.errors import StoreUnavailable
from gateway.domain.happenings import CancelAsked, Ended, Lapsed
from gateway.domain.operators import AuditEntry
from gateway.domain.ports import (
    NOBODY,
    Admitted,
    ClassLimits,
    DueLook,
    Journal,
    MissingSoFar,
    NotAdmitted,
    NotAdmittedBecause,
    Renewal,
    Swept,
    TaskPage,
    TeamLimits,
)
from gateway.domain.provider_answers import Rest
from gateway.domain.submission import Overflow, QueueBounds, QueuePlace, Submission
from gateway.domain.task import (
    OUTCOME_UNKNOWN_CODE,
    RELEASED_CODE,
    Claim,
    Status,
    Step,
    Task,
    TaskError,
)
from gateway.domain.video import Video
from gateway.store.connection import AUDIT_ENTRIES, Store
from gateway.store.records import (
    ending_fields,
    pairs,
    request_to_json,
    step_from_text,
    task_from_record,
    videos_to_json,
)

_ORPHANED_IMAGES_SECONDS = 600
_OUTCOME_UNKNOWN = TaskError(
    code=OUTCOME_UNKNOWN_CODE,
    message="the vendor's answer to the submit was lost and nothing was heard of it since; "
    "it is not billed, and was not sent again because the vendor may have made it",
)
_POISON = TaskError(
    code="submission_abandoned",
    message="each process that took it up broke off before it was sent; it is not tried again",
)
_TIMED_OUT = TaskError(code="queue_timeout", message="no slot was free for it in time")
_RELEASED = TaskError(
    code=RELEASED_CODE,
    message="an operator ended it here without knowing what became of it at the vendor; "
    "it is not billed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How long things are held, and how often they may go wrong."""

    claim_lease_seconds: float
    """A claim that was not used by then goes back to the queue."""
    sending_lease_seconds: float
    """A submit whose outcome was not recorded by then is unknown. Longer than a submit can take."""
    unknown_hold_seconds: float
    look_lease_seconds: float
    """A look that was not answered by then may be made by another process."""
    retention_seconds: float
    """How long an ended task can be asked for."""
    idempotency_seconds: float
    queue_timeout_seconds: float
    """How long a task waits at most, unless its caller said otherwise."""
    breaker_losses: int
    """So many answers lost in a row, and an account's model is tried with one task at a time,"""
    breaker_seconds: float
    """after so long,"""
    trial_seconds: float
    """or so long, once each try may cost a slot beyond the cap on unknown outcomes."""
    poison_claims: int
    """A task whose claims ran out unsent more often than that, in a row, fails."""
    rest_seconds: Mapping[Rest, float]
    """How long what refused a task is left alone at first;"""
    rest_growth: float
    """so many times as long at most, as refusals follow one another;"""
    rest_jitter: float
    """give or take this share, so that not all come back at once."""
    rest_budget: int
    """So many refusals for overload are answered by a rest alone, before tasks go one at a time."""
    probe_submits: int
    """A lowered effective limit is tried upward after so many accepted tasks,"""
    probe_seconds: float
    """or after so long."""
    process: str = "-"
    """Who makes a step, as a task's history names it; without spaces."""

    def to_json(self) -> str:
        """What the scripts read: times in whole milliseconds."""
        return json.dumps(
            {
                "claim_lease_ms": _ms(self.claim_lease_seconds),
                "sending_lease_ms": _ms(self.sending_lease_seconds),
                "unknown_hold_ms": _ms(self.unknown_hold_seconds),
                "look_lease_ms": _ms(self.look_lease_seconds),
                "retention_ms": _ms(self.retention_seconds),
                "idempotency_ms": _ms(self.idempotency_seconds),
                "breaker_losses": self.breaker_losses,
                "breaker_ms": _ms(self.breaker_seconds),
                "trial_ms": _ms(self.trial_seconds),
                "poison_claims": self.poison_claims,
                "rest_growth": self.rest_growth,
                "rest_budget": self.rest_budget,
                "probe_submits": self.probe_submits,
                "probe_ms": _ms(self.probe_seconds),
                "process": self.process,
            }
        )


class TaskStore:
    """Fits the port `Tasks`. Ended tasks never change, so the latest are also kept in memory:
    those can still be read while the store is away."""

    def __init__(
        self,
        store: Store,
        rules: Rules,
        bounds: QueueBounds,
        cached_tasks: int,
        journal: Journal = NOBODY,
    ) -> None:
        self._store = store
        self._journal = journal
        self._rules = rules
        self._bounds = bounds
        self._rules_json = rules.to_json()
        self._ended: OrderedDict[str, Task] = OrderedDict()
        self._changes = 0
        self._cached_tasks = cached_tasks

    async def admit(
        self, task_id: str, team: str, submission: Submission, task_class: str, charge: Charge
    ) -> Admitted | NotAdmitted:
        """Make the task durable, reserve its price, and claim what the free slots allow: this one,
        or older work."""
        request = submission.request
        said = request_to_json(request)
        images = json.dumps(request.images) if request.images else ""
        if images:
            await self._store.answer(
                "put_images",
                self._store.redis.set(
                    self._store.keys.images(task_id), images, ex=_ORPHANED_IMAGES_SECONDS
                ),
            )
        key = submission.idempotency_key
        timeout = submission.queue_timeout_seconds or self._rules.queue_timeout_seconds
        team_tasks = self._bounds.team_tasks
        if charge.queue_tasks is not None:
            team_tasks = min(team_tasks, charge.queue_tasks)
        terms = _charge_terms(charge) | {
            "key": hashlib.sha256(key.encode()).hexdigest() if key else "",
            "body": submission.request_digest() if key else "",
            "only_if_free": submission.overflow is Overflow.REJECT,
            "queue_timeout_ms": _ms(timeout),
            "images": len(images),
            "bytes": len(said.encode()) + len(images),
            "tasks_most": self._bounds.tasks,
            "team_tasks_most": team_tasks,
            "bytes_most": self._bounds.bytes,
            "team_bytes_most": self._bounds.team_bytes,
        }
        fields = {
            "team": team,
            "class": task_class,
            "form": form_of(request),
            "request": said,
            "price_fen": str(charge.price_fen),
            "key_id": charge.key_id,
            "periods": " ".join(_period_names(charge)),
        }
        flat = [part for pair in fields.items() for part in pair]
        word, its_id, record, claims, place, money = await self._run(
            "admit", task_id, json.dumps(terms), *flat
        )
        if word == "no_images":
            # Minutes lay between the two writes: a machine that slept, or a clock that was set.
            raise StoreUnavailable("the images were lost on the way; try again")
        if word in ("admitted", "replayed"):
            task = task_from_record(its_id, pairs(record))
            left, *alarming = money
            return Admitted(
                task,
                _claims(claims),
                word == "replayed",
                _place(place),
                None if left == "" else int(left),
                tuple(charge.bounds[i - 1] for i in alarming),
            )
        because = NotAdmittedBecause(word)
        if because is NotAdmittedBecause.OVER_BUDGET:
            bound = charge.bounds[money[0] - 1]
            return NotAdmitted(because, (), None, bound, taken_fen=money[1])
        if because is NotAdmittedBecause.TOO_FAST:
            rate = charge.rates[money[0] - 1]
            return NotAdmitted(because, (), None, rate, wait_seconds=money[1] / 1000)
        return NotAdmitted(because, _claims(claims), _place(place))

    async def get(self, task_id: str) -> Task | None:
        """The task as it stands; None if there is none, or no longer."""
        if cached := self._ended.get(task_id):
            self._ended.move_to_end(task_id)
            return cached
        changes = self._changes
        record = await self._store.answer(
            "get_task", self._store.redis.hgetall(self._store.keys.task(task_id))
        )
        if not record:
            return None
        task = task_from_record(task_id, record)
        if task.ended and changes == self._changes:
            # Else it may be what was read before a change, of which word was here first.
            self._remember(task)
        return task

    async def history(self, task_id: str) -> tuple[Step, ...]:
        """The steps of its life so far, oldest first; none once it is forgotten."""
        redis, keys = self._store.redis, self._store.keys
        read = await self._store.answer("read_steps", redis.lrange(keys.steps(task_id), 0, -1))
        return tuple(step_from_text(text) for text in read)

    async def with_images(self, task_id: str) -> Task | None:
        """The task with its images, which are there until its submit is over."""
        task = await self.get(task_id)
        if task is None:
            return None
        images = await self._store.answer(
            "get_images", self._store.redis.get(self._store.keys.images(task_id))
        )
        return replace(
            task, request=replace(task.request, images=tuple(json.loads(images or "[]")))
        )

    async def place(self, task_id: str) -> QueuePlace | None:
        """Where a queued task stands; None if it does not wait."""
        return _place(await self._run("queue_place", task_id))

    async def team_limits(self, team: str, classes: tuple[str, ...]) -> TeamLimits:
        """What a team has in flight and waiting, and how a new task of each class would stand."""
        in_flight, cap, waiting_bytes, *each = await self._run("team_limits", team, *classes)
        limits = (ClassLimits(waiting, QueuePlace(*stands)) for waiting, stands in each)
        return TeamLimits(in_flight, cap, waiting_bytes, tuple(limits))

    async def cancel(self, task_id: str) -> tuple[Task | None, tuple[Claim, ...]]:
        """End what has not been sent; mark what has. Return the task as it stands then."""
        record, claims, over, marked = await self._run("cancel", task_id)
        self._tell_ends(over)
        task = task_from_record(task_id, pairs(record)) if record else None
        if task is not None and marked:
            self._journal.tell(CancelAsked(task=task))
        return task, _claims(claims)

    async def page(
        self, team: str, *, after: str | None, newest_first: bool, most: int
    ) -> TaskPage | None:
        """Some of a team's tasks, those that follow `after`; None if that is not one of them."""
        order = "desc" if newest_first else "asc"
        answer = await self._run("list_tasks", team, after or "", order, most)
        if not answer:
            return None
        more, *records = answer
        tasks = (task_from_record(task_id, pairs(record)) for task_id, record in records)
        return TaskPage(tuple(tasks), bool(more))

    async def forget(self, task_id: str) -> bool:
        """Remove an ended task; False if it has not ended."""
        forgotten = await self._run("forget", task_id)
        self.changed(task_id)
        return bool(forgotten)

    async def take_renewal(self, task_id: str, link: str, variant: str = "video") -> Renewal:
        """Whether to ask for a link in place of this dead one. The next `get` asks the store."""
        renewal = Renewal(await self._run("take_renewal", task_id, link, variant))
        self.changed(task_id)
        return renewal

    async def renew_links(self, task_id: str, videos: tuple[Video, ...]) -> None:
        await self._run("renew_links", task_id, videos_to_json(videos))
        self.changed(task_id)

    def changed(self, task_id: str) -> None:
        """An ended task is no longer what it was: its links were renewed, or it is gone."""
        self._changes += 1
        self._ended.pop(task_id, None)

    def perhaps_changed(self) -> None:
        """Some may be, and nobody can say which: word of it may have been missed."""
        self._changes += 1
        self._ended.clear()

    async def release(self, task: Task, who: str, reason: str) -> bool:
        """Free the slot of a task of unknown fate, by an operator's hand, and write it down.

        False if it is no longer as the operator saw it.
        """
        fields = ending_fields(_RELEASED)
        released, over = await self._run(
            "release", task.id, task.status, who, reason, AUDIT_ENTRIES, *fields
        )
        self._tell_ends(over)
        return bool(released)

    async def note(
        self, who: str, action: str, on: str, *, before: str = "", after: str = "", reason: str = ""
    ) -> None:
        """Write into the audit what is written by no step of its own."""
        await self._store.run("note", who, action, on, before, after, reason, AUDIT_ENTRIES)

    async def audit(self, last: int) -> list[AuditEntry]:
        """What operators did, oldest first; the last so many."""
        redis, keys = self._store.redis, self._store.keys
        read = await self._store.answer("read_audit", redis.xrevrange(keys.audit, count=last))
        return [
            AuditEntry(**(entry | {"at_ms": int(entry["at_ms"])})) for _, entry in reversed(read)
        ]

    async def mark_sending(self, claim: Claim, api_key_id: str) -> bool:
        """Whether the claim still holds, so that the submit may leave."""
        return bool(await self._run("mark_sending", claim.task_id, claim.number, api_key_id))

    async def record_accepted(
        self, claim: Claim, provider_task_id: str, model: str | None, first_look_seconds: float
    ) -> tuple[bool, tuple[Claim, ...]]:
        """Whether the record now has the vendor's id, and what may be submitted next."""
        recorded, claims = await self._run(
            "record_accepted",
            claim.task_id,
            claim.number,
            provider_task_id,
            model or "",
            _ms(first_look_seconds),
        )
        return bool(recorded), _claims(claims)

    async def record_lost(self, claim: Claim, reason: str) -> bool:
        return bool(await self._run("record_lost", claim.task_id, claim.number, reason))

    async def give_back(
        self,
        claim: Claim,
        rest: Rest | None,
        reason: str,
        *,
        answered: bool = False,
        hand_on: bool = True,
    ) -> tuple[Claim, ...]:
        """Put the task back at its old place, and leave alone for a while what refused it.

        `answered` says that it was the vendor who refused it. With `hand_on` the freed slot goes
        to the best queued task at once, else to nobody yet.
        """
        claims, over = await self._run(
            "give_back",
            claim.task_id,
            claim.number,
            reason,
            int(answered),
            rest or "",
            self._rest_ms(rest) if rest else 0,
            2 if hand_on else 0,
        )
        self._tell_ends(over)
        return _claims(claims)

    async def settle(
        self,
        task_id: str,
        claim_number: int,
        ending: tuple[Video, ...] | TaskError,
        model: str | None,
        age_seconds: float | None = None,
    ) -> tuple[bool, tuple[Claim, ...]]:
        """End the task. The first part of the answer is True for exactly one caller.

        `age_seconds` is that of the look that found the end, from which durations are learned.
        """
        status = Status.FAILED if isinstance(ending, TaskError) else Status.COMPLETED
        ended, claims, over = await self._run(
            "settle",
            task_id,
            claim_number,
            status,
            _ms_or_nothing(age_seconds),
            *ending_fields(ending),
            *(["served_model", model] if model else []),
        )
        self._tell_ends(over)
        return bool(ended), _claims(claims)

    async def claim_waiting(self, most: int) -> tuple[Claim, ...]:
        return _claims(await self._run("claim_waiting", most))

    async def take_due(self, most: int) -> tuple[tuple[DueLook, ...], float | None]:
        """Tasks to look at now, and seconds until the next one is due (None: none is)."""
        next_ms, *taken = await self._run("take_due", most)
        looks = tuple(_due_look(*fields) for fields in taken)
        return looks, None if next_ms < 0 else next_ms / 1000

    async def look_again(
        self,
        look: DueLook,
        delay_seconds: float,
        missing: bool,
        running_seconds: float | None = None,
    ) -> MissingSoFar:
        """Say when the next look is due, and at which age the vendor said that it runs."""
        times, for_ms = await self._run(
            "look_again",
            look.task_id,
            look.claim_number,
            _ms(delay_seconds),
            int(missing),
            _ms_or_nothing(running_seconds),
        )
        return MissingSoFar(times, for_ms / 1000)

    async def sweep(self, most: int) -> Swept:
        endings = {"unknown": _OUTCOME_UNKNOWN, "poison": _POISON, "timeout": _TIMED_OUT}
        fields = {name: ending_fields(error) for name, error in endings.items()}
        *moved, claims, over = await self._run("sweep", most, json.dumps(fields))
        requeued, unknown, given_up, poisoned, timed_out = map(tuple, moved)
        for ids, was_sent in ((requeued, False), (unknown, True)):
            for task_id in ids:
                self._journal.tell(Lapsed(task_id=task_id, was_sent=was_sent))
        self._tell_ends(over)
        return Swept(requeued, unknown, given_up, poisoned, timed_out, _claims(claims))

    def _tell_ends(self, over: list[tuple[str, list[str]]]) -> None:
        """Of each task that a script ended, whichever way, the one process that ran it tells."""
        for task_id, record in over:
            self._journal.tell(Ended(task=task_from_record(task_id, pairs(record))))

    def _rest_ms(self, rest: Rest) -> int:
        jitter = random.uniform(-1, 1) * self._rules.rest_jitter  # noqa: S311 - only jitter
        return _ms(self._rules.rest_seconds[rest] * (1 + jitter))

    async def _run(self, script: str, *args: str | int | float) -> Any:
        return await self._store.run(script, self._rules_json, *args)

    def _remember(self, task: Task) -> None:
        self._ended[task.id] = task
        if len(self._ended) > self._cached_tasks:
            self._ended.popitem(last=False)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _period_names(charge: Charge) -> list[str]:
    if charge.periods is None:
        return []
    return [charge.periods.day, charge.periods.month, ALL]


def _charge_terms(charge: Charge) -> dict[str, Any]:
    """What admit.lua is told of money."""
    periods = charge.periods
    return {
        "budgets": [[each.holder, each.period, each.cap_fen] for each in charge.bounds],
        "rates": [[each.holder, each.per_minute] for each in charge.rates],
        "period_ends": [
            [periods.day, periods.day_ends_ms],
            [periods.month, periods.month_ends_ms],
        ]
        if periods
        else [],
    }


def _due_look(
    task_id: str,
    claim_number: str,
    account: str,
    api_key_id: str,
    provider_task_id: str,
    task_class: str,
    provider: str,
    form: str,
    age_ms: int,
    work_waits: int,
) -> DueLook:
    """In the order in which take_due.lua tells them."""
    return DueLook(
        task_id=task_id,
        claim_number=int(claim_number),
        account=account,
        api_key_id=api_key_id,
        provider_task_id=provider_task_id,
        variant=Variant(provider, task_class.rpartition("@")[0], form),
        age_seconds=age_ms / 1000,
        work_waits=bool(work_waits),
    )


def _ms_or_nothing(seconds: float | None) -> int | str:
    return "" if seconds is None else _ms(seconds)


def _place(flat: list[int]) -> QueuePlace | None:
    return QueuePlace(*flat) if flat else None


def _claims(flat: list[str | int]) -> tuple[Claim, ...]:
    return tuple(
        Claim(str(flat[i]), int(flat[i + 1]), str(flat[i + 2]), str(flat[i + 3]))
        for i in range(0, len(flat), 4)
    )
