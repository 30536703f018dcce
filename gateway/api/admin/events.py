"""`/admin/overview`: the whole at one moment; `/admin/events`: the same, live."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import Request

from gateway.api.admin.deps import AdminServices, guard
from gateway.api.admin.keys import UNKEPT
from gateway.api.admin.tasks_documented import EVENTS, OVERVIEW
from gateway.domain.errors import GatewayError, StoreUnavailable

_SILENCE_SECONDS = 15.0
"""Proxies cut what is silent for longer; a comment keeps it open."""
_CHECK_SECONDS = 5.0
"""So long after a session or a key is over, its streams are."""
_COMMENT = ": still here\n\n"
_RETRY = "retry: 2000\n\n"


def router(services: AdminServices) -> APIRouter:
    check = guard(services)
    routes = APIRouter(prefix="/admin", dependencies=[Depends(check)])

    @routes.get("/overview", **OVERVIEW)
    async def overview(request: Request) -> JSONResponse:
        return JSONResponse(await services.live.overview(), headers=UNKEPT)

    @routes.get("/events", **EVENTS)
    async def events(request: Request) -> StreamingResponse:
        async def may_go_on() -> bool:
            try:
                await check(request)
            except StoreUnavailable:
                return True
            except GatewayError:
                return False
            return True

        # X-Accel-Buffering: nginx would hold events back until there are some kilobytes of them.
        return StreamingResponse(
            _stream(services, may_go_on),
            media_type="text/event-stream",
            headers={**UNKEPT, "X-Accel-Buffering": "no"},
        )

    return routes


async def _stream(
    services: AdminServices, may_go_on: Callable[[], Awaitable[bool]]
) -> AsyncIterator[str]:
    yield _RETRY
    said_at = checked_at = time.monotonic()
    with services.live.watching() as watcher:
        while True:
            message: str | None = ""
            with contextlib.suppress(TimeoutError):
                message = await watcher.next(_CHECK_SECONDS)
            now = time.monotonic()
            if now - checked_at >= _CHECK_SECONDS:
                checked_at = now
                if not await may_go_on():
                    return
            if message is None:
                return
            if not message and now - said_at >= _SILENCE_SECONDS:
                message = _COMMENT
            if message:
                said_at = now
                yield message
