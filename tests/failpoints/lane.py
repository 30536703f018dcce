"""Where cases are played, one after the other: a store, an account, and a process that rescues."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import httpx
from redis import Redis, RedisError

from gateway.bootstrap import Pool, open_pool
from gateway.settings import Settings
from gateway.store.embedded import EmbeddedStore
from gateway.store.keyspace import Keyspace
from tests.failpoints.blows import Blow
from tests.harness import Processes, Running, Vendor, api_keys, wait_until

LIMIT = 3
MODEL = "cogvideox-3"
POOL = "failpoints"
# Short, so that what a process left behind is taken over soon. The hold is long against what the
# vendor needs for a task, which is what keeps an unknown outcome from costing a slot in use.
RULES: dict[str, Any] = {
    "GATEWAY_CLAIM_LEASE_SECONDS": 1,
    "GATEWAY_SUBMIT_TIMEOUT_SECONDS": 2,
    "GATEWAY_SENDING_MARGIN_SECONDS": 0.5,
    "GATEWAY_UNKNOWN_HOLD_SECONDS": 4,
    "GATEWAY_LOOK_LEASE_SECONDS": 1,
    "GATEWAY_SUBMIT_WAIT_SECONDS": 0.5,
    # A process that lives from one case to the next must not be shy because of the last one.
    "GATEWAY_BREAKER_SECONDS": 0.3,
    "GATEWAY_TRIAL_SECONDS": 0.3,
    "GATEWAY_UNKNOWN_SHARE": 1,
    # Claims run out here because their holder was struck, not because of their task.
    "GATEWAY_POISON_CLAIMS": 20,
}


class Account:
    """The lane's own account at the simulated vendor, so that lanes share nothing there."""

    def __init__(self, vendor: Vendor, name: str) -> None:
        self.name = name
        self.vendor = vendor
        self._http = httpx.Client(base_url=f"{vendor.url}/simulator", timeout=30)
        body = {"limit": LIMIT, "api_keys": api_keys(name)}
        self._http.put(f"/accounts/{name}", json=body).raise_for_status()

    def figures(self) -> dict[str, Any]:
        return self.vendor.account(self.name)

    def tasks(self) -> list[dict[str, Any]]:
        """All that it ever accepted, oldest first."""
        asked = {"account": self.name, "order": "oldest", "limit": 1000}
        return self._http.get("/tasks", params=asked).raise_for_status().json()

    def hold_tasks(self) -> None:
        """Let no task end by itself, so that slots stay taken until a case wants them free."""
        self.vendor.change_account(self.name, duration=3600)

    def end(self, vendors_id: str) -> None:
        """End one task."""
        self._http.post("/end", json={"ids": [vendors_id]}).raise_for_status()

    def let_tasks_end(self) -> None:
        """End those that run; those to come end soon."""
        self.vendor.change_account(self.name, duration=0.1)
        self._http.post("/end", json={"account": self.name}).raise_for_status()

    def fault(self, **rule: Any) -> None:
        self.vendor.fault(account=self.name, **rule)

    def close(self) -> None:
        self._http.close()


class Victim:
    """A process that fails on purpose, at one place."""

    def __init__(self, running: Running, http: httpx.Client, place: str, blow: Blow) -> None:
        self.running = running
        self._http = http
        self._line = f"failpoint: {blow.failure} at {place}\n"

    def struck(self) -> bool:
        return self._line in self.running.log_text()

    def alive(self) -> bool:
        return self.running.process.poll() is None

    def ready(self) -> bool:
        with suppress(httpx.TransportError):
            return self._http.get(f"{self.running.url}/readyz").status_code == 200
        return False

    def go_on(self) -> None:
        self.running.signal(signal.SIGCONT)

    def last_words(self) -> str:
        return self.running.log_text()[-3000:]

    def end(self) -> None:
        """Whatever state it is in."""
        self.running.kill()
        self.running.stop()


class Lane:
    """One store, one account, and a replica that is always there.

    The rescuer sleeps (SIGSTOP) while the victim works, else it would do half of the work and the
    victim would not come to its place; it is woken when the victim was struck. So its start, which
    is most of what a case costs, is paid once.
    """

    def __init__(self, vendor: Vendor, folder: Path, number: int) -> None:
        folder.mkdir()
        self._stack = ExitStack()
        self.store = self._stack.enter_context(EmbeddedStore(folder / "store"))
        self.account = self._stack.enter_context(closing(Account(vendor, f"account-{number}")))
        self._processes = self._stack.enter_context(
            closing(Processes(self.store.url, POOL, folder))
        )
        self.settings = self._processes.settings(vendor, {self.account.name: LIMIT}) | RULES
        self.keys = Keyspace(POOL)
        self.redis = self._stack.enter_context(
            closing(Redis.from_url(self.store.url, decode_responses=True, socket_timeout=30))
        )
        # The callers'. A kept connection would be found closed by a process that slept or died;
        # their patience is longer than a POST waits for the vendor, or for the store.
        fresh = httpx.Limits(max_keepalive_connections=0)
        self.http = self._stack.enter_context(
            httpx.Client(limits=fresh, timeout=3, trust_env=False)
        )
        self._made_before: set[str] = set()
        self.rescuer = self.replica()
        self._stack.callback(self.rescuer.kill)
        self.put_to_sleep()

    def replica(self, *, wait_ready: bool = True, **settings: Any) -> Running:
        return self._processes.gateway(
            self.account.vendor,
            {self.account.name: LIMIT},
            wait_ready=wait_ready,
            **(RULES | settings),
        )

    def victim(self, place: str, blow: Blow, first: int = 1, **settings: Any) -> Victim:
        point = {"place": place, "failure": blow.failure, "first": first}
        failing = {"GATEWAY_FAILPOINTS": json.dumps([point])}
        running = self.replica(wait_ready=False, **failing, **settings)
        return Victim(running, self.http, place, blow)

    def put_to_sleep(self) -> None:
        self.rescuer.signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.rescuer.signal(signal.SIGCONT)

    def clear(self) -> None:
        """Begin anew: nothing of the last case is in the store, only the limits are."""
        self.redis.flushall()
        asyncio.run(self._configure())
        self.account.hold_tasks()
        self._made_before = {task["id"] for task in self.account.tasks()}

    def made(self) -> list[dict[str, Any]]:
        """What the vendor accepted since then, oldest first."""
        return [task for task in self.account.tasks() if task["id"] not in self._made_before]

    def records(self) -> dict[str, dict[str, str]]:
        """Every task's record, by id."""
        prefix = self.keys.task("")
        return {
            key.removeprefix(prefix): self.redis.hgetall(key)
            for key in self.redis.scan_iter(f"{prefix}*", count=1000)
        }

    def idle(self) -> bool:
        """Whether no task waits, is leased or runs. Cheap, for it is asked often."""
        under_way = (self.keys.leases, self.keys.due, self.keys.classes)
        return not self.redis.exists(*under_way)

    def verify(self) -> list[str]:
        """What `gateway slots --verify` would say."""

        async def ask() -> list[str]:
            async with self.pool() as pool:
                return await pool.slots.verify(pool.tenants.teams.values())

        return asyncio.run(ask())

    async def _configure(self) -> None:
        async with self.pool() as pool:
            await pool.slots.configure(pool.tenants.teams.values())

    @asynccontextmanager
    async def pool(self, **other: Any) -> AsyncIterator[Pool]:
        """The store's adapters, for what a test does itself, with other rules where given."""
        values = self.settings | {"GATEWAY_STORE_TIMEOUT_SECONDS": 30} | other
        named = {name.removeprefix("GATEWAY_").lower(): value for name, value in values.items()}
        async with open_pool(Settings(**named), self.store.url) as opened:
            yield opened

    def close(self) -> None:
        self._stack.close()

    # What is done to the store itself ----------------------------------------------------------

    def store_pid(self) -> int:
        return int(self.redis.info("server")["process_id"])

    def kill_store(self, pid: int) -> None:
        """Its keeper starts it again, on the same files."""
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self._another_store(pid), what="another store process")

    def _another_store(self, killed: int) -> bool:
        with suppress(RedisError):
            # INFO is answered while it loads, other commands only then.
            return self.store_pid() != killed and bool(self.redis.ping())
        return False
