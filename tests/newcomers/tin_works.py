"""The vendor behind `tin_vendor.py`, as a process: prints its address, and forges until it is told
to stop. A film is done at its second look; one of rust is scrapped, one of gold refused."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "tin-key-0001"
FILM = b"\x00\x00\x00\x18ftypmp42" + b"tin" * 100

orders: list[dict[str, Any]] = []
looks: dict[int, int] = {}


class Works(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {KEY}":
            self._tell(401, {"why": "whose key is that?"})
        elif "gold" in body["scene"]:
            self._tell(400, {"why": "we forge tin"})
        else:
            orders.append(body)
            self._tell(201, {"number": len(orders)})

    def do_GET(self) -> None:
        _, what, *which = self.path.split("/")
        if what == "films":
            self._send(200, "application/octet-stream", FILM)
        elif not which:
            self._tell(200, {"orders": orders})
        else:
            self._tell(200, self._stage(int(which[0])))

    def _stage(self, number: int) -> dict[str, Any]:
        looks[number] = looks.get(number, 0) + 1
        if looks[number] < 2:
            return {"stage": "forge"}
        if "rust" in orders[number - 1]["scene"]:
            return {"stage": "scrap", "why": "it rusted"}
        return {"stage": "shipped", "film": f"http://{self.headers['Host']}/films/{number}"}

    def _tell(self, status: int, body: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(body).encode())

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Its log is nobody's concern."""


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), Works) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201
        server.serve_forever()
