"""What the scripts in gateway/store/lua do to one task: the same steps, the same order of tests.

What a script does to other tasks, namely hand a freed slot on, is a step of its own in the model:
that allows every order which the scripts allow, and some more.
"""

from __future__ import annotations

from enum import IntEnum

from gateway.domain.task import Status
from tests.modelcheck.faults import Fault
from tests.modelcheck.task import Script, Task

S = Status

POISON_CLAIMS = 1


class Word(IntEnum):
    """What a script tells the breaker."""

    NOTHING = 0
    HEARD = 1
    LOST = 2


# Whether the script said yes, the task after it, and the word for the breaker.
Ran = tuple[bool, Task, Word]


def enqueue(task: Task) -> Task:
    return task._replace(status=S.QUEUED)


def claim(task: Task) -> Task:
    """The number rises, so whatever was held or is on its way with the old one is stale."""
    return task._replace(
        status=S.CLAIMED,
        in_slots=True,
        in_transit=True,
        in_leases=True,
        holders=tuple(sorted(holder._replace(fresh=False) for holder in task.holders)),
        late=tuple(sorted(late._replace(fresh=False) for late in task.late)),
    )


def _free(task: Task) -> Task:
    return task._replace(
        in_slots=False, in_transit=False, in_unknown=False, in_leases=False, in_due=False
    )


def _requeue(task: Task) -> Task:
    return _free(task)._replace(status=S.QUEUED)


def finish(task: Task, status: Status) -> Task:
    """Drops and mark are forgotten, because nothing of the model reads them from here on."""
    return _free(task)._replace(status=status, ledger=task.ledger + 1, drops=0, cancel_asked=False)


def _lose(task: Task, fault: Fault | None) -> Task:
    return task._replace(
        status=S.UNKNOWN,
        in_slots=task.in_slots and fault is not Fault.UNKNOWN_FREES_SLOT,
        in_transit=False,
        in_unknown=True,
        in_leases=True,
    )


def run(script: Script, task: Task, fresh: bool, fault: Fault | None) -> Ran:
    """Run a script with a claim; `fresh` says whether its number is the record's."""
    match script:
        case Script.MARK_SENDING:
            return _mark_sending(task, fresh, fault)
        case Script.GIVE_BACK_UNSENT:
            return _give_back(task, fresh, fault, Word.NOTHING)
        case Script.GIVE_BACK_REFUSED:
            return _give_back(task, fresh, fault, Word.HEARD)
        case Script.SETTLE_REFUSED:
            return settle(task, fresh, S.FAILED, fault)
        case Script.RECORD_ACCEPTED:
            return _record_accepted(task, fresh, fault)
        case Script.RECORD_LOST:
            return _record_lost(task, fresh, fault)


def _mark_sending(task: Task, fresh: bool, fault: Fault | None) -> Ran:
    if not fresh and fault is not Fault.STALE_CLAIM_MARKS:
        return False, task, Word.NOTHING
    if task.status is S.SENDING:
        return True, task, Word.NOTHING
    if task.status is not S.CLAIMED and fault is not Fault.MARKS_ANYTHING:
        return False, task, Word.NOTHING
    return True, task._replace(status=S.SENDING, drops=0, in_leases=True), Word.NOTHING


def _give_back(task: Task, fresh: bool, fault: Fault | None, word: Word) -> Ran:
    if not fresh and fault is not Fault.STALE_CLAIM_GIVES_BACK:
        return False, task, Word.NOTHING
    if task.status not in (S.CLAIMED, S.SENDING):
        return False, task, Word.NOTHING
    if task.cancel_asked and fault is not Fault.CANCEL_FORGOTTEN:
        return True, finish(task, S.CANCELLED), word
    return True, _requeue(task), word


def _record_accepted(task: Task, fresh: bool, fault: Fault | None) -> Ran:
    if not fresh:
        return False, task, Word.NOTHING
    if task.has_vendor_id:
        return True, task, Word.NOTHING
    may = [S.SENDING] if fault is Fault.LATE_ANSWER_REFUSED else [S.SENDING, S.UNKNOWN]
    if task.status not in may and fault is not Fault.ANSWER_REVIVES:
        return False, task, Word.NOTHING
    after = task._replace(
        status=S.IN_PROGRESS,
        has_vendor_id=True,
        in_transit=False,
        in_unknown=False,
        in_leases=False,
        in_due=True,
    )
    return True, after, Word.HEARD


def _record_lost(task: Task, fresh: bool, fault: Fault | None) -> Ran:
    if not fresh:
        return False, task, Word.NOTHING
    if task.status is S.UNKNOWN:
        return True, task, Word.NOTHING
    if task.status is not S.SENDING:
        return False, task, Word.NOTHING
    return True, _lose(task, fault), Word.LOST


def settle(task: Task, fresh: bool, status: Status, fault: Fault | None) -> Ran:
    may_end = task.status is S.IN_PROGRESS or (
        status is S.FAILED and task.status in (S.SENDING, S.UNKNOWN)
    )
    if (not fresh or not may_end) and fault is not Fault.SETTLES_TWICE:
        return False, task, Word.NOTHING
    word = Word.HEARD if task.status is S.SENDING else Word.NOTHING
    return True, finish(task, status), word


def cancel(task: Task, fault: Fault | None) -> Task:
    sent = task.status in (S.SENDING, S.UNKNOWN, S.IN_PROGRESS)
    if task.status in (S.QUEUED, S.CLAIMED) or (sent and fault is Fault.CANCEL_FREES_SENT):
        return finish(task, S.CANCELLED)
    return task._replace(cancel_asked=True) if sent else task


def sweep_lease(task: Task, fault: Fault | None) -> tuple[Task, Word]:
    """The lease is over, or the hold."""
    match task.status:
        case S.CLAIMED if task.drops + 1 > POISON_CLAIMS:
            return finish(task, S.FAILED), Word.NOTHING
        case S.CLAIMED:
            kept = task.in_slots and fault is Fault.EXPIRED_CLAIM_KEEPS_SLOT
            after = _requeue(task)._replace(drops=task.drops + 1, in_slots=kept)
            return after, Word.NOTHING
        case S.SENDING if fault is Fault.SENDING_REQUEUED:
            return _requeue(task), Word.NOTHING
        case S.SENDING:
            return _lose(task, fault), Word.LOST
        case S.UNKNOWN:
            return finish(task, S.FAILED), Word.NOTHING
        case _:
            return task._replace(in_leases=False), Word.NOTHING
