"""Waiting for a task's end, for callers who want one answer and not many questions."""

from __future__ import annotations

import asyncio
import contextlib

from gateway.domain.errors import StoreUnavailable
from gateway.domain.ports import Endings, Tasks
from gateway.domain.task import Task


class Waiting:
    """Lets callers wait. Each is woken by the end; nobody asks the store again and again."""

    def __init__(self, tasks: Tasks, endings: Endings) -> None:
        self._tasks = tasks
        self._endings = endings
        self._waiting: set[asyncio.Event] = set()
        self._stopping = False

    async def until_ended(self, task: Task, seconds: float) -> Task:
        """The task as it stands when it has ended, the time is over, or the process stops."""
        with self._endings.watch(task.id) as heard, contextlib.suppress(TimeoutError):
            self._waiting.add(heard)
            try:
                async with asyncio.timeout(seconds):
                    # Asked only after the watch began: an end in between cannot be missed.
                    while not task.ended and not self._stopping:
                        heard.clear()
                        with contextlib.suppress(StoreUnavailable):
                            task = await self._tasks.get(task.id) or task
                        if not task.ended and not self._stopping:
                            await heard.wait()
            finally:
                self._waiting.discard(heard)
        return task

    def stop(self) -> None:
        """Let all go, with their tasks as they stand."""
        self._stopping = True
        for heard in self._waiting:
            heard.set()
