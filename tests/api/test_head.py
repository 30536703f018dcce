"""The head of a request has bounds, before any key is looked at."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from tests.harness import TEAM_KEY, Processes, Running


@pytest.fixture(scope="module")
def running(shared: Processes) -> Running:
    return shared.gateway(None, {"main": 5}, GATEWAY_POOL="head")


@pytest.fixture
def wire(running: Running) -> Iterator[socket.socket]:
    host, port = running.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=30)) as opened:
        yield opened


def everything(wire: socket.socket) -> bytes:
    answer = b""
    while chunk := wire.recv(65536):
        answer += chunk
    return answer


def test_a_head_without_end_is_refused_and_the_connection_closed(wire: socket.socket):
    wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: gateway\r\nX-Long: ")
    sent = 0
    with pytest.raises(OSError):
        while sent < 64 * 1024 * 1024:
            sent += wire.send(b"a" * 65536)
    assert sent < 16 * 1024 * 1024


def test_the_refusal_says_what_is_wrong(wire: socket.socket):
    wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: gateway\r\nX-Long: " + b"a" * 65536 + b"\r\n\r\n")
    answer = everything(wire)
    assert answer.startswith(b"HTTP/1.1 431 ")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"header_too_large" in body


def test_a_head_counts_from_its_first_byte_however_it_comes(running: Running, wire: socket.socket):
    wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: gateway\r\nX-Long: " + b"a" * 40_000)
    httpx.get(f"{running.url}/healthz")  # once that is answered, what came before has been read
    wire.sendall(b"a" * 40_000 + b"\r\n\r\n")
    assert everything(wire).startswith(b"HTTP/1.1 431 ")


def test_a_large_head_and_a_large_body_within_their_bounds_are_served(wire: socket.socket):
    """Twice on one connection: each request has the whole bound to itself."""
    for _ in range(2):
        wire.sendall(
            b"GET /healthz HTTP/1.1\r\nHost: gateway\r\nX-Long: " + b"a" * 50_000 + b"\r\n\r\n"
        )
        answer = b""
        while not answer.endswith(b"}"):
            answer += wire.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200 ")
    body = b" " * 1_000_000
    wire.sendall(
        b"POST /v1/videos/generations HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (TEAM_KEY.encode(), len(body), body)
    )
    assert everything(wire).startswith(b"HTTP/1.1 400 ")
