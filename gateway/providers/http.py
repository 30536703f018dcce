"""HTTP to a vendor, with a deadline over all and a bound on what is read.

httpx bounds each read, not their sum: an answer that drips would hold a task for ever. And a
body is read only up to a cap, uncompressed: a few kB of gzip can become hundreds of MB.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

_MAX_ANSWER_BYTES = 1024 * 1024
_LOOK_SECONDS = 10.0  # it is only asked again: no reason to wait for as long as for a submit
_LEAST_KEY_LENGTH = 8  # a shorter one, of a test, may be a part of any word
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}

# Raised before a single byte of the request has left, so the vendor cannot have it.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


BeforeBytes = Callable[[], Awaitable[None]]
Watch = Callable[[str], Awaitable[None]]


async def _unwatched(step: str) -> None:
    """Nobody watches."""


class NotSent(Exception):
    """The request surely did not reach the vendor."""


class NoAnswer(Exception):
    """The request may have reached the vendor; no whole answer came back."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A vendor's whole answer. `body` is the parsed JSON object, None if it is no such thing."""

    status: int
    body: dict[str, Any] | None


class ProviderHttp:
    """Two pools: submits on fresh connections, looks on kept ones.

    A kept connection that the vendor is just closing fails in a way that cannot be told from
    "sent, answer lost"; a submit that meets it would hold its slot for hours. One handshake a
    video is cheap against that. Looks may be repeated, so they reuse connections.
    """

    def __init__(
        self,
        submits: httpx.AsyncClient,
        looks: httpx.AsyncClient,
        submit_seconds: float,
        watch: Watch,
    ) -> None:
        self._submits = submits
        self._looks = looks
        self._submit_seconds = submit_seconds
        self._watch = watch

    async def submit(
        self, url: str, api_key: str, body: dict[str, Any], before_bytes: BeforeBytes
    ) -> Answer:
        """POST a task, after `before_bytes` agreed: see the port `Provider`.

        Raises:
            NotSent, NoAnswer: which of the two, decides whether it may ever be sent again.
        """
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        gate = _Gate("submit", self._watch, before_bytes)
        try:
            return await _ask(
                self._submits, "POST", url, api_key, self._submit_seconds, gate, content
            )
        except NoAnswer as error:
            if gate.passed:
                raise
            raise NotSent(str(error)) from error

    async def look(self, url: str, api_key: str) -> Answer:
        """GET a task's state.

        Raises:
            NotSent, NoAnswer: either way the task is as it was.
        """
        gate = _Gate("look", self._watch)
        return await _ask(self._looks, "GET", url, api_key, _LOOK_SECONDS, gate)


@asynccontextmanager
async def open_provider_http(
    submit_seconds: float, looks_at_once: int, watch: Watch = _unwatched
) -> AsyncIterator[ProviderHttp]:
    """Open both pools; proxies and certificates come from the usual environment variables.

    `watch` is told each step of each request, as "submit http11.send_request_body.complete" and
    the like; what it raises ends the request. Tests put failures there.
    """
    timeout = httpx.Timeout(submit_seconds, connect=5.0)
    fresh = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    kept = httpx.Limits(max_connections=looks_at_once, max_keepalive_connections=looks_at_once)
    async with (
        httpx.AsyncClient(headers=_HEADERS, timeout=timeout, limits=fresh) as submits,
        httpx.AsyncClient(headers=_HEADERS, timeout=timeout, limits=kept) as looks,
    ):
        yield ProviderHttp(submits, looks, submit_seconds, watch)


class _Gate:
    """httpcore's trace hook, awaited at each step of a request: lets no byte leave unasked.

    https://www.encode.io/httpcore/extensions/#trace. What a hook raises ends the request.
    """

    def __init__(self, what: str, watch: Watch, before_bytes: BeforeBytes | None = None) -> None:
        self._what = what
        self._watch = watch
        self._before_bytes = before_bytes
        self.passed = False

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        await self._watch(f"{self._what} {event}")
        # A CONNECT opens a tunnel through a proxy: it says nothing to the vendor yet.
        leaves = event.endswith("send_request_headers.started")
        if self.passed or not leaves or info["request"].method == b"CONNECT":
            return
        if self._before_bytes is not None:
            await self._before_bytes()
        self.passed = True


async def _ask(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    api_key: str,
    seconds: float,
    gate: _Gate,
    content: bytes | None = None,
) -> Answer:
    extensions = {"trace": gate}
    headers = {"Authorization": f"Bearer {api_key}"}
    if content is not None:
        headers["Content-Type"] = "application/json; charset=UTF-8"
    try:
        async with (
            asyncio.timeout(seconds),
            client.stream(
                method, url, headers=headers, content=content, extensions=extensions
            ) as response,
        ):
            raw = _without(api_key, await _read(response))
            return Answer(response.status_code, _object(raw))
    except _NOT_SENT as error:
        raise NotSent(type(error).__name__) from error
    except TimeoutError as error:
        raise NoAnswer(f"no whole answer within {seconds:g} s") from error
    except httpx.HTTPError as error:
        raise NoAnswer(type(error).__name__) from error


async def _read(response: httpx.Response) -> bytes:
    chunks, size = [], 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > _MAX_ANSWER_BYTES:
            raise NoAnswer(f"the answer is larger than {_MAX_ANSWER_BYTES} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _without(api_key: str, raw: bytes) -> bytes:
    """Some servers quote a key that they refuse, and what they say is logged, stored and shown."""
    if len(api_key) < _LEAST_KEY_LENGTH:
        return raw
    return raw.replace(api_key.encode(), b"(the API key)")


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        # Twice, so that half of an emoji (a message cut short in UTF-16) becomes a question mark:
        # such text is valid JSON, but nothing that we send on or store could carry it.
        text = json.dumps(json.loads(raw), ensure_ascii=False)
        parsed = json.loads(text.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
