"""A wire between an SDK and the gateway that keeps what the SDK sent, byte for byte."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import socketserver
import threading
from urllib.parse import urlsplit

_REQUEST_LINE = re.compile(rb"[A-Z]+ /[^ ]* HTTP/1\.1\r\n")


class Tap:
    """Listens on a port of its own and passes everything on. One request follows another on a
    connection: no SDK sends the next before it has the answer to the last."""

    def __init__(self, url: str) -> None:
        split = urlsplit(url)
        self._gateway = (split.hostname, split.port)
        self.requests: list[bytearray] = []
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}"
        serving = {"poll_interval": 0.05}
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs=serving)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(tap) -> type[socketserver.BaseRequestHandler]:  # noqa: N805 - self is the handler
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with (
                    contextlib.suppress(OSError),
                    socket.create_connection(tap._gateway) as gateway,
                ):
                    tap._carry(self.request, gateway)

        return Handler

    def _carry(self, client: socket.socket, gateway: socket.socket) -> None:
        for end in (client, gateway):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request, answered = bytearray(), True
        while True:
            for end in select.select([client, gateway], [], [])[0]:
                data = end.recv(65536)
                if not data:
                    return
                if end is gateway:
                    answered = True
                    client.sendall(data)
                    continue
                # A refusal may come before the whole body was sent: the rest is no new request.
                if answered and _REQUEST_LINE.match(data):
                    request, answered = bytearray(), False
                    self.requests.append(request)
                request += data
                gateway.sendall(data)
