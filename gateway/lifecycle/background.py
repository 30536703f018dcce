"""The background loops: looks, claims from the queue, the sweeping up after dead processes, and the
ledger's growing older.

Any number of processes may run them at once; what each does is claimed in the store first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable

from gateway.domain.errors import StoreUnavailable
from gateway.domain.happenings import LoopStepped, StepResult
from gateway.domain.ports import Journal, Tasks
from gateway.lifecycle.bookkeeping import Bookkeeping
from gateway.lifecycle.dispatcher import Dispatcher
from gateway.lifecycle.poller import Poller

log = logging.getLogger(__name__)

# A freed slot is handed on at once; this only catches what no event woke, within half a second.
_CLAIM_EVERY_SECONDS = 0.4
_SWEEP_EVERY_SECONDS = 1.0
_BATCH = 50


class Background:
    """Runs the loops until it is told to stop. Nothing short of that ends them."""

    def __init__(
        self,
        tasks: Tasks,
        dispatcher: Dispatcher,
        poller: Poller,
        bookkeeping: Bookkeeping,
        journal: Journal,
    ) -> None:
        self._tasks = tasks
        self._dispatcher = dispatcher
        self._poller = poller
        self._bookkeeping = bookkeeping
        self._journal = journal
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._repeat("looks", self._poller.step))
            loops.create_task(self._repeat("queue", self._claim_step))
            loops.create_task(self._repeat("sweep", self._sweep_step))
            loops.create_task(self._repeat("ledger", self._bookkeeping.step))

    def stop(self) -> None:
        """End each loop after its step: claims that the store is just handing out are not lost."""
        self._stopping.set()

    async def _claim_step(self) -> float:
        claims = await self._tasks.claim_waiting(_BATCH)
        self._dispatcher.dispatch(claims)
        return 0.0 if len(claims) == _BATCH else _CLAIM_EVERY_SECONDS

    async def _sweep_step(self) -> float:
        swept = await self._tasks.sweep(_BATCH)
        self._dispatcher.dispatch(swept.claims)
        return _SWEEP_EVERY_SECONDS

    async def _repeat(self, name: str, step: Callable[[], Awaitable[float]]) -> None:
        """Make a step again and again, after the seconds it returns; wait out what goes wrong."""
        failures = 0
        while not self._stopping.is_set():
            try:
                pause = await step()
                if failures:
                    log.info("%s: going on after %d failed tries", name, failures)
                failures = 0
                result = StepResult.OK
            except StoreUnavailable:
                if not failures:
                    log.warning("%s: the store is away", name)
                failures += 1
                pause = _back_off(failures, 1.0)
                result = StepResult.STORE_AWAY
            except (Exception, asyncio.CancelledError):
                # A cancellation that nobody asked for, from some depth of a library, must not end
                # a loop in silence: the process would go on looking healthy.
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                log.exception("%s: a step failed", name)
                failures += 1
                pause = _back_off(failures, 5.0)
                result = StepResult.ERROR
            self._journal.tell(LoopStepped(loop=name, result=result))
            pause *= random.uniform(0.8, 1.2)  # noqa: S311 - only jitter
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()


def _back_off(failures: int, longest: float) -> float:
    return min(0.1 * 2.0 ** min(failures, 10), longest)
