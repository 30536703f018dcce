"""A store in which something happens at a bad moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from gateway.store.connection import open_store


class Meddling:
    """A process's store where something is done, once, just before a call of this name."""

    def __init__(self, store_url: str, pool: str, name: str, deed: Callable[[], Awaitable[object]]):
        self._name, self._deed, self._done = name, deed, False
        self.opened = open_store(store_url, pool, 5, self._around)

    async def _around(self, name: str, command: Awaitable[Any]) -> Any:
        if name == self._name and not self._done:
            self._done = True
            try:
                await self._deed()
            except BaseException:
                command.close()  # type: ignore[attr-defined]
                raise
        return await command
