"""Counts what happens to tasks."""

from __future__ import annotations

from gateway.domain.happenings import (
    Answered,
    Ended,
    Happening,
    Looked,
    LoopStepped,
    Sent,
    Submitted,
)
from gateway.domain.provider_answers import (
    Accepted,
    Failed,
    LookAnswer,
    Lost,
    Missing,
    Refused,
    Running,
    SubmitAnswer,
    Succeeded,
)
from gateway.domain.task import Outcome, Task
from gateway.telemetry import metrics
from gateway.telemetry.metrics import Counting


class Counters:
    """A listener."""

    def __init__(self, counting: Counting) -> None:
        self._counting = counting

    def __call__(self, happening: Happening) -> None:
        add, observe = self._counting.add, self._counting.observe
        match happening:
            case Submitted(team=team, outcome=outcome):
                add(metrics.SUBMITS, team, outcome)
            case Sent(task=task, waited_seconds=seconds):
                observe(metrics.QUEUE_WAIT, seconds, task.team)
            case Answered(claim=claim, answer=answer):
                add(metrics.SUBMISSIONS, claim.account, _submission(answer))
            case Looked(provider=provider, answer=look):
                add(metrics.LOOKS, provider, _look(look))
            case Ended(task=task):
                self._ended(task)
            case LoopStepped(loop=loop, result=result):
                add(metrics.BACKGROUND_STEPS, loop, result)
            case _:
                pass

    def _ended(self, task: Task) -> None:
        add, observe = self._counting.add, self._counting.observe
        model, outcome = task.request.model, task.outcome or Outcome.FREE
        add(metrics.SETTLEMENTS, task.team, model, task.status, outcome)
        if outcome is Outcome.UNKNOWN and task.account is not None:
            add(metrics.UNKNOWN_OUTCOMES, task.account)
        if task.submitted_ms is None or task.ended_ms is None or task.provider is None:
            return  # no vendor had it
        age_ms = task.ended_ms - task.submitted_ms
        observe(metrics.TASK_SECONDS, age_ms / 1000, model, task.provider, task.status)
        observe(metrics.LOOKS_PER_TASK, task.looks, task.provider)
        if outcome is not Outcome.UNKNOWN:
            late_ms = max(0, age_ms - task.running_ms)
            observe(metrics.END_TO_KNOWN, late_ms / 1000, task.provider)


def _submission(answer: SubmitAnswer) -> str:
    match answer:
        case Accepted():
            return "accepted"
        case Lost():
            return "lost"
        case Refused(error=None):
            return "given_back"
        case Refused():
            return "refused"


def _look(answer: LookAnswer) -> str:
    match answer:
        case Succeeded():
            return "succeeded"
        case Failed():
            return "failed"
        case Missing():
            return "missing"
        case Running(None):
            return "running"
        case _:
            return "doubtful"
