"""Step 3: look at tasks that are due. One question to the vendor, shared by all processes."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from gateway.domain.happenings import Looked
from gateway.domain.ports import DueLook, Journal, MissingSoFar, Tasks
from gateway.domain.provider_answers import (
    Failed,
    KeyRefused,
    LookAnswer,
    Missing,
    Running,
    Succeeded,
)
from gateway.domain.task import TaskError
from gateway.domain.video import Video
from gateway.lifecycle.dispatcher import Dispatcher
from gateway.lifecycle.look_schedule import LookSchedule
from gateway.lifecycle.looks import Looks
from gateway.lifecycle.persistence import until_stored
from gateway.lifecycle.settlement import Settlement
from gateway.lifecycle.turns import TakenLook, Turns

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
        turns: Turns,
        journal: Journal,
        *,
        at_once: int,
        missing_seconds: float,
    ) -> None:
        """`at_once` bounds the looks under way; those that wait for a turn are not among them."""
        self._tasks = tasks
        self._settlement = settlement
        self._dispatcher = dispatcher
        self._looks = looks
        self._schedule = schedule
        self._turns = turns
        self._journal = journal
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
            taken = TakenLook(look)
            if self._turns.ask(taken):
                self._start(taken)
        return _LONGEST_PAUSE_SECONDS if next_due is None else min(next_due, _LONGEST_PAUSE_SECONDS)

    async def drain(self) -> None:
        """Wait for the looks that are under way."""
        self._turns.drop_all()
        if self._running:
            await asyncio.wait(self._running)

    def _start(self, taken: TakenLook) -> None:
        running = asyncio.create_task(self._look(taken), name=f"look at {taken.look.task_id}")
        self._running.add(running)
        running.add_done_callback(partial(self._ended, taken.look.account))

    def _ended(self, account: str, running: asyncio.Task[None]) -> None:
        self._running.discard(running)
        if (taken := self._turns.pass_on(account)) is not None:
            self._start(taken)

    async def _look(self, taken: TakenLook) -> None:
        look, asked_at = taken.look, taken.task_age_seconds
        try:
            answer = await self._looks.ask(
                look.account, look.variant.provider, look.api_key_id, look.provider_task_id
            )
            self._journal.tell(
                Looked(
                    task_id=look.task_id,
                    account=look.account,
                    provider=look.variant.provider,
                    answer=answer,
                )
            )
            await self._take_in(taken, answer, asked_at)
        except Exception:
            # Nobody said when to look again, so it is due when the look's lease runs out.
            log.exception("task %s: a look failed", look.task_id)

    async def _take_in(self, taken: TakenLook, answer: LookAnswer, asked_at: float) -> None:
        """`asked_at` and the like are ages of the task: it ran when asked, or was over by now."""
        look, now = taken.look, taken.task_age_seconds
        match answer:
            case Succeeded(videos, model):
                await self._settle(look, videos, model, now)
            case Failed(error):
                await self._settle(look, error, None, now)
            case Missing():
                so_far = await self._again(look, now, missing=True)
                if so_far.times >= _MISSING_TIMES and so_far.seconds >= self._missing_seconds:
                    await self._settle(look, _PROVIDER_TASK_LOST, None, None)
            case Running(None):
                await self._again(look, now, running_at=asked_at)
            case Running() | KeyRefused():
                await self._again(look, now)

    async def _settle(
        self,
        look: DueLook,
        ending: tuple[Video, ...] | TaskError,
        model: str | None,
        age: float | None,
    ) -> None:
        claims = await self._settlement.settle(look.task_id, look.claim_number, ending, model, age)
        self._dispatcher.dispatch(claims)

    async def _again(
        self,
        look: DueLook,
        age: float,
        *,
        missing: bool = False,
        running_at: float | None = None,
    ) -> MissingSoFar:
        delay = self._schedule.delay(look.variant, age, work_waits=look.work_waits)
        return await until_stored(lambda: self._tasks.look_again(look, delay, missing, running_at))
