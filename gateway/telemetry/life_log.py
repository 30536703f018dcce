"""Writes a line for each step of a task's life, with its ids: as text, and as fields of its own."""

from __future__ import annotations

import logging
from typing import Any

from gateway.domain.happenings import (
    Answered,
    BudgetRunsOut,
    CancelAsked,
    Ended,
    Happening,
    Lapsed,
    Looked,
    LoopStepped,
    NotSent,
    Sent,
    SubmitOutcome,
    Submitted,
)
from gateway.domain.provider_answers import Accepted, KeyRefused, Lost, Missing, Refused, Running
from gateway.domain.task import Outcome, Task

log = logging.getLogger("gateway.tasks")

_SECONDS = 1000


class LifeLog:
    """A listener. Prompts are written only where that was asked for: they may be anybody's."""

    def __init__(self, *, with_prompts: bool) -> None:
        self._with_prompts = with_prompts

    def __call__(self, happening: Happening) -> None:
        match happening:
            case Submitted(team=team, outcome=outcome, task=None):
                _write(logging.INFO, f"a submit of {team} is refused: {outcome}", team=team)
            case Submitted(task=Task() as task):
                self._submitted(happening, task)
            case Sent(claim=claim, task=task, waited_seconds=waited):
                _write(
                    logging.INFO,
                    f"task {task.id} goes to {claim.account} (claim {claim.number})",
                    **_ids(task),
                    account=claim.account,
                    provider=happening.provider,
                    claim=claim.number,
                    waited_seconds=round(waited, 3),
                )
            case Answered():
                _answered(happening)
            case NotSent(claim=claim, reason=reason):
                _write(
                    logging.WARNING,
                    f"task {claim.task_id} was not sent: {reason}",
                    task=claim.task_id,
                    account=claim.account,
                    claim=claim.number,
                    reason=reason,
                )
            case Lapsed(task_id=task_id, was_sent=True):
                text = "outcome unknown: its submit was never answered"
                _write(logging.WARNING, f"task {task_id}: {text}", task=task_id)
            case Lapsed(task_id=task_id):
                text = "went back to its place: its claim ran out"
                _write(logging.WARNING, f"task {task_id} {text}", task=task_id)
            case Looked():
                _looked(happening)
            case CancelAsked(task=task):
                text = f"task {task.id} is wanted no more; the vendor has it, or may have it"
                _write(logging.INFO, text, **_ids(task))
            case Ended(task=task):
                _ended(task)
            case BudgetRunsOut(holder=holder, percent=percent, cap_fen=cap, period=period):
                _write(
                    logging.WARNING,
                    f"{holder} has used {percent} % of its budget of {cap} fen ({period})",
                    holder=holder,
                    period=period,
                    budget_fen=cap,
                )
            case LoopStepped():
                pass  # the loops tell of what goes wrong in them

    def _submitted(self, happening: Submitted, task: Task) -> None:
        replayed = happening.outcome is SubmitOutcome.REPLAYED
        what = "is asked for again" if replayed else str(task.status)
        fields = _ids(task) | {"class": happening.task_class, "price_fen": task.price_fen}
        if self._with_prompts:
            fields["prompt"] = task.request.prompt
        text = f"task {task.id} of {task.team} {what} ({happening.task_class})"
        _write(logging.INFO, text, **fields)


def _answered(happening: Answered) -> None:
    task, claim = happening.task, happening.claim
    fields = _ids(task) | {
        "account": claim.account,
        "provider": happening.provider,
        "claim": claim.number,
        "request_id": claim.request_id,
    }
    match happening.answer:
        case Accepted(provider_task_id):
            text = f"task {task.id} is {provider_task_id} at {claim.account}"
            _write(logging.INFO, text, **fields, provider_task=provider_task_id)
        case Lost(reason):
            text = f"task {task.id}: outcome unknown: {reason}"
            _write(logging.WARNING, text, **fields, reason=reason)
        case Refused(reason, rest, error) if error is None:
            text = (
                f"task {task.id} refused by {claim.account}: {reason}; "
                f"it waits, at rest: {rest or 'nothing'}"
            )
            _write(logging.WARNING, text, **fields, reason=reason, rest=rest)
        case Refused(reason):
            text = f"task {task.id} refused by {claim.account} for good: {reason}"
            _write(logging.INFO, text, **fields, reason=reason)


def _looked(happening: Looked) -> None:
    """Only what is odd: some looks a task would drown the rest."""
    task_id = happening.task_id
    reason: str | None
    match happening.answer:
        case Missing(reason):
            text = f"task {task_id}: {reason}"
        case KeyRefused(reason) | Running(reason) if reason is not None:
            text = f"task {task_id}: taken as still running: {reason}"
        case _:
            return
    _write(
        logging.WARNING,
        text,
        task=task_id,
        account=happening.account,
        provider=happening.provider,
        reason=reason,
    )


def _ended(task: Task) -> None:
    how, level = str(task.status), logging.INFO
    fields = _ids(task) | {
        "account": task.account,
        "provider": task.provider,
        "provider_task": task.provider_task_id,
        "status": task.status,
        "outcome": task.outcome,
        "price_fen": task.price_fen,
        "looks": task.looks,
        "seconds": round(((task.ended_ms or 0) - task.created_ms) / _SECONDS, 3),
    }
    if task.error is not None:
        how = f"failed: {task.error.code}"
        fields["code"] = task.error.code
        if task.outcome is Outcome.UNKNOWN:
            level = logging.ERROR
    _write(level, f"task {task.id} {how}", **fields)


def _ids(task: Task) -> dict[str, Any]:
    return {"task": task.id, "team": task.team, "key": task.key_id, "model": task.request.model}


def _write(level: int, text: str, **fields: object) -> None:
    kept = {name: value for name, value in fields.items() if value is not None}
    log.log(level, "%s", text, extra={"fields": kept})
