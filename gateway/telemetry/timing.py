"""Times what a process does: its answers to requests, the store's to it, and its own event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.telemetry import metrics
from gateway.telemetry.metrics import Counting

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LAG_EVERY_SECONDS = 0.5


class TimedRequests:
    """Counts and times each request under the template of its route."""

    def __init__(self, app: ASGIApp, counting: Counting) -> None:
        self._app = app
        self._counting = counting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, code = time.perf_counter(), 0
        seconds = None

        async def timed(message: Message) -> None:
            nonlocal code, seconds
            if message["type"] == "http.response.start":
                code, seconds = message["status"], time.perf_counter() - began
            await send(message)

        try:
            await self._app(scope, receive, timed)
        finally:
            self._count(scope, code, seconds)

    def _count(self, scope: Scope, code: int, seconds: float | None) -> None:
        """`code` is 0, and `seconds` None, where the client left before it was answered."""
        # What the router found; what it did not is anybody's invention, and no label.
        route = getattr(scope.get("route"), "path", "other")
        dialect = getattr(scope.get("state", {}).get("dialect"), "name", "none")
        if route.startswith(("/admin", "/dashboard")) or route == "other":
            dialect = "none"
        asked = "HEAD" if scope.get("state", {}).get("head_only") else scope["method"]
        method = asked if asked in _METHODS else "other"
        self._counting.add(metrics.HTTP_REQUESTS, dialect, route, method, str(code))
        if seconds is not None:
            self._counting.observe(metrics.HTTP_SECONDS, seconds, dialect, route)


class TimedStore:
    """Around each question to the store."""

    def __init__(self, counting: Counting) -> None:
        self._counting = counting

    async def __call__(self, name: str, command: Awaitable[Any]) -> Any:
        began = time.perf_counter()
        try:
            return await command
        except Exception:
            self._counting.add(metrics.STORE_ERRORS)
            raise
        finally:
            self._counting.observe(metrics.STORE_SECONDS, time.perf_counter() - began, name)


class LoopLag:
    """Sleeps a little again and again, and sees how much too late it wakes up."""

    def __init__(self, counting: Counting) -> None:
        self._counting = counting

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(_LAG_EVERY_SECONDS)
            late = time.perf_counter() - began - _LAG_EVERY_SECONDS
            self._counting.observe(metrics.LOOP_LAG, max(0.0, late))
