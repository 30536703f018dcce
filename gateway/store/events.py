"""What the scripts tell all processes: which tasks ended, which copies are no longer true, and that
accounts or tenants changed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis import exceptions
from redis.asyncio import Redis

log = logging.getLogger(__name__)

# How often a silent connection is tried: a cut that nobody told us of is found by then.
_PING_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 2.0


class Events:
    """Listens on a connection of its own, and fits the port `Endings`.

    Publishing reaches whoever listens at that moment. So whenever listening begins, or begins
    anew, everybody is woken to ask the store once: something may have been missed.
    """

    def __init__(
        self,
        url: str,
        channel: str,
        *,
        changed: Callable[[str], None],
        perhaps_changed: Callable[[], None],
        accounts_changed: Callable[[], None],
        tenants_changed: Callable[[], None],
    ) -> None:
        self._url = url
        self._channel = channel
        self._changed = changed
        self._perhaps_changed = perhaps_changed
        self._accounts_changed = accounts_changed
        self._tenants_changed = tenants_changed
        self._failures = 0
        """In a row, to listen at all."""
        self._watched: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @contextmanager
    def watch(self, task_id: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._watched[task_id].add(event)
        try:
            yield event
        finally:
            self._watched[task_id].discard(event)
            if not self._watched[task_id]:
                del self._watched[task_id]

    async def run(self) -> None:
        """Listen until cancelled, over any number of outages of the store."""
        while True:
            try:
                await self._listen()
            except (exceptions.RedisError, OSError) as error:
                if not self._failures:
                    log.warning("not listening to the store's events: %s", type(error).__name__)
            except (Exception, asyncio.CancelledError):
                # Whoever waits would never be woken again, and nothing would show it.
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                log.exception("listening to the store's events was interrupted")
            self._failures += 1
            longest = min(0.1 * 2.0 ** min(self._failures, 10), _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - only jitter

    async def _listen(self) -> None:
        # No time-out on reads: silence is usual here. The ping finds a connection that is dead.
        async with (
            Redis.from_url(
                self._url,
                decode_responses=True,
                socket_timeout=None,
                socket_connect_timeout=_PING_SECONDS,
                health_check_interval=_PING_SECONDS,
            ) as redis,
            redis.pubsub() as listener,
        ):
            await listener.subscribe(self._channel)
            while True:
                message = await listener.get_message(timeout=_PING_SECONDS)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self._failures = 0
                    self._wake_all()
                elif message["type"] == "message":
                    self._hear(message["data"])

    def _hear(self, told: str) -> None:
        what, _, task_id = told.partition(" ")
        if what == "changed":
            self._changed(task_id)
        elif what == "accounts":
            self._accounts_changed()
        elif what == "tenants":
            self._tenants_changed()
        for event in self._watched.get(task_id, ()):
            event.set()

    def _wake_all(self) -> None:
        self._perhaps_changed()
        self._accounts_changed()
        self._tenants_changed()
        for events in self._watched.values():
            for event in events:
                event.set()
