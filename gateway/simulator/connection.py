"""One request's connection: answers, and the rude things that ASGI has no message for.

ASGI cannot close a connection without an answer, so `Protocol`, otherwise uvicorn's own, leaves its
transport in the scope's extensions. `Client.cut` aborts that transport and then waits until uvicorn
has noticed, which makes returning without a response legal and leaves nothing in the log.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.simulator.errors import Envelope, Refusal

_EXTENSION = "simulator.transport"


class Protocol(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_EXTENSION: {"transport": self.transport}}


@dataclass(frozen=True, slots=True)
class Held:
    """An answer that there will be only once the event has come."""

    until: asyncio.Future[None]
    answer: "Callable[[], Answer]"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content: bytes
    media_type: bytes = b"application/json; charset=UTF-8"
    location: bytes | None = None
    held: Held | None = None

    @classmethod
    def of(cls, body: dict[str, object], status: int = 200) -> "Answer":
        return cls(status, json.dumps(body, ensure_ascii=False).encode())

    @classmethod
    def refusal(cls, refusal: Refusal, envelope: Envelope) -> "Answer":
        code, message = refusal.code, refusal.message
        bodies: dict[Envelope, dict[str, object]] = {
            "nested": {"error": {"code": code, "message": message}},
            "flat": {"code": int(code), "message": message},
            "text": {"error": message},
            "message": {"message": message},
        }
        return cls.of(bodies[envelope], refusal.status)

    @property
    def refused(self) -> bool:
        return self.status != 200


class Client:
    def __init__(self, scope: Scope, receive: Receive, send: Send, delay_seconds: float) -> None:
        """Whatever is answered, is answered so much later."""
        self.scope = scope
        self._receive = receive
        self._send = send
        self._delay_seconds = delay_seconds
        self._leaving: asyncio.Task[None] | None = None

    def header(self, name: bytes) -> str | None:
        for key, value in self.scope["headers"]:
            if key == name:
                return cast(bytes, value).decode("latin-1")
        return None

    @property
    def base_url(self) -> str:
        return f"{self.scope['scheme']}://{self.header(b'host')}"

    async def body(self, longest: int) -> bytes | None:
        """The body, as soon as it is too long not all of it; None if the client left before."""
        chunks = bytearray()
        while len(chunks) <= longest:
            message = await self._receive()
            if message["type"] != "http.request":
                return None
            chunks += message.get("body", b"")
            if not message.get("more_body"):
                break
        return bytes(chunks)

    async def answer(self, answer: Answer) -> None:
        await self._start(answer, len(answer.content))
        await self._send({"type": "http.response.body", "body": answer.content})

    async def answer_half(self, answer: Answer) -> None:
        """Promises the whole in Content-Length, sends half, closes."""
        await self._start(answer, len(answer.content))
        half = answer.content[: len(answer.content) // 2]
        await self._send({"type": "http.response.body", "body": half, "more_body": True})
        self._transport.close()
        await self._left()

    async def answer_slowly(self, answer: Answer, seconds: float) -> None:
        await self._start(answer, len(answer.content))
        for place in range(len(answer.content)):
            if await self.leaves_within(seconds / len(answer.content)):
                return
            byte = answer.content[place : place + 1]
            await self._send({"type": "http.response.body", "body": byte, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def answer_padded(self, answer: Answer, megabytes: int) -> None:
        """The answer, and then blanks, which are valid after any JSON."""
        megabyte = b" " * 1024 * 1024
        await self._start(answer, len(answer.content) + megabytes * len(megabyte))
        await self._send({"type": "http.response.body", "body": answer.content, "more_body": True})
        for left in reversed(range(megabytes)):
            await self._send(
                {"type": "http.response.body", "body": megabyte, "more_body": left > 0}
            )

    async def cut(self) -> None:
        self._transport.abort()
        await self._left()

    async def leaves_within(self, seconds: float) -> bool:
        """Waits so long, or until the client has left. The body must have been read before."""
        return seconds > 0 and await self._leaves(set(), seconds)

    async def leaves_before(self, event: asyncio.Future[Any]) -> bool:
        return await self._leaves({event}, None)

    async def _leaves(self, events: set[asyncio.Future[Any]], seconds: float | None) -> bool:
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._left())
        await asyncio.wait(
            {self._leaving, *events}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        return self._leaving.done()

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _start(self, answer: Answer, length: int) -> None:
        await self.leaves_within(self._delay_seconds)
        headers = [
            (b"content-type", answer.media_type),
            (b"content-length", str(length).encode()),
        ]
        if answer.location is not None:
            headers.append((b"location", answer.location))
        await self._send(
            {"type": "http.response.start", "status": answer.status, "headers": headers}
        )

    @property
    def _transport(self) -> asyncio.Transport:
        return cast(asyncio.Transport, self.scope["extensions"][_EXTENSION]["transport"])
