"""Waiting for a task's end, for callers who want one answer and not many questions."""

from __future__ import annotations

import asyncio
import contextlib

from gateway.domain.errors import NotFound, StoreUnavailable
from gateway.domain.ports import Endings, Tasks
from gateway.domain.task import Task

# A store that did not answer just when an end was told: nobody will tell it again.
_ASK_AGAIN_SECONDS = 1.0


class Waiting:
    """Lets callers wait. Each is woken by the end; nobody asks the store again and again."""

    def __init__(self, tasks: Tasks, endings: Endings) -> None:
        self._tasks = tasks
        self._endings = endings
        self._waiting: set[asyncio.Event] = set()
        self._stopping = False

    async def until_ended(self, task: Task, seconds: float) -> Task:
        """The task as it stands when it is over for its caller, the time is, or the process stops.

        Raises:
            NotFound: it was deleted meanwhile.
        """
        with self._endings.watch(task.id) as heard, contextlib.suppress(TimeoutError):
            self._waiting.add(heard)
            try:
                async with asyncio.timeout(seconds):
                    # Asked only after the watch began: an end in between cannot be missed.
                    while not task.as_told().ended and not self._stopping:
                        heard.clear()
                        try:
                            task = await self._read(task.id)
                            patience = None
                        except StoreUnavailable:
                            patience = _ASK_AGAIN_SECONDS
                        if not task.as_told().ended and not self._stopping:
                            with contextlib.suppress(TimeoutError):
                                async with asyncio.timeout(patience):
                                    await heard.wait()
            finally:
                self._waiting.discard(heard)
        if not task.as_told().ended:
            with contextlib.suppress(StoreUnavailable):
                return await self._read(task.id)  # it may have started meanwhile
        return task

    async def _read(self, task_id: str) -> Task:
        task = await self._tasks.get(task_id)
        if task is None:
            raise NotFound("there is no such task")
        return task

    def stop(self) -> None:
        """Let all go, with their tasks as they stand."""
        self._stopping = True
        for heard in self._waiting:
            heard.set()
