"""One ASGI application out of the vendor's routes, the media and the control plane."""

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.simulator import control, media, wire
from gateway.simulator.errors import VendorError
from gateway.simulator.state import Simulator

COUNTED_PATHS = (
    f"{wire.PREFIX}/videos/generations",
    f"{wire.PREFIX}/async-result",
    "/media",
    "/simulator",
)


class Counted:
    """Counts requests by path, in front of everything, so that no request is missed."""

    def __init__(self, app: ASGIApp, simulator: Simulator) -> None:
        self._app = app
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = next((p for p in COUNTED_PATHS if scope["path"].startswith(p)), "other")
            self._simulator.requests[path] += 1
        await self._app(scope, receive, send)


def build_app(simulator: Simulator) -> ASGIApp:
    app = FastAPI(
        title="Simulator of bigmodel.cn",
        routes=[*wire.routes(simulator), *media.routes(simulator)],
        docs_url="/simulator/docs",
        redoc_url=None,
        openapi_url="/simulator/openapi.json",
    )
    app.include_router(control.router(simulator))
    app.add_exception_handler(HTTPException, _not_ours)
    return Counted(app, simulator)


async def _not_ours(request: Request, error: Exception) -> JSONResponse:
    """A wrong path or method outside the control plane gets the vendor's envelope."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these alone
    if request.url.path.startswith("/simulator"):
        return JSONResponse({"detail": error.detail}, error.status_code)
    unknown = VendorError("1222", request.url.path)
    body = {"error": {"code": unknown.code, "message": unknown.message}}
    return JSONResponse(body, error.status_code)
