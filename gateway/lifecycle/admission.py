"""Step 1: let a request in as a task, answer it again, queue it, or refuse it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, tzinfo

from gateway.domain.account import Account
from gateway.domain.catalog import Catalog, ModelSpec
from gateway.domain.charge import (
    ALERT_SHARE,
    ALL,
    Bound,
    Charge,
    Periods,
    Rate,
    of_key,
    of_team,
)
from gateway.domain.errors import (
    AdmissionUnanswered,
    BodyTooLarge,
    BudgetExceeded,
    GatewayError,
    IdempotencyKeyReused,
    InvalidField,
    InvalidRequest,
    NoAccount,
    NoFreeSlot,
    NotFound,
    PermissionDenied,
    QueueFull,
    StoreUnavailable,
    TooManySubmits,
)
from gateway.domain.happenings import BudgetRunsOut, SubmitOutcome, Submitted
from gateway.domain.ports import (
    Admitted,
    CannotExpress,
    Directory,
    Durations,
    Journal,
    NotAdmitted,
    NotAdmittedBecause,
    Tasks,
    TeamLimits,
)
from gateway.domain.submission import Submission
from gateway.domain.task import Status, Task, new_task_id
from gateway.domain.team import Caller, Team
from gateway.domain.video import VideoRequest
from gateway.lifecycle.dispatcher import Dispatcher

# Some SDKs wait for whatever they are told, others give up beyond a minute.
_LONGEST_RETRY_AFTER_SECONDS = 60


class Admission:
    """Turns a request into a durable task that is claimed or queued."""

    def __init__(
        self,
        catalog: Catalog,
        tasks: Tasks,
        dispatcher: Dispatcher,
        durations: Durations,
        providers: Mapping[str, CannotExpress],
        accounts: Mapping[str, Account],
        directory: Directory,
        zone: tzinfo,
        journal: Journal,
    ) -> None:
        """`providers` tell what each has no words for. `accounts` may change while we run. Days and
        months of budgets are those of `zone`."""
        self._catalog = catalog
        self._tasks = tasks
        self._dispatcher = dispatcher
        self._durations = durations
        self._providers = providers
        self._accounts = accounts
        self._directory = directory
        self._zone = zone
        self._journal = journal

    async def admit(self, caller: Caller, submission: Submission) -> Admitted:
        """Make a task of it, and start what the free slots allow; that may be this one.

        Raises:
            InvalidRequest: the model, or what is asked of it, is not to be had.
            NotAllowed: it is, but not by this team or key.
            InvalidField: none of the vendors that we have accounts at can express it.
            NoAccount: no account is configured at any vendor that offers the model.
            IdempotencyKeyReused: the key belongs to another request.
            BudgetExceeded, TooManySubmits: it is more than the team or the key may do.
            QueueFull, NoFreeSlot: it would have to wait, and may not.
            StoreUnavailable: nothing is admitted without the store's word.
        """
        try:
            answer, task_class = await self._admit(caller, submission)
        except GatewayError as error:
            self.refused(caller, error)
            raise
        outcome = SubmitOutcome.QUEUED
        if answer.replayed:
            outcome = SubmitOutcome.REPLAYED
        elif answer.task.status is not Status.QUEUED:
            outcome = SubmitOutcome.STARTED
        self._tell(caller, outcome, answer.task, task_class)
        for bound in answer.alarming:
            self._journal.tell(
                BudgetRunsOut(
                    holder=bound.holder,
                    period=bound.period,
                    cap_fen=bound.cap_fen,
                    percent=round(100 * ALERT_SHARE),
                )
            )
        return answer

    def refused(self, caller: Caller, error: GatewayError) -> None:
        """Tell of a request that became no task, also of one that was refused before `admit`."""
        kinds = (_OUTCOMES[kind] for kind in type(error).__mro__ if kind in _OUTCOMES)
        self._tell(caller, next(kinds, SubmitOutcome.OTHER))

    async def _admit(self, caller: Caller, submission: Submission) -> tuple[Admitted, str]:
        request = submission.request
        spec = self._catalog.find(request.model)
        spec.check(request)
        caller.check(request)
        team = caller.team
        task_class = self._class_of(spec, request)
        task_id = new_task_id()
        try:
            answer = await self._tasks.admit(
                task_id, team.name, submission, task_class, self._charge(caller, spec, request)
            )
        except StoreUnavailable as error:
            if submission.idempotency_key is not None:
                raise  # whoever asks again gets the same task
            raise AdmissionUnanswered(error.message) from error
        if isinstance(answer, NotAdmitted):
            self._dispatcher.dispatch(answer.claims)
            raise _refusal(answer, self._durations.seconds_of(spec.name))
        whole = replace(answer.task, request=request)
        self._dispatcher.dispatch(answer.claims, known={task_id: whole})
        return answer, task_class

    def _tell(
        self,
        caller: Caller,
        outcome: SubmitOutcome,
        task: Task | None = None,
        task_class: str = "",
    ) -> None:
        self._journal.tell(
            Submitted(team=caller.team.name, outcome=outcome, task=task, task_class=task_class)
        )

    async def cancel(self, task: Task) -> Task:
        """End a task that was not sent, mark one that was; return it as it stands then.

        Raises:
            NotFound: it is gone meanwhile.
        """
        after, claims = await self._tasks.cancel(task.id)
        self._dispatcher.dispatch(claims)
        if after is None:
            raise NotFound("there is no such task")
        return after

    async def limits(self, team: Team) -> tuple[TeamLimits, tuple[ModelSpec, ...]]:
        """What a team has and may have, and the models that its `classes` are of, in order."""
        able = [spec for spec in self._catalog if self._offers(spec)]
        classes = tuple(_class(spec, self._offers(spec)) for spec in able)
        return await self._tasks.team_limits(team.name, classes), tuple(able)

    def _charge(self, caller: Caller, spec: ModelSpec, request: VideoRequest) -> Charge:
        """What it costs now, and what its team and key may spend."""
        now = datetime.now(UTC)
        periods = Periods.at(now, self._zone)
        holders = (
            (of_team(caller.team.name), caller.team.permit),
            (of_key(caller.key.id), caller.key.permit),
        )
        return Charge(
            price_fen=self._directory.book.price_fen(spec, caller.team.name, request, now),
            key_id=caller.key.id,
            periods=periods,
            bounds=tuple(
                bound
                for holder, permit in holders
                for bound in periods.bounds(holder, permit.budget)
            ),
            rates=tuple(
                Rate(holder, permit.submits_per_minute)
                for holder, permit in holders
                if permit.submits_per_minute is not None
            ),
            queue_tasks=caller.team.queue_tasks,
        )

    def offered(self) -> tuple[ModelSpec, ...]:
        """The models that some account could make."""
        return tuple(spec for spec in self._catalog if self._offers(spec))

    def _class_of(self, spec: ModelSpec, request: VideoRequest) -> str:
        """The queue of a request: its model and who could make just this."""
        offers = self._offers(spec)
        if not offers:
            raise NoAccount(f"no account is configured that could make {spec.name}")
        missing = {name: self._providers[name](request) for name in offers}
        able = [name for name in offers if missing[name] is None]
        if not able:
            fields = " or ".join(sorted({str(field) for field in missing.values()}))
            raise InvalidField(
                f"{fields}: what was asked for cannot be expressed at {' or '.join(offers)}, "
                "and there are no accounts elsewhere",
                param=missing[offers[0]],
            )
        return _class(spec, able)

    def _offers(self, spec: ModelSpec) -> list[str]:
        """The vendors where some account could make it."""
        able = {a.provider for a in self._accounts.values() if a.makes(spec.name)}
        return [name for name in spec.providers if name in able]


_OUTCOMES: dict[type, SubmitOutcome] = {
    BodyTooLarge: SubmitOutcome.INVALID,
    BudgetExceeded: SubmitOutcome.OVER_BUDGET,
    IdempotencyKeyReused: SubmitOutcome.INVALID,
    InvalidRequest: SubmitOutcome.INVALID,
    NoAccount: SubmitOutcome.NO_ACCOUNT,
    NoFreeSlot: SubmitOutcome.NO_SLOT,
    PermissionDenied: SubmitOutcome.NOT_ALLOWED,
    QueueFull: SubmitOutcome.FULL,
    StoreUnavailable: SubmitOutcome.STORE_AWAY,
    TooManySubmits: SubmitOutcome.TOO_FAST,
}


def _class(spec: ModelSpec, providers: list[str]) -> str:
    return f"{spec.name}@{'+'.join(providers)}"


def _refusal(answer: NotAdmitted, task_seconds: float) -> GatewayError:
    if answer.because is NotAdmittedBecause.OTHER_BODY:
        return IdempotencyKeyReused(
            "this idempotency key (Idempotency-Key, or request_id) was used for another request; "
            "take a new one for a new video"
        )
    if isinstance(answer.bound, Bound):
        return BudgetExceeded(_over_budget(answer.bound, answer.taken_fen))
    if isinstance(answer.bound, Rate):
        return TooManySubmits(
            f"{_called(answer.bound.holder)} may submit {answer.bound.per_minute} a minute; "
            "try again in a moment",
            retry_after_seconds=min(
                max(1, math.ceil(answer.wait_seconds)), _LONGEST_RETRY_AFTER_SECONDS
            ),
        )
    wait = answer.place.starts_in_seconds(task_seconds) if answer.place else None
    after = min(max(wait or _LONGEST_RETRY_AFTER_SECONDS, 1), _LONGEST_RETRY_AFTER_SECONDS)
    if answer.because is NotAdmittedBecause.FULL:
        return QueueFull("the queue is full; try again later", retry_after_seconds=after)
    return NoFreeSlot(
        'no slot is free, and overflow "reject" says not to wait for one',
        retry_after_seconds=after,
    )


def _over_budget(bound: Bound, taken_fen: int) -> str:
    """Which budget, and when there will be room again."""
    of = "" if bound.period == ALL else f" for {bound.period}"
    again = {
        len("2026-03"): "; there is a new one next month",
        len("2026-03-01"): "; there is a new one tomorrow",
    }
    hint = again.get(len(bound.period), "")
    return (
        f"{_called(bound.holder)} has a budget of {bound.cap_fen} fen{of}, of which {taken_fen} "
        f"are spent or reserved for tasks under way{hint}"
    )


def _called(holder: str) -> str:
    """A holder as its caller knows it."""
    return "your team" if holder.startswith("team:") else "this API key"
