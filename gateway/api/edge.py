"""What holds for every request and answer: plain paths, HEAD, errors in one envelope and in the
caller's words, a request id."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Sequence

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.dialects import BIGMODEL
from gateway.domain.errors import GatewayError, InvalidRequest, MethodNotAllowed, NotFound

log = logging.getLogger(__name__)

_SAFE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


# What a page in a browser may read of an answer beside its body.
_EXPOSED_HEADERS = (
    "Retry-After",
    "Idempotent-Replayed",
    "Preference-Applied",
    "Content-Range",
    "x-should-retry",
    "openai-poll-after-ms",
    "x-request-id",
    "x-task-id",
    "x-cost-fen",
    "x-budget-left-fen",
    "x-queue-position",
    "x-estimated-start-seconds",
)


def with_edge(
    app: FastAPI, timed: Callable[[ASGIApp], ASGIApp], cors_origins: Sequence[str] = ()
) -> ASGIApp:
    """Give the app our errors and, outermost, our request ids: a 500 has one as well. `timed` is
    put around what answers.

    Pages of `cors_origins` may call it from a browser; none may where the list is empty.
    """
    app.add_exception_handler(GatewayError, _gateway_error)
    app.add_exception_handler(HTTPException, _framework_error)
    app.add_exception_handler(ClientDisconnect, _client_left)
    app.add_exception_handler(Exception, _unexpected)
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=_EXPOSED_HEADERS,
            max_age=86400,
        )
    return Plain(RequestId(timed(app)))


def error_response(request: Request, error: GatewayError) -> JSONResponse:
    """The envelope that every client can read: Zhipu's, with OpenAI's two fields beside it."""
    status, code = getattr(request.state, "dialect", BIGMODEL).error(error)
    body = {
        "error": {
            "code": code,
            "message": error.message,
            "type": error.type,
            "param": error.param,
        }
    }
    headers: dict[str, str] = dict(getattr(request.state, "headers", {}))
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if not error.safe_to_repeat:
        headers["x-should-retry"] = "false"  # Zhipu's and OpenAI's SDKs obey it
    return JSONResponse(body, status, headers)


async def _gateway_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GatewayError)  # noqa: S101 - registered for this type alone
    return error_response(request, error)


async def _framework_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type alone
    if error.status_code == 404:
        return error_response(request, NotFound("there is nothing at this path"))
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"{request.method} is not allowed here; there is {allowed}"
        response = error_response(request, MethodNotAllowed(message))
        response.headers["Allow"] = allowed
        return response
    return error_response(request, InvalidRequest(error.detail))


async def _client_left(request: Request, error: Exception) -> JSONResponse:
    """Nobody reads this; it keeps a client that leaves in mid-body from looking like our fault."""
    return error_response(request, InvalidRequest("the body ended before it was whole"))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error(
        "request %s failed: %s %s",
        *(request.state.request_id, request.method, request.url.path),
    )
    return error_response(request, GatewayError("something went wrong inside the gateway"))


class Plain:
    """Takes a trailing slash off, since not every SDK follows the redirect that frameworks answer
    it with; and lets a HEAD be answered as its GET would be, of which the server sends the head."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # A copy: the server itself must go on seeing the HEAD.
            scope = {**scope, "state": {**scope.get("state", {})}}
            if len(scope["path"]) > 1:
                scope["path"] = scope["path"].rstrip("/") or "/"
            if scope["method"] == "HEAD":
                scope["method"] = "GET"
                scope["state"]["head_only"] = True
        await self._app(scope, receive, send)


class RequestId:
    """Puts `x-request-id` on every answer: the caller's where it is harmless, else a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"x-request-id"), "")
        request_id = given if _SAFE_REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)
