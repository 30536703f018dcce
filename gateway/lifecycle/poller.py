"""Step 3: look at tasks that are due. One question to the vendor, shared by all processes."""

from __future__ import annotations

import asyncio
import logging

from gateway.domain.ports import DueLook, MissingSoFar, Tasks
from gateway.domain.provider_answers import (
    Failed,
    KeyRefused,
    LookAnswer,
    Missing,
    Running,
    Succeeded,
)
from gateway.domain.task import TaskError
from gateway.lifecycle.dispatcher import Dispatcher
from gateway.lifecycle.look_schedule import LookSchedule
from gateway.lifecycle.looks import Looks
from gateway.lifecycle.persistence import until_stored
from gateway.lifecycle.settlement import Settlement

log = logging.getLogger(__name__)

# A task accepted meanwhile, here or elsewhere, may be due sooner than all known before.
_LONGEST_PAUSE_SECONDS = 0.25

# One "not found" may be the vendor's own lag between its servers.
_MISSING_TIMES = 3
_PROVIDER_TASK_LOST = TaskError(
    code="provider_task_not_found", message="the vendor no longer knows this task"
)


class Poller:
    """Takes what is due and looks, many at a time: one slow answer holds up nobody else."""

    def __init__(
        self,
        tasks: Tasks,
        settlement: Settlement,
        dispatcher: Dispatcher,
        looks: Looks,
        schedule: LookSchedule,
        *,
        at_once: int,
        missing_seconds: float,
    ) -> None:
        self._tasks = tasks
        self._settlement = settlement
        self._dispatcher = dispatcher
        self._looks = looks
        self._schedule = schedule
        self._at_once = at_once
        self._missing_seconds = missing_seconds
        self._running: set[asyncio.Task[None]] = set()

    async def step(self) -> float:
        """Start the looks that are due and return the seconds until there may be more."""
        room = self._at_once - len(self._running)
        if room <= 0:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return 0.0
        looks, next_due = await self._tasks.take_due(room)
        for look in looks:
            running = asyncio.create_task(self._look(look), name=f"look at {look.task_id}")
            self._running.add(running)
            running.add_done_callback(self._running.discard)
        return _LONGEST_PAUSE_SECONDS if next_due is None else min(next_due, _LONGEST_PAUSE_SECONDS)

    async def drain(self) -> None:
        """Wait for the looks that are under way."""
        if self._running:
            await asyncio.wait(self._running)

    async def _look(self, look: DueLook) -> None:
        try:
            answer = await self._looks.ask(look.account, look.api_key_id, look.provider_task_id)
            await self._take_in(look, answer)
        except Exception:
            # Nobody said when to look again, so it is due when the look's lease runs out.
            log.exception("task %s: a look failed", look.task_id)

    async def _take_in(self, look: DueLook, answer: LookAnswer) -> None:
        match answer:
            case Succeeded(videos, model):
                claims = await self._settlement.settle(
                    look.task_id, look.claim_number, videos, model
                )
                self._dispatcher.dispatch(claims)
            case Failed(error):
                claims = await self._settlement.settle(look.task_id, look.claim_number, error)
                self._dispatcher.dispatch(claims)
            case Missing(reason):
                log.warning("task %s: %s", look.task_id, reason)
                await self._missing(look)
            case Running(doubt) | KeyRefused(doubt):
                if doubt:
                    log.warning("task %s: taken as still running: %s", look.task_id, doubt)
                await self._again(look, missing=False)

    async def _missing(self, look: DueLook) -> None:
        so_far = await self._again(look, missing=True)
        if so_far.times >= _MISSING_TIMES and so_far.seconds >= self._missing_seconds:
            claims = await self._settlement.settle(
                look.task_id, look.claim_number, _PROVIDER_TASK_LOST
            )
            self._dispatcher.dispatch(claims)

    async def _again(self, look: DueLook, *, missing: bool) -> MissingSoFar:
        delay = self._schedule.delay(look.model, look.age_seconds)
        return await until_stored(lambda: self._tasks.look_again(look, delay, missing))
