"""The overview as it changes. While anybody watches, one loop of a process reads it for all."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.api.admin.overview_telling import LaneName, lanes_told, overview_told, sections_told
from gateway.domain.errors import StoreUnavailable
from gateway.lifecycle.overview import Overview, Overviews

log = logging.getLogger(__name__)

_EVERY_SECONDS = 1.0
_MOST_UNREAD = 2_000
"""Messages. Whoever does not take them in is cut off, and comes back for the whole."""

Versions = Callable[[], tuple[str, ...]]
"""Change when accounts or tenants do."""


@dataclass(eq=False, slots=True)
class Watcher:
    """Somebody's unread messages; None is the last."""

    _unread: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)

    async def next(self, seconds: float) -> str | None:
        """What is to be read next; None after the last.

        Raises:
            TimeoutError: nothing came within the time.
        """
        async with asyncio.timeout(seconds):
            return await self._unread.get()

    def send(self, message: str) -> bool:
        """False once there are too many."""
        if self._unread.qsize() >= _MOST_UNREAD:
            return False
        self._unread.put_nowait(message)
        return True

    def end(self) -> None:
        self._unread.put_nowait(None)


class Live:
    """Messages in the form of server-sent events. `run` must be running for anything to come."""

    def __init__(self, overviews: Overviews, versions: Versions) -> None:
        self._overviews = overviews
        self._versions = versions
        self._watchers: set[Watcher] = set()
        self._watched = asyncio.Event()
        self._stopping = False
        self._known = _Known()

    async def overview(self) -> dict[str, Any]:
        """The whole, as it is now.

        Raises:
            StoreUnavailable: nobody knows.
        """
        return overview_told(await self._overviews.read())

    @contextmanager
    def watching(self) -> Iterator[Watcher]:
        """Somebody who is told the whole, then what changes, until the process stops or they fall
        behind."""
        watcher = Watcher()
        if self._stopping:
            watcher.end()
        else:
            watcher.send(self._first())
            self._watchers.add(watcher)
            self._watched.set()
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def run(self) -> None:
        """Read, while anybody watches, until cancelled."""
        while True:
            if not self._watchers:
                self._known = _Known()  # whoever comes next gets the whole
                self._watched.clear()
                await self._watched.wait()
            try:
                messages = self._known.take_in(await self._overviews.read(), self._versions())
            except StoreUnavailable:
                messages = self._known.away()
            except (Exception, asyncio.CancelledError):
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                log.exception("the overview could not be read")
                messages = []
            self._send(messages)
            await asyncio.sleep(_EVERY_SECONDS)

    def stop(self) -> None:
        """End all streams: a process that stops waits for its requests."""
        self._stopping = True
        for watcher in self._watchers:
            watcher.end()

    def _first(self) -> str:
        return self._known.whole() or _message("hello", {})

    def _send(self, messages: list[str]) -> None:
        for watcher in list(self._watchers):
            if not all(watcher.send(message) for message in messages):
                self._watchers.discard(watcher)
                watcher.end()


class _Known:
    """What was told last, so that only changes are told."""

    def __init__(self) -> None:
        self._lanes: dict[LaneName, str] = {}
        self._sections: dict[str, str] = {}
        self._versions: tuple[str, ...] | None = None
        self._overview: Overview | None = None
        self._away = False

    def whole(self) -> str | None:
        """Everything as it is known; None where nothing is."""
        if self._overview is None:
            return None
        return _message("overview", overview_told(self._overview))

    def take_in(self, overview: Overview, versions: tuple[str, ...]) -> list[str]:
        """What is new about it, as messages."""
        lanes = {name: json.dumps(lane) for name, lane in lanes_told(overview).items()}
        sections = {name: json.dumps(part) for name, part in sections_told(overview).items()}
        first, self._overview = self._overview is None, overview
        messages = (
            [_message("overview", overview_told(overview))]
            if first
            else self._changes(lanes, sections, versions)
        )
        if self._away:
            messages.insert(0, _message("store", {"up": True}))
        self._lanes, self._sections, self._versions = lanes, sections, versions
        self._away = False
        return messages

    def away(self) -> list[str]:
        if self._away:
            return []
        self._away = True
        return [_message("store", {"up": False})]

    def _changes(
        self, lanes: dict[LaneName, str], sections: dict[str, str], versions: tuple[str, ...]
    ) -> list[str]:
        changed = [text for name, text in lanes.items() if self._lanes.get(name) != text]
        messages = [_raw("lane", text) for text in changed]
        for account, model in self._lanes.keys() - lanes.keys():
            messages.append(_message("gone", {"account": account, "model": model}))
        for name, text in sections.items():
            if self._sections.get(name) != text:
                messages.append(_raw(name, text))
        if versions != self._versions:
            messages.append(_message("config", {}))
        return messages


def _message(event: str, data: object) -> str:
    return _raw(event, json.dumps(data))


def _raw(event: str, data: str) -> str:
    return f"event: {event}\ndata: {data}\n\n"
