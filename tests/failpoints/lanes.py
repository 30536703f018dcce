"""As many lanes as cases are played at once, and one simulator for all."""

from __future__ import annotations

import itertools
import queue
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests.failpoints.lane import Lane
from tests.harness import Processes


class Lanes:
    """Hands lanes out and takes them back. Where a case failed, nothing is played any more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        processes = self._stack.enter_context(closing(Processes("", "", folder)))
        self.vendor = processes.simulator({"nobody": 1})
        self._numbers = itertools.count()
        self._free: queue.SimpleQueue[Lane] = queue.SimpleQueue()

    @contextmanager
    def borrowed(self) -> Iterator[Lane]:
        try:
            lane = self._free.get_nowait()
        except queue.Empty:
            lane = self.new()
        yield lane
        lane.put_to_sleep()
        self._free.put(lane)

    def new(self) -> Lane:
        number = next(self._numbers)
        lane = Lane(self.vendor, self._folder / f"lane-{number}", number)
        self._stack.callback(lane.close)
        return lane

    def close(self) -> None:
        self._stack.close()
