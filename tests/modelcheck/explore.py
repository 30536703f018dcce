"""Walks through every state that can be reached, nearest first, and looks whether all can end."""

from __future__ import annotations

import resource
import sys
import time
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from tests.modelcheck.config import Config
from tests.modelcheck.faults import Fault
from tests.modelcheck.steps import Step
from tests.modelcheck.world import Broken, World

_NO_END = "not all tasks can end any more, even if from here on nothing goes wrong"


class Violation(NamedTuple):
    what: str
    path: list[int]
    """The states from the first on; no shorter way leads to it."""
    last: tuple[int, Step] | None = None
    """A step that must not be taken from the last of these states, and the code of its task."""

    @property
    def length(self) -> int:
        """How many steps it takes."""
        return len(self.path) - (0 if self.last else 1)


class Result(NamedTuple):
    world: World
    states: int
    edges: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    """Of this process, so far."""
    violation: Violation | None


class Explorer:
    """One walk. States are numbered in the order in which they are met."""

    def __init__(self, config: Config, fault: Fault | None = None) -> None:
        self.world = World(config, fault)
        start = self.world.start()
        self._numbers: dict[int, int] = {start: 0}
        self._states = array("Q", [start])
        self._parents = array("I", [0])
        self._edges = 0
        self._well = array("I")
        """The numbers of the states that follow by steps in which nothing goes wrong, for one
        state after the other."""
        self._well_from = array("Q")
        """By state, where its part of these begins."""

    def run(self) -> Result:
        began, cpu_began = time.monotonic(), time.process_time()
        violation = self._walk() or self._without_end()
        return Result(
            self.world,
            len(self._states),
            self._edges,
            time.monotonic() - began,
            time.process_time() - cpu_began,
            peak_bytes(),
            violation,
        )

    def _walk(self) -> Violation | None:
        number = 0
        while number < len(self._states):
            try:
                broken = self._expand(number)
            except Broken as error:
                return Violation(error.what, self._path(number), (error.code, error.step))
            if broken:
                return Violation(broken, self._path(len(self._states) - 1))
            number += 1
        self._well_from.append(len(self._well))
        return None

    def _expand(self, number: int) -> str | None:
        """Meet what follows a state; return what is wrong with the latest, if anything."""
        numbers, states, parents, well_edges = (
            *(self._numbers, self._states, self._parents, self._well),
        )
        self._well_from.append(len(well_edges))
        for after, well in self.world.follow(states[number]):
            self._edges += 1
            met = numbers.get(after)
            if met is None:
                met = numbers[after] = len(states)
                states.append(after)
                parents.append(number)
                if broken := self.world.broken(after):
                    return broken
            if well:
                well_edges.append(met)
        return None

    def _without_end(self) -> Violation | None:
        """A state from which no end can be reached by steps in which nothing goes wrong.

        Steps mostly lead away from the start, so going through the states backwards finds nearly
        all at once; what is left is gone through again until nothing changes.
        """
        self._numbers.clear()
        good = bytearray(self.world.ended(state) for state in self._states)
        left = [number for number in range(len(good) - 1, -1, -1) if not good[number]]
        while left:
            still = []
            for number in left:
                good[number] = any(good[after] for after in self._after(number))
                if not good[number]:
                    still.append(number)
            if len(still) == len(left):
                return Violation(_NO_END, self._path(still[-1]))
            left = still
        return None

    def _after(self, number: int) -> Iterator[int]:
        return iter(self._well[self._well_from[number] : self._well_from[number + 1]])

    def _path(self, number: int) -> list[int]:
        path = [number]
        while path[-1]:
            path.append(self._parents[path[-1]])
        return [self._states[number] for number in reversed(path)]


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
