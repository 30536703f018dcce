"""What clients sent, byte for byte: kept as JSON that a person can read, replayed on a raw socket.

A request is a list of its lines, each with its ending. What is not UTF-8, a picture say, stands
there as `{"base64": "..."}`. Three things differ from what was sent, since they are other ones with
each run: `{host}`, `{key}` and `{task}`, the id of a video.
"""

from __future__ import annotations

import base64
import json
import re
import socket
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

FOLDER = Path(__file__).parent / "captured"

_HEAD = re.compile(rb"(?s)^.*?\r\n\r\n")
_TASK = re.compile(rb"task_[0-9a-f]{32}")
_TOKEN = re.compile(rb"Bearer eyJ[\w.-]+")


@dataclass(frozen=True)
class Captured:
    """One request of a client, and which call of the client it belongs to."""

    client: str
    call: str
    lines: tuple[str | dict[str, str], ...]

    def __str__(self) -> str:
        return f"{self.client}: {self.call}"

    @property
    def first_line(self) -> str:
        assert isinstance(self.lines[0], str)
        return self.lines[0]

    def sent(self, *, host: str, key: str, task: str, token: str = "") -> bytes:
        """The bytes, with these in their places. All of them stand before the body."""
        whole = b"".join(
            line.encode() if isinstance(line, str) else base64.b64decode(line["base64"])
            for line in self.lines
        )
        places = {"{host}": host, "{key}": key, "{task}": task, "{token}": token}

        def filled(head: re.Match[bytes]) -> bytes:
            text = head[0]
            for place, value in places.items():
                text = text.replace(place.encode(), value.encode())
            return text

        return _HEAD.sub(filled, whole)


def read() -> list[Captured]:
    """All that was captured, in the order in which it was sent."""
    return [
        Captured(kept["client"], call, tuple(request))
        for path in sorted(FOLDER.glob("*.json"))
        for kept in [json.loads(path.read_text(encoding="utf-8"))]
        for call, requests in kept["calls"].items()
        for request in requests
    ]


def keep(name: str, client: str, calls: dict[str, list[bytes]], *, host: str, key: str) -> None:
    """Write down what a client sent, call by call."""

    def cleared(head: re.Match[bytes]) -> bytes:
        text = head[0].replace(host.encode(), b"{host}").replace(key.encode(), b"{key}")
        return _TASK.sub(b"{task}", _TOKEN.sub(b"Bearer {token}", text))

    kept = {
        call: [[_readable(line) for line in _lines(_HEAD.sub(cleared, sent))] for sent in requests]
        for call, requests in calls.items()
        if requests
    }
    text = json.dumps({"client": client, "calls": kept}, ensure_ascii=False, indent=1)
    (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def replayed(url: str, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send these bytes and no others; return status, headers and body of the answer."""
    to = urlsplit(url)
    with socket.create_connection((to.hostname, to.port), timeout=60) as connection:
        connection.sendall(sent)
        with HTTPResponse(connection, method=sent.partition(b" ")[0].decode()) as answer:
            answer.begin()
            return answer.status, dict(answer.headers.items()), answer.read()


def _lines(sent: bytes) -> list[bytes]:
    return re.findall(rb"[^\n]*\n|[^\n]+$", sent)


def _readable(line: bytes) -> Any:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(line).decode()}
