"""The overview, live, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pytest

from tests.admin import Operator
from tests.harness import ADMIN_KEY, Processes, Running, wait_until

LIMITS = {"main": 2}


class Stream:
    """Reads events in a thread of its own, as a browser would."""

    def __init__(self, running: Running, **headers: str) -> None:
        self.events: list[tuple[str, Any]] = []
        self.status: int | None = None
        self.over = False
        self._thread = threading.Thread(target=self._read, args=(running.url, headers), daemon=True)
        self._thread.start()

    def _read(self, url: str, headers: dict[str, str]) -> None:
        try:
            with httpx.stream("GET", f"{url}/admin/events", headers=headers, timeout=60) as answer:
                self.status = answer.status_code
                name = ""
                for line in answer.iter_lines():
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        self.events.append((name, json.loads(line.removeprefix("data: "))))
        except httpx.HTTPError:
            pass
        self.over = True

    def of(self, name: str) -> list[Any]:
        return [data for each, data in list(self.events) if each == name]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


BEARER = {"Authorization": f"Bearer {ADMIN_KEY}"}


def test_the_whole_comes_first_and_then_what_changes(processes: Processes):
    vendor = processes.simulator(LIMITS, duration="3600")
    running = processes.gateway(vendor, LIMITS)
    stream = Stream(running, **BEARER)
    wait_until(lambda: stream.of("overview"))
    (whole,) = stream.of("overview")
    assert [(lane["account"], lane["slots"]) for lane in whole["lanes"]] == [("main", [])]
    team = processes.caller(running)
    tasks = [team.created(prompt=f"number {i}") for i in range(3)]

    def full() -> bool:
        return any(
            [slot[1] for slot in lane["slots"]] == ["in_progress"] * 2 for lane in stream.of("lane")
        )

    wait_until(full)
    assert {slot[0] for slot in stream.of("lane")[-1]["slots"]} <= set(tasks)
    wait_until(lambda: stream.of("queue") and stream.of("queue")[-1])
    (waiting,) = stream.of("queue")[-1]
    assert (waiting["team"], waiting["tasks"]) == ("films", 1)
    assert waiting["expected_wait_seconds"] is not None
    vendor.settings(duration=0.1)
    vendor.end_all()
    for task in tasks:
        team.ended(task)
    wait_until(lambda: stream.of("lane")[-1]["slots"] == [] and stream.of("queue")[-1] == [])
    wait_until(lambda: stream.of("made") and stream.of("made")[-1]["today"], 30)
    assert stream.of("made")[-1]["today"][0]["completed"] == 3
    assert len(stream.of("overview")) == 1


def test_changes_of_accounts_and_teams_are_told(processes: Processes, stack: ExitStack):
    running = processes.gateway(None, LIMITS)
    root = stack.enter_context(closing(Operator(running)))
    stream = Stream(running, **BEARER)
    wait_until(lambda: stream.of("overview"))
    root.done("POST", "/teams", name="cats")
    wait_until(lambda: stream.of("config"))
    root.done("POST", "/accounts/main/pause", reason="a test")
    wait_until(lambda: stream.of("accounts"))
    assert stream.of("accounts")[-1][0]["state"] == "paused"


def test_a_stream_ends_with_its_session(processes: Processes, stack: ExitStack):
    running = processes.gateway(None, LIMITS)
    browser = stack.enter_context(closing(httpx.Client(base_url=f"{running.url}/admin")))
    browser.post("/session", json={"key": ADMIN_KEY}).raise_for_status()
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    stream = Stream(running, Cookie=cookie)
    wait_until(lambda: stream.of("overview"))
    browser.delete("/session", headers={"Sec-Fetch-Site": "same-origin"}).raise_for_status()
    wait_until(lambda: stream.over)


def test_a_gateway_that_stops_ends_its_streams_at_once(processes: Processes):
    running = processes.gateway(None, LIMITS)
    streams = [Stream(running, **BEARER) for _ in range(3)]
    for stream in streams:
        wait_until(lambda stream=stream: stream.of("overview"))
    assert running.stop() == 0
    for stream in streams:
        wait_until(lambda stream=stream: stream.over)


def test_nobody_watches_without_a_key(processes: Processes):
    running = processes.gateway(None, LIMITS)
    assert httpx.get(f"{running.url}/admin/events").status_code == 401
    assert httpx.get(f"{running.url}/admin/overview").status_code == 401
