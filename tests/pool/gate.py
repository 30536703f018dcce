"""The way to a vendor, which can be shut: connections are refused, and nothing is cut short."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit


class Gate:
    """An address that passes everything on to another one, until it is shut.

    Shut, it takes no connection. What was asked before is still answered; then the connection
    closes. So no answer is lost: that is another fault.
    """

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._ways: set[_Way] = set()

    def open(self, target: str) -> None:
        """Pass on to this address from now on."""
        self._target = urlsplit(target)
        self._run(self._open())

    def shut(self) -> None:
        self._run(self._shut())

    def close(self) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self._port)

    async def _shut(self) -> None:
        self._server.close()
        for way in self._ways:
            way.last()

    async def _close(self) -> None:
        self._server.close()
        for way in list(self._ways):
            way.end()
        while self._ways:
            await asyncio.sleep(0.01)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self._target.hostname, self._target.port)
        way = _Way((reader, writer), there)
        self._ways.add(way)
        try:
            await way.run()
        finally:
            self._ways.discard(way)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Way:
    """One connection through the gate."""

    def __init__(self, here: Ends, there: Ends) -> None:
        self._here, self._there = here, there
        self._answered = False
        self._asked = False
        self._last = False

    async def run(self) -> None:
        both = (self._requests(), self._answers())
        running = [asyncio.ensure_future(each) for each in both]
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        self.end()
        await asyncio.wait(running)

    def last(self) -> None:
        """Close after the answer that is due. One that is new has not asked yet, but may."""
        self._last = True
        if self._answered and not self._asked:
            self.end()

    def end(self) -> None:
        for _, writer in (self._here, self._there):
            writer.close()

    async def _requests(self) -> None:
        with suppress(OSError):
            while part := await self._here[0].read(65536):
                self._asked = True
                self._there[1].write(part)

    async def _answers(self) -> None:
        # The simulator's answers to a gateway are small: each arrives as a whole.
        with suppress(OSError):
            while part := await self._there[0].read(65536):
                self._here[1].write(part)
                self._answered, self._asked = True, False
                if self._last:
                    await self._here[1].drain()
                    return
