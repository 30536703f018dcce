"""What the tests start: real processes, spoken to over real HTTP. And waiting for conditions."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis

from gateway.store.keyspace import Keyspace

COMMAND = [sys.executable, "-W", "error", "-m", "gateway"]
TEAM_KEY = "sk-films-0123456789abcdef0123456789abcdef"
OTHER_KEY = "sk-adverts-0123456789abcdef0123456789abcd"
ADMIN_KEY = "sk-admin-0123456789abcdef0123456789abcdef"
SECRET_KEY = "secret-0123456789abcdef0123456789abcdef"
TEAMS = [
    {"name": "films", "tier": "V3", "keys": [TEAM_KEY]},
    {"name": "adverts", "tier": "V0", "keys": [OTHER_KEY]},
]
# Looks and rests in step with simulated tasks, which take a second rather than minutes.
QUICK = {
    "GATEWAY_FIRST_LOOK_SECONDS": 0.1,
    "GATEWAY_LONGEST_LOOK_SECONDS": 0.3,
    "GATEWAY_CONCURRENCY_REST_SECONDS": 0.3,
    "GATEWAY_OVERLOAD_REST_SECONDS": 0.3,
    "GATEWAY_UNREACHABLE_REST_SECONDS": 0.3,
    "GATEWAY_ACCOUNT_REST_SECONDS": 0.3,
    "GATEWAY_KEY_REST_SECONDS": 0.3,
}


def wait_until(holds: Callable[[], Any], seconds: float = 30.0, what: str = "the condition") -> Any:
    """Wait for a condition and return its first true value. The bound is for a broken product."""
    deadline = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.02)
    return value


def processes_titled(words: str) -> dict[int, psutil.Process]:
    """The machine's processes with these words in their command line, by pid. Zombies have none."""
    found = psutil.process_iter(["cmdline"])
    return {p.pid: p for p in found if words in " ".join(p.info["cmdline"] or ())}


class Running:
    """A process of the product, up to the line in which it tells its address."""

    def __init__(self, arguments: list[str], environment: Mapping[str, Any], log: Path) -> None:
        self._log = log
        self._output = log.open("ab")
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=self._output,
            env=_environment(environment),
            text=True,
        )
        self.url = self._address()

    def _address(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"listening on (http://\S+)|worker running", line):
                self.said = line
                return found[1] or ""
        self.process.wait()
        raise AssertionError(f"the process ended at once: {self.log_text()[-2000:]}")

    def log_text(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as an orchestrator would; return its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()
            self._output.close()


class Vendor:
    """The simulator, and what its control plane can tell and do."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.url = running.url
        self.base_url = f"{running.url}/api/paas/v4"
        self._http = httpx.Client(base_url=f"{running.url}/simulator", timeout=30)

    def stats(self) -> dict[str, Any]:
        return self._get("/stats")

    def total(self) -> dict[str, Any]:
        return self.stats()["total"]

    def account(self, name: str) -> dict[str, Any]:
        return self.stats()["accounts"][name]["cogvideox-3"]

    def tasks(self) -> list[dict[str, Any]]:
        """All that it keeps, in the order in which they were accepted."""
        made: list[dict[str, Any]] = []
        last = 0
        while page := self._get(f"/tasks?order=oldest&limit=1000&after={last}"):
            made += page
            last = page[-1]["number"]
        return made

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change some; return what they were."""
        before: dict[str, Any] = self._get("/settings")
        self._http.patch("/settings", json=changes).raise_for_status()
        return before

    def change_account(self, name: str, **changes: Any) -> None:
        self._http.patch(f"/accounts/{name}", json=changes).raise_for_status()

    def fault(self, **rule: Any) -> None:
        self._http.post("/faults", json={"rules": [rule]}).raise_for_status()

    def fired(self) -> int:
        """How often the faults that are there have hit."""
        return sum(rule["fired"] for rule in self._get("/faults"))

    def no_faults(self) -> None:
        self._http.delete("/faults").raise_for_status()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It takes connections and says nothing, until it goes on where it was."""
        self.running.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.running.signal(signal.SIGCONT)

    def settle_and_forget(self) -> None:
        """Wait until the gateway has seen every end, then forget tasks, figures and faults."""
        wait_until(lambda: not self.total()["in_flight"] and not self.total()["ended_unseen"])
        self.forget()

    def forget(self) -> None:
        self._http.post("/reset").raise_for_status()

    def end_all(self, **which: Any) -> None:
        """End what runs, or what of it is meant: end_all(account="main")."""
        self._http.post("/end", json=which).raise_for_status()

    def end(self, ids: Sequence[str]) -> None:
        """End these tasks, whatever time they had left."""
        self._http.post("/end", json={"ids": list(ids)}).raise_for_status()

    def close(self) -> None:
        self._http.close()
        self.running.stop()

    def _get(self, path: str) -> Any:
        answer = self._http.get(path)
        answer.raise_for_status()
        return answer.json()


class Caller:
    """A team that calls a gateway with plain HTTP."""

    def __init__(self, url: str, key: str = TEAM_KEY) -> None:
        self.url = url
        self.http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30
        )

    def submit(self, **fields: Any) -> httpx.Response:
        body = {"model": "cogvideox-3", "prompt": "A cat is playing with a ball."} | fields
        return self.http.post("/v1/videos/generations", json=body)

    def created(self, **fields: Any) -> str:
        answer = self.submit(**fields)
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    def task(self, task_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/v1/async-result/{task_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ended(self, task_id: str) -> dict[str, Any]:
        def over() -> dict[str, Any] | None:
            task = self.task(task_id)
            return task if task["task_status"] != "PROCESSING" else None

        return wait_until(over, what=f"the end of {task_id}")

    def close(self) -> None:
        self.http.close()


class Processes:
    """Starts the product's processes and ends them, and the callers, all together."""

    def __init__(self, store_url: str, pool: str, folder: Path) -> None:
        self._store_url, self._pool, self._folder = store_url, pool, folder
        self._stack = ExitStack()
        self.started: list[Running] = []

    def simulator(
        self, limits: dict[str, int], *, accounts: Sequence[Any] = (), **options: str
    ) -> Vendor:
        """A vendor with these accounts: simulator({"main": 5}, duration="1"), and with others."""
        accounts = [
            *({"name": n, "limit": limit, "api_keys": api_keys(n)} for n, limit in limits.items()),
            *accounts,
        ]
        environment = {"SIMULATOR_ACCOUNTS": accounts, "SIMULATOR_PORT": "0"}
        environment |= {f"SIMULATOR_{name.upper()}": value for name, value in options.items()}
        running = Running(["simulator"], environment, self._folder / "simulator.log")
        return self._stack.enter_context(closing(Vendor(running)))

    def settings(self, vendor: Vendor | None, limits: dict[str, int]) -> dict[str, Any]:
        """The settings of a gateway whose accounts are the vendor's."""
        base_url = vendor.base_url if vendor else "http://127.0.0.1:9/api/paas/v4"
        accounts = [
            {"name": name, "base_url": base_url, "api_keys": api_keys(name), "limit": limit}
            for name, limit in limits.items()
        ]
        return {
            "GATEWAY_REDIS_URL": self._store_url,
            "GATEWAY_SECRET_KEY": SECRET_KEY,
            "GATEWAY_POOL": self._pool,
            "GATEWAY_ADMIN_KEY": ADMIN_KEY,
            "GATEWAY_PORT": "0",
            "GATEWAY_ACCOUNTS": accounts,
            "GATEWAY_TEAMS": TEAMS,
            **QUICK,
        }

    def gateway(
        self,
        vendor: Vendor | None,
        limits: dict[str, int],
        *arguments: str,
        wait_ready: bool = True,
        **settings: Any,
    ) -> Running:
        """A process of the gateway: gateway(vendor, {"main": 5}, "serve", GATEWAY_PORT=0)."""
        running = Running(
            [*(arguments or ("serve",))],
            self.settings(vendor, limits) | settings,
            self._folder / f"gateway-{len(self.started)}.log",
        )
        self._stack.callback(running.stop)
        self.started.append(running)
        if running.url and wait_ready:
            ready = f"{running.url}/readyz"  # a process that only starts takes its time to answer
            wait_until(lambda: httpx.get(ready, timeout=30).status_code == 200)
        return running

    def pass_time(self, seconds: float) -> None:
        """On the clock of the scripts: what was to happen by then is due, however slow we are."""
        with redis.Redis.from_url(self._store_url) as client:
            client.hincrby(Keyspace(self._pool).clock, "now", round(seconds * 1000))

    def caller(self, running: Running, *key: str) -> Caller:
        return self._stack.enter_context(closing(Caller(running.url, *key)))

    def close(self) -> None:
        self._stack.close()


def api_keys(account: str) -> list[str]:
    """The two API keys of a simulated account."""
    return [f"{account}-key.one", f"{account}-key.two"]


def run_command(*arguments: str, **environment: Any) -> subprocess.CompletedProcess[str]:
    """Run a command of the product to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=_environment(environment),
        timeout=120,
        check=False,
    )


def _environment(extra: Mapping[str, Any]) -> dict[str, str]:
    """The machine's environment, without settings of a gateway that happens to run on it."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("GATEWAY_", "SIMULATOR_"))}
    as_text = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in extra.items()
    }
    return {**own, **as_text, "PYTHONUNBUFFERED": "1"}
