"""One ASGI application out of the vendor's routes, the media and the control plane."""

from functools import partial

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.simulator import bigmodel, control, geekai, media
from gateway.simulator.connection import Answer
from gateway.simulator.dialect import Dialect
from gateway.simulator.errors import Reason, VendorError
from gateway.simulator.state import Simulator

# By how a path begins, the first that fits.
COUNTED_PATHS = (
    f"{bigmodel.PREFIX}/videos/generations",
    f"{bigmodel.PREFIX}/async-result",
    f"{geekai.PREFIX}/videos/generations",
    f"{geekai.PREFIX}/videos",
    f"{geekai.PREFIX}/video",
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
        title="Simulator of bigmodel.cn and geekai.co",
        routes=[
            *bigmodel.routes(simulator),
            *geekai.routes(simulator),
            *media.routes(simulator),
        ],
        docs_url="/simulator/docs",
        redoc_url=None,
        openapi_url="/simulator/openapi.json",
    )
    app.include_router(control.router(simulator))
    app.add_exception_handler(HTTPException, partial(_not_ours, simulator))
    return Counted(app, simulator)


async def _not_ours(simulator: Simulator, request: Request, error: Exception) -> Response:
    """A wrong path or method outside the control plane gets the vendor's envelope."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these alone
    path = request.url.path
    if path.startswith("/simulator"):
        return JSONResponse({"detail": error.detail}, error.status_code)
    of_geekai = path.startswith(f"{geekai.PREFIX}/")
    dialect: Dialect = geekai.GeekAI(simulator) if of_geekai else bigmodel.BigModel(simulator)
    refusal = dialect.refusal(VendorError(Reason.NO_SUCH_PATH, path))
    answer = Answer.refusal(refusal, dialect.envelope)
    return Response(answer.content, error.status_code, media_type="application/json")
