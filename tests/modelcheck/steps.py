"""All that can happen to one task next: by processes, network, vendor, sweeper and caller.

Each step that goes to the store comes in several kinds: it is heard; it runs and its answer is
lost; it is stuck and may run later, or never. A process may crash in every stage. One that is
paused simply takes no step, while everybody else does.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from gateway.domain.task import ENDED, Status
from tests.modelcheck import scripts
from tests.modelcheck.faults import Fault
from tests.modelcheck.scripts import Word
from tests.modelcheck.task import Holder, Late, Script, Stage, Task


class Needs(IntEnum):
    """What a step needs of the rest of the world."""

    NOTHING = 0
    ROOM_FOR_LATE = 1
    SLOT = 2
    SLOT_AND_PROCESS = 3


class Step(NamedTuple):
    name: str
    after: Task
    word: Word = Word.NOTHING
    needs: Needs = Needs.NOTHING
    well: bool = True
    """Nothing goes wrong in it. From everywhere an end must be reachable by such steps alone."""
    heard_accepted: bool = False
    """The process that knows the vendor's id was told that the store has done with it."""


_REPORTS = {
    Stage.SENDS_NOT: (Script.GIVE_BACK_UNSENT, "gives it back, unsent"),
    Stage.REFUSED: (Script.GIVE_BACK_REFUSED, "gives it back, refused"),
    Stage.REFUSED_FOR_GOOD: (Script.SETTLE_REFUSED, "records that it was refused for good"),
    Stage.ACCEPTED: (Script.RECORD_ACCEPTED, "records the vendor's id"),
    Stage.LOST: (Script.RECORD_LOST, "records that the answer was lost"),
}

_LATE_NAMES = dict(_REPORTS.values()) | {Script.MARK_SENDING: "asks whether it may send"}


def steps(task: Task, fault: Fault | None, cancels: bool) -> Iterator[Step]:
    """Every step of this task; some have no effect. `cancels`: its caller may cancel it."""
    if task.status is None:
        yield Step("is handed in", scripts.enqueue(task))
        return
    yield from _of_queue(task)
    for holder in dict.fromkeys(task.holders):
        yield from _of_holder(task, holder, fault)
    for late in dict.fromkeys(task.late):
        yield _of_late(task, late, fault)
    yield from _of_network_and_vendor(task)
    yield from _of_looks(task, fault)
    yield from _of_sweeper(task, fault)
    if cancels:
        yield Step("its caller cancels it", scripts.cancel(task, fault), well=False)


def _of_queue(task: Task) -> Iterator[Step]:
    if task.status is not Status.QUEUED:
        return
    claimed = scripts.claim(task)
    heard = claimed.joined(Holder(Stage.HAS_CLAIM, True))
    yield Step("a process claims it", heard, needs=Needs.SLOT_AND_PROCESS)
    yield Step("it is claimed, and the answer is lost", claimed, needs=Needs.SLOT, well=False)
    yield Step("it waited too long", scripts.finish(task, Status.FAILED), well=False)


def _of_holder(task: Task, holder: Holder, fault: Fault | None) -> Iterator[Step]:
    who = "a process" if holder.fresh else "a process with a stale claim"
    match holder.stage:
        case Stage.HAS_CLAIM:
            yield from _asks_to_send(who, task, holder, fault)
        case Stage.MAY_SEND:
            yield Step(f"{who} sends", task.moved(holder, Stage.WAITS_ON_THE_WAY))
            yield Step(
                f"{who} was held up and does not send",
                task.moved(holder, Stage.SENDS_NOT),
                well=False,
            )
        case Stage.WAITS_ON_THE_WAY | Stage.WAITS_IN_VAIN | Stage.WAITS_TAKEN:
            yield from _waits(who, task, holder)
        case _:
            yield from _reports(who, task, holder, fault)
    yield Step(f"{who} crashes ({holder.stage.name.lower()})", _abandoned(task, holder), well=False)


def _asks_to_send(who: str, task: Task, holder: Holder, fault: Fault | None) -> Iterator[Step]:
    """A lost answer is asked for once more by the client library, or makes it give back."""
    yes, marked, word = scripts.run(Script.MARK_SENDING, task, holder.fresh, fault)
    heard = marked.moved(holder, Stage.MAY_SEND) if yes else marked.without(holder)
    yield Step(f"{who} asks whether it may send: {'yes' if yes else 'no'}", heard, word)
    stuck = task.stuck(Late(Script.MARK_SENDING, holder.fresh))
    unanswered = Stage.SENDS_NOT, "it will not send"
    if fault is Fault.SENDS_WITHOUT_ANSWER:
        unanswered = Stage.MAY_SEND, "it will send"
    for stage, then in ((Stage.HAS_CLAIM, "it asks again"), unanswered):
        asks = f"{who} asks whether it may send: the"
        yield Step(f"{asks} answer is lost, {then}", marked.moved(holder, stage), word, well=False)
        yield Step(
            f"{asks} request is late, {then}",
            stuck.moved(holder, stage),
            needs=Needs.ROOM_FOR_LATE,
            well=False,
        )
    yield Step(f"{who} cannot send it", task.moved(holder, Stage.SENDS_NOT), well=False)


def _waits(who: str, task: Task, holder: Holder) -> Iterator[Step]:
    match holder.stage:
        case Stage.WAITS_ON_THE_WAY:
            taken = task.moved(holder, Stage.WAITS_TAKEN)
            yield Step("the vendor accepts it", _accepted(taken))
            gone = task.moved(holder, Stage.WAITS_IN_VAIN)
            yield Step("the vendor never has it", gone, well=False)
        case Stage.WAITS_IN_VAIN:
            yield Step(f"{who} hears a refusal", task.moved(holder, Stage.REFUSED))
            for_good = task.moved(holder, Stage.REFUSED_FOR_GOOD)
            yield Step(f"{who} hears a refusal for good", for_good)
        case _:
            yield Step(f"{who} hears the vendor's id", task.moved(holder, Stage.ACCEPTED))
    given_up = _abandoned(task, holder).joined(holder._replace(stage=Stage.LOST))
    yield Step(f"{who} gives the answer up", given_up, well=False)


def _reports(who: str, task: Task, holder: Holder, fault: Fault | None) -> Iterator[Step]:
    """Repeated until the store is heard to have run it."""
    script, name = _REPORTS[holder.stage]
    if script is Script.RECORD_LOST and fault is Fault.LOST_IS_REFUSED:
        script = Script.GIVE_BACK_REFUSED
    _, after, word = scripts.run(script, task, holder.fresh, fault)
    yield Step(
        f"{who} {name}",
        after.without(holder),
        word,
        heard_accepted=script is Script.RECORD_ACCEPTED and holder.fresh,
    )
    yield Step(f"{who} {name}: the answer is lost", after, word, well=False)
    yield Step(
        f"{who} {name}: the request is late",
        task.stuck(Late(script, holder.fresh)),
        needs=Needs.ROOM_FOR_LATE,
        well=False,
    )


def _of_late(task: Task, late: Late, fault: Fault | None) -> Step:
    rest = list(task.late)
    rest.remove(late)
    _, after, word = scripts.run(late.script, task._replace(late=tuple(rest)), late.fresh, fault)
    stale = "" if late.fresh else ", with a stale claim"
    return Step(f"a late request runs: {_LATE_NAMES[late.script]}{stale}", after, word)


def _of_network_and_vendor(task: Task) -> Iterator[Step]:
    if task.on_the_way:
        arrived = task._replace(on_the_way=task.on_the_way - 1)
        yield Step("the vendor accepts it, and nobody hears", _accepted(arrived))
        yield Step("the vendor never has it, and nobody hears", arrived, well=False)
    if task.running:
        yield Step("the vendor is done with it", task._replace(running=task.running - 1))


def _of_looks(task: Task, fault: Fault | None) -> Iterator[Step]:
    """A look that began earlier, or is made twice, may bring the same news at any later time."""
    if not task.has_vendor_id or task.running:
        return
    for status in (Status.COMPLETED, Status.FAILED):
        _, after, word = scripts.settle(task, True, status, fault)
        yield Step(f"a look finds that it is over: {status}", after, word)


def _of_sweeper(task: Task, fault: Fault | None) -> Iterator[Step]:
    if not task.in_leases:
        return
    if fault is Fault.SENDING_NEVER_SWEPT and task.status is Status.SENDING:
        return
    if task.status is Status.UNKNOWN and not _hold_may_end(task, fault):
        return
    what = "hold" if task.status is Status.UNKNOWN else "lease"
    after, word = scripts.sweep_lease(task, fault)
    yield Step(f"its {what} is over", after, word)


def _hold_may_end(task: Task, fault: Fault | None) -> bool:
    """The one assumption of the model: the hold is longer than anything that came of the mark.

    That is what its length must buy (a submit's deadline, the longest run of a task and a margin),
    together with the send window, which stops a process that was held up after its mark.
    """
    if fault is Fault.HOLD_TOO_SHORT:
        return True
    if fault is Fault.UNKNOWN_NEVER_SWEPT:
        return False
    stages = {holder.stage for holder in task.holders}
    about_to_send = Stage.MAY_SEND in stages and fault is not Fault.NO_SEND_WINDOW
    in_network = task.on_the_way > 0 or Stage.WAITS_ON_THE_WAY in stages
    return not (about_to_send or in_network or task.running)


def _accepted(task: Task) -> Task:
    return task._replace(running=task.running + 1, accepted=task.accepted + 1)


def _abandoned(task: Task, holder: Holder) -> Task:
    """Nobody waits any more for what it sent."""
    orphans = 1 if holder.stage is Stage.WAITS_ON_THE_WAY else 0
    return task.without(holder)._replace(on_the_way=task.on_the_way + orphans)


def settled(task: Task, fault: Fault | None) -> Task:
    """Without the late requests that can never do anything any more.

    Nothing writes into an ended task, so what would do nothing to it now, never will.
    """
    if not task.late or task.status not in ENDED:
        return task
    late = [each for each in task.late if _has_effect(each, task, fault)]
    return task._replace(late=tuple(late))


def _has_effect(late: Late, task: Task, fault: Fault | None) -> bool:
    _, after, word = scripts.run(late.script, task, late.fresh, fault)
    return after != task or word is not Word.NOTHING
