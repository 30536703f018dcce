"""Failures on demand, at named places: round each call to the store, at each step to a vendor.

For tests of a process that dies, pauses or stumbles exactly there (`GATEWAY_FAILPOINTS`). Nothing
else of the package knows that it can: `bootstrap` puts this round the store and the vendors' HTTP
where the setting says so, and nowhere otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx
from redis import exceptions

log = logging.getLogger(__name__)


class Failure(StrEnum):
    KILL = "kill"
    """SIGKILL to this process."""
    PAUSE = "pause"
    """SIGSTOP to this process: whoever set the failpoint lets it go on."""
    RAISE = "raise"
    """An exception that nobody expects."""
    RESET = "reset"
    """The connection is lost: to the store, or to the vendor."""
    CANCEL = "cancel"
    """The asyncio task is cancelled."""


@dataclass(frozen=True, slots=True)
class Failpoint:
    """Where, what, and how often: it strikes from the `first` time that the place is reached.

    Places are `before <call>` and `after <call>` for the store's scripts and commands, and
    `submit <step>` and `look <step>` for httpcore's steps, `http11.send_request_body.complete`
    among them. `after` a call means that it was made and its answer is lost.
    """

    place: str
    failure: Failure
    first: int = 1
    times: int = 1


class UnexpectedFailure(Exception):
    """What `raise` raises."""


class Failpoints:
    """Counts how often each place is reached, and strikes."""

    def __init__(self, failpoints: Iterable[Failpoint]) -> None:
        self._by_place = {point.place: point for point in failpoints}
        self._reached: Counter[str] = Counter()

    async def around_store(self, name: str, command: Awaitable[Any]) -> Any:
        """Make a call to the store, unless it is to fail before or after."""
        lost = exceptions.ConnectionError("failpoint")
        try:
            self._reach(f"before {name}", lost)
        except BaseException:
            _discard(command)
            raise
        answer = await command
        self._reach(f"after {name}", lost)
        return answer

    async def at_vendor(self, step: str) -> None:
        """A step of a request to a vendor is reached."""
        connecting = "connect_tcp" in step
        self._reach(step, (httpx.ConnectError if connecting else httpx.ReadError)("failpoint"))

    def _reach(self, place: str, lost: Exception) -> None:
        point = self._by_place.get(place)
        if point is None:
            return
        self._reached[place] += 1
        if not point.first <= self._reached[place] < point.first + point.times:
            return
        log.warning("failpoint: %s at %s", point.failure, place)
        _STRIKES[point.failure](lost)


def _strike_raise(lost: Exception) -> None:
    raise UnexpectedFailure("failpoint")


def _strike_reset(lost: Exception) -> None:
    raise lost


def _strike_cancel(lost: Exception) -> None:
    raise asyncio.CancelledError("failpoint")


_STRIKES: dict[Failure, Callable[[Exception], None]] = {
    Failure.KILL: lambda lost: os.kill(os.getpid(), signal.SIGKILL),
    Failure.PAUSE: lambda lost: os.kill(os.getpid(), signal.SIGSTOP),
    Failure.RAISE: _strike_raise,
    Failure.RESET: _strike_reset,
    Failure.CANCEL: _strike_cancel,
}


def _discard(command: Awaitable[Any]) -> None:
    """A coroutine that will never be awaited is closed, or Python complains about it."""
    if asyncio.iscoroutine(command):
        command.close()
