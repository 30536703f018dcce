"""For those who run the gateway: is it alive, is it ready, how is it doing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request

from gateway.api.deps import require_admin


def health_router(state: Callable[[], str]) -> APIRouter:
    """`state` says starting, ready or stopping.

    Neither route asks the store: an outage must not make an orchestrator restart the fleet.
    """
    routes = APIRouter()

    @routes.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @routes.get("/readyz")
    async def readyz() -> JSONResponse:
        status = state()
        return JSONResponse({"status": status}, 200 if status == "ready" else 503)

    return routes


def metrics_router(exposition: Callable[[], Awaitable[bytes]], admin_key: str | None) -> APIRouter:
    """`admin_key` is None on a port of its own, which only operators can reach."""
    routes = APIRouter()

    @routes.get("/metrics")
    async def metrics(request: Request) -> Response:
        if admin_key is not None:
            require_admin(request, admin_key)
        return Response(await exposition(), media_type=CONTENT_TYPE_LATEST)

    return routes
