"""What must hold: of every task, of every step, and of all tasks together.

Each is None when it holds, else a sentence that says what does not. None of them asks the scripts
of the model; they judge what those made.
"""

from __future__ import annotations

from gateway.domain.task import ENDED, HOLDS_SLOT, MOVES, Status
from tests.modelcheck.breaker import Breaker, Pause
from tests.modelcheck.config import Config, Counts
from tests.modelcheck.steps import Step
from tests.modelcheck.task import Stage, Task

S = Status


def broken_by_task(task: Task) -> str | None:
    if task.accepted > 1:
        return "the vendor accepted a task twice"
    if task.ledger != (1 if task.status in ENDED else 0):
        return f"a task that is {task.status} has {task.ledger} entries in the ledger"
    if task.status is S.CANCELLED and (task.accepted or _in_network(task)):
        return "a cancelled task was sent to the vendor"
    if task.cancel_asked and task.status in (S.QUEUED, S.CLAIMED):
        return f"a task that its caller cancelled is {task.status} again"
    return _broken_by_sets(task)


def _in_network(task: Task) -> bool:
    return task.on_the_way > 0 or any(h.stage is Stage.WAITS_ON_THE_WAY for h in task.holders)


def _broken_by_sets(task: Task) -> str | None:
    """Slots and records agree; and somebody will look after whatever holds a slot."""
    sets = {
        "slots": (task.in_slots, HOLDS_SLOT),
        "transit": (task.in_transit, {S.CLAIMED, S.SENDING}),
        "unknown": (task.in_unknown, {S.UNKNOWN}),
        "leases": (task.in_leases, {S.CLAIMED, S.SENDING, S.UNKNOWN}),
        "due": (task.in_due, {S.IN_PROGRESS}),
    }
    for name, (inside, statuses) in sets.items():
        if inside != (task.status in statuses):
            return f"a task that is {task.status} is {'' if inside else 'not '}in {name}"
    return None


def broken_by_step(before: Task, step: Step) -> str | None:
    was, now = before.status, step.after.status
    if was is None:
        return None
    if was in ENDED and now is not was:
        return f"an ended task changes from {was} to {now}"
    if now is not was and now not in MOVES[was]:
        return f"a task moves from {was} to {now}"
    if step.heard_accepted and now in (S.SENDING, S.UNKNOWN):
        return f"a vendor's id that arrives is not taken in: the task stays {now}"
    return None


def broken_by_all(counts: Counts, config: Config) -> str | None:
    if counts.running > config.limit:
        return f"{counts.running} run at the vendor, the limit is {config.limit}"
    if counts.slots > config.limit:
        return f"{counts.slots} slots are taken, the limit is {config.limit}"
    doubtful = counts.unknown + counts.transit
    if doubtful > config.unknown_cap and counts.transit > 1:
        return (
            f"{counts.transit} submits are on their way although {doubtful} may be unknown and "
            f"the cap is {config.unknown_cap}: beyond it only one at a time may try"
        )
    return None


def broken_by_claim(breaker: Breaker, counts: Counts) -> str | None:
    """`counts` are those before the claim."""
    if breaker.pause is Pause.LASTS:
        return "a submit is let go while the breaker's pause lasts"
    if breaker.pause is Pause.OVER and counts.transit:
        return "a second submit is let go while the breaker tries one"
    return None
