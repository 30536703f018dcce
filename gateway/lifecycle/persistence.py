"""What was learnt from a vendor must reach the store, however long that is away."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.domain.errors import StoreUnavailable

T = TypeVar("T")

log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 2.0


async def until_stored(step: Callable[[], Awaitable[T]]) -> T:
    """Repeat a step of the store until it is answered; each is safe to run twice.

    Used for what nobody could find out again: a provider task id, the end of a task. A process
    that is killed meanwhile leaves the task to its lease.
    """
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return await step()
        except StoreUnavailable as error:
            if pause == _FIRST_PAUSE_SECONDS:
                log.warning("waiting for the store: %s", error.__cause__ or error)
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - only jitter
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
