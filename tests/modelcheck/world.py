"""All tasks together: which states follow a state.

A state is the sorted codes of its tasks and the breaker, packed into one number. Tasks are alike
and so are processes, so states that differ only in who is who are one state: sorting makes them
equal. What a task can do next depends on little else, so it is worked out once for each code.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gateway.domain.task import ENDED, Status
from tests.modelcheck.breaker import Breaker, may_claim
from tests.modelcheck.config import Config, Counts, packed, unpacked
from tests.modelcheck.faults import Fault
from tests.modelcheck.promises import (
    broken_by_all,
    broken_by_claim,
    broken_by_step,
    broken_by_task,
)
from tests.modelcheck.scripts import Word
from tests.modelcheck.steps import Needs, Step, settled, steps
from tests.modelcheck.task import Task

_CODE_BITS = 18
_CODE_MASK = (1 << _CODE_BITS) - 1
_BREAKER_BITS = 4
_BREAKER_MASK = (1 << _BREAKER_BITS) - 1


class Move(NamedTuple):
    """A step with its task as a code, as it is taken millions of times."""

    after: int
    word: Word
    needs: Needs
    well: bool


class Broken(Exception):
    """A step that nobody may take can be taken: of which task (its code), and what is wrong."""

    def __init__(self, code: int, step: Step, what: str) -> None:
        super().__init__(what)
        self.code = code
        self.step = step
        self.what = what


class World:
    """The states of one configuration, with at most one fault planted."""

    def __init__(self, config: Config, fault: Fault | None = None) -> None:
        self.config = config
        self.fault = fault
        self.tasks: list[Task] = []
        self.moves_seen: set[tuple[Status | None, Status | None]] = set()
        """From which status to which."""
        self._codes: dict[Task, int] = {}
        self._counts: list[int] = []
        self._moves: list[list[Move] | None] = []
        self._broken: dict[int, str] = {}
        """Codes of tasks that break a promise by themselves."""
        self._judged: dict[int, str | None] = {}
        """What was found of all tasks together, by their packed counts."""
        self._ables: dict[tuple[int, int], list[bool]] = {}
        """What is possible, by packed counts and breaker."""
        shifts = [place * _CODE_BITS for place in reversed(range(config.tasks))]
        self._shifts = [(shift, (1 << shift) - 1) for shift in shifts]

    def start(self) -> int:
        return self.pack([self.code(Task())] * self.config.tasks, Breaker())

    def code(self, task: Task) -> int:
        """The number that stands for a task."""
        if (known := self._codes.get(task)) is not None:
            return known
        code = self._codes[task] = len(self.tasks)
        if code > _CODE_MASK:
            raise OverflowError("more kinds of tasks than codes")
        self.tasks.append(task)
        self._counts.append(packed(_counts(task)))
        self._moves.append(None)
        if broken := broken_by_task(task):
            self._broken[code] = broken
        return code

    def pack(self, codes: Iterable[int], breaker: Breaker) -> int:
        state = 0
        for code in sorted(codes):
            state = state << _CODE_BITS | code
        return state << _BREAKER_BITS | breaker.code

    def unpack(self, state: int) -> tuple[list[int], Breaker]:
        breaker = Breaker.of(state & _BREAKER_MASK)
        places = range(self.config.tasks - 1, -1, -1)
        codes = [state >> place * _CODE_BITS + _BREAKER_BITS & _CODE_MASK for place in places]
        return codes, breaker

    def ended(self, state: int) -> bool:
        codes, _ = self.unpack(state)
        return all(self.tasks[code].status in ENDED for code in codes)

    def broken(self, state: int) -> str | None:
        """What is wrong in this state, if anything."""
        codes, _ = self.unpack(state)
        if self._broken:
            for code in codes:
                if code in self._broken:
                    return self._broken[code]
        total = sum([self._counts[code] for code in codes])
        if total not in self._judged:
            self._judged[total] = broken_by_all(unpacked(total), self.config)
        return self._judged[total]

    def follow(self, state: int) -> Iterator[tuple[int, bool]]:
        """The states after this one, and whether all goes well on the way there.

        Raises:
            Broken: a step from here breaks a promise.
        """
        codes, breaker = self.unpack(state)
        paused = breaker.paused_enough(self.fault)
        if paused is not breaker:
            yield state & ~_BREAKER_MASK | paused.code, True
        counts, all_moves, breaker_code = self._counts, self._moves, state & _BREAKER_MASK
        total = sum([counts[code] for code in codes])
        able = self._able(total, breaker_code)
        for place, code in enumerate(codes):
            if place and code == codes[place - 1]:
                continue  # its twin has made these steps
            rest = codes[:place] + codes[place + 1 :]
            gaps = self._gaps(state, place)
            moves = all_moves[code]
            for after, word, needs, well in self._work_out(code) if moves is None else moves:
                if needs:
                    if not able[needs]:
                        continue
                    if needs >= Needs.SLOT:
                        self._judge_claim(code, breaker, total)
                told = breaker_code
                if word:
                    told = self._told(word, breaker_code, total - counts[code] + counts[after])
                gap, shift = gaps[bisect(rest, after)]
                yield gap | after << shift | told, well

    def _gaps(self, state: int, place: int) -> list[tuple[int, int]]:
        """For a state without the code at a place: by the place where another may go in, the state
        with a gap there, and the shift of that gap."""
        shift, mask = self._shifts[place]
        body = state >> _BREAKER_BITS
        rest = body >> shift + _CODE_BITS << shift | body & mask
        return [
            (
                (rest >> shift << shift + _CODE_BITS | rest & mask) << _BREAKER_BITS,
                shift + _BREAKER_BITS,
            )
            for shift, mask in self._shifts
        ]

    def _told(self, word: Word, breaker_code: int, total: int) -> int:
        """The breaker after a script's word, when these are the counts."""
        if word is Word.HEARD:
            return 0
        breaker, unknown = Breaker.of(breaker_code), unpacked(total).unknown
        return breaker.told(word, unknown, self.config).code

    def steps_of(self, codes: list[int], breaker: Breaker) -> Iterator[tuple[int, Step]]:
        """What may happen next, by the place of the task: what `follow` does, told at length."""
        able = self._able(sum(self._counts[code] for code in codes), breaker.code)
        for place, code in enumerate(codes):
            for step in self._steps(code):
                if not step.needs or able[step.needs]:
                    yield place, step

    def take(
        self, codes: list[int], breaker: Breaker, place: int, step: Step
    ) -> tuple[list[int], int]:
        """The tasks after such a step, each where it was, and the state that they are."""
        after = self.code(settled(step.after, self.fault))
        there = [*codes[:place], after, *codes[place + 1 :]]
        unknown = unpacked(sum(self._counts[code] for code in there)).unknown
        return there, self.pack(there, breaker.told(step.word, unknown, self.config))

    def _work_out(self, code: int) -> list[Move]:
        """The moves of a task, each once, without those that change nothing."""
        task = self.tasks[code]
        found: dict[tuple[int, Word, Needs], bool] = {}
        for step in self._steps(code):
            if broken := broken_by_step(task, step):
                raise Broken(code, step, broken)
            if step.after == task and step.word is Word.NOTHING:
                continue
            self.moves_seen.add((task.status, step.after.status))
            key = (self.code(settled(step.after, self.fault)), step.word, step.needs)
            found[key] = found.get(key, False) or step.well
        moves = self._moves[code] = [Move(*key, well) for key, well in found.items()]
        return moves

    def _steps(self, code: int) -> Iterator[Step]:
        return steps(self.tasks[code], self.fault, self.config.cancels)

    def _able(self, total: int, breaker_code: int) -> list[bool]:
        """By need, whether it is met."""
        known = self._ables.get((total, breaker_code))
        if known is not None:
            return known
        counts = unpacked(total)
        claim = may_claim(counts, Breaker.of(breaker_code), self.config, self.fault)
        able = self._ables[total, breaker_code] = [
            True,
            counts.late < self.config.late_requests,
            claim,
            claim and counts.holders < self.config.processes,
        ]
        return able

    def _judge_claim(self, code: int, breaker: Breaker, total: int) -> None:
        if broken := broken_by_claim(breaker, unpacked(total)):
            claims = (s for s in self._steps(code) if s.needs >= Needs.SLOT)
            raise Broken(code, next(claims), broken)


def _counts(task: Task) -> Counts:
    return Counts(
        running=task.running,
        slots=int(task.in_slots),
        transit=int(task.in_transit),
        unknown=int(task.in_unknown),
        holders=len(task.holders),
        late=len(task.late),
    )
