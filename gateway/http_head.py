"""A bound on the head of a request, in size and in time. uvicorn has none (0.54, issue 157)."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Many times what any client sends, and little for a process.
MOST_BYTES = 64 * 1024
MOST_SECONDS = 20.0

_BODY = (
    b'{"error":{"code":"header_too_large","message":"the request line and the headers have more '
    b'than 65536 bytes","type":"invalid_request_error","param":null}}'
)
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: application/json\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)


class BoundedHead(HttpToolsProtocol):
    """uvicorn's own protocol, which hangs up on a head that is too large or takes too long."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._reads_head = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._reads_head:  # the first head of a connection began with it
            self._start_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        # Up to the end of the head, where this piece has it: behind it comes a body, or nothing.
        if self._reads_head:
            end = data.find(b"\r\n\r\n")
            self._head_bytes += len(data) if end < 0 else end
            if self._head_bytes > MOST_BYTES:
                self._end_head()
                self.transport.write(_TOO_LARGE)
                self.transport.close()
                return
        super().data_received(data)

    def _start_head(self) -> None:
        self._end_head()
        self._head_bytes, self._reads_head = 0, True
        self._deadline = self.loop.call_later(MOST_SECONDS, self._hang_up)

    def _end_head(self) -> None:
        self._reads_head = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self.transport.close()
