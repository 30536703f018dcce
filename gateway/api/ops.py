"""For those who run the gateway: is it alive, is it ready, how is it doing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request


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


def metrics_router(
    exposition: Callable[[], Awaitable[bytes]], check: Callable[[Request], object] | None
) -> APIRouter:
    """`check` lets operators pass; None on a port of its own, which only they can reach."""
    routes = APIRouter()

    @routes.get("/metrics")
    async def metrics(request: Request) -> Response:
        if check is not None:
            check(request)
        return Response(await exposition(), media_type=CONTENT_TYPE_LATEST)

    return routes
