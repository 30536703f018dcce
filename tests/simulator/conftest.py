"""One simulator in a process of its own, put back to its start before every test.

Tasks run for an hour unless a test says otherwise, and end when a test ends them, so that nothing
here depends on how fast the machine is.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

ACCOUNTS = [
    {"name": "one", "tier": "V0", "api_keys": ["one-a", "one-b"]},
    {"name": "two", "limit": 2, "api_keys": ["two-a"]},
]
API = "/api/paas/v4"
GEEKAI = "/api/v1"
MODEL = "cogvideox-3"


def wait_until(ask: Callable[[], Any], seconds: float = 10) -> Any:
    """The first true answer. The time limit is for what never comes."""
    give_up = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.005)
    return answer


class Driver:
    """Speaks to a simulator as a client of the vendor and as its operator."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.url = str(http.base_url).rstrip("/")

    def submit(self, key: str = "one-a", **fields: Any) -> httpx.Response:
        return self.submit_body({"model": MODEL, "prompt": "a cat", **fields}, key)

    def submit_body(self, body: Any, key: str = "one-a") -> httpx.Response:
        return self.http.post(f"{API}/videos/generations", json=body, headers=bearer(key))

    def accepted(self, key: str = "one-a", **fields: Any) -> str:
        response = self.submit(key, **fields)
        assert response.status_code == 200, response.text
        return str(response.json()["id"])

    def look(self, task_id: str, key: str = "one-a") -> httpx.Response:
        return self.http.get(f"{API}/async-result/{task_id}", headers=bearer(key))

    def status(self, task_id: str) -> str:
        return str(self.look(task_id).json()["task_status"])

    def finished(self, key: str = "one-a", **fields: Any) -> dict[str, Any]:
        """The result of a task that succeeded."""
        task_id = self.accepted(key, **fields)
        self.end(ids=[task_id])
        result: dict[str, Any] = self.look(task_id, key).json()
        return result

    def control(self, method: str, path: str, **body: Any) -> Any:
        response = self.http.request(method, f"/simulator/{path}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def settings(self, **changes: Any) -> Any:
        return self.control("PATCH", "settings", **changes)

    def account(self, name: str, **changes: Any) -> Any:
        return self.control("PATCH", f"accounts/{name}", **changes)

    def fault(self, **rule: Any) -> Any:
        return self.control("POST", "faults", rules=[rule])

    def end(self, **which: Any) -> int:
        return int(self.control("POST", "end", **which)["ended"])

    def stats(self) -> Any:
        return self.control("GET", "stats")

    def total(self) -> Any:
        return self.stats()["total"]

    def lane(self, account: str) -> Any:
        return self.stats()["accounts"][account][MODEL]

    def tasks(self) -> Any:
        """In the order in which they were accepted."""
        return self.http.get("/simulator/tasks?order=oldest").json()


class GeekaiDriver(Driver):
    """The same at geekai, where no submit blocks unless a test says so."""

    def submit(self, key: str = "gee-a", **fields: Any) -> httpx.Response:
        return self.submit_body({"model": MODEL, "prompt": "a cat", "async": True, **fields}, key)

    def submit_body(self, body: Any, key: str = "gee-a") -> httpx.Response:
        return self.http.post(f"{GEEKAI}/videos/generations", json=body, headers=bearer(key))

    def accepted(self, key: str = "gee-a", **fields: Any) -> str:
        response = self.submit(key, **fields)
        assert response.status_code == 200, response.text
        return str(response.json()["task_id"])

    def look(self, task_id: str, key: str = "gee-a") -> httpx.Response:
        return self.http.get(f"{GEEKAI}/videos/{task_id}", headers=bearer(key))

    def finished(self, key: str = "gee-a", **fields: Any) -> dict[str, Any]:
        return super().finished(key, **fields)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def code_of(response: httpx.Response) -> str:
    return str(response.json()["error"]["code"])


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A simulator's process and address."""
    command = [sys.executable, "-m", "gateway.simulator", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("simulator listening on http://"), line
            yield process, line.split()[-1]
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def _simulator() -> Iterator[Driver]:
    accounts = json.dumps(ACCOUNTS)
    with (
        running("--accounts", accounts, "--duration", "3600", "--seed", "7") as (_, url),
        httpx.Client(base_url=url, timeout=10) as http,
    ):
        yield Driver(http)


@pytest.fixture
def simulator(_simulator: Driver) -> Driver:
    _simulator.control("POST", "reset", everything=True)
    return _simulator


@pytest.fixture
def geekai(simulator: Driver) -> GeekaiDriver:
    """The simulator with an account `gee` at geekai besides the others."""
    simulator.control("PUT", "accounts/gee", vendor="geekai", tier="V0", api_keys=["gee-a"])
    return GeekaiDriver(simulator.http)
