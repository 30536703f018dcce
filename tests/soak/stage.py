"""What a soak runs: a store, a simulated vendor and replicas of the gateway, all real processes."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx

from tests.harness import Processes, Running, Vendor
from tests.soak.faults import SUBMIT_TIMEOUT_SECONDS
from tests.soak.store import StoreServer

POOL = "soak"
MODEL = "cogvideox-3"
PRICE_FEN = 100
LIMITS = {"north": 20, "east": 20, "south": 20, "west": 20}
"""Four accounts of tier V3."""


@dataclass(frozen=True)
class TeamOnStage:
    name: str
    tier: str
    cap: int
    weight: int
    share: float
    """Of all tasks."""

    @property
    def key(self) -> str:
        return f"sk-{self.name}-0123456789abcdef0123456789abcdef"


# Two caps bind before the accounts are full, and all three together are more than the accounts.
TEAMS = [
    TeamOnStage("films", "V3", 50, 4, 0.5),
    TeamOnStage("adverts", "V2", 24, 2, 0.3),
    TeamOnStage("games", "V1", 14, 1, 0.2),
]

LONGEST_PAUSE_SECONDS = 6.0
SENDING_MARGIN_SECONDS = 2.0


@dataclass(frozen=True)
class Holds:
    """How long the vendor's tasks take, and so how long an unknown outcome must keep its slot."""

    shortest_task_seconds: float = 0.5
    longest_task_seconds: float = 6.0
    """Long enough that a wave of tasks fills every slot for some seconds."""
    unknown_hold_seconds: float = 20.0
    """The worst case: a replica marks a task `sending` and is paused for 6 s before a byte has
    left; the vendor accepts it 3 s after it was sent, and works on it for 6 s: 15 s in all. The
    hold begins when the lease of the mark is over, 4 s after it, and lasts 20 s: 24 s. The 9 s
    between are for a machine that is out of breath, or a second pause."""


class Life(StrEnum):
    STARTING = "starting"
    UP = "up"
    STRUCK = "struck"
    """Paused, or stopping in order."""
    DEAD = "dead"


class Replica:
    """One `gateway serve` with its worker, at an address of its own through all its lives."""

    def __init__(self, number: int, port: int, settings: Mapping[str, Any], log: Path) -> None:
        self.number = number
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self.life = Life.DEAD
        self._settings = {**settings, "GATEWAY_PORT": str(port)}
        self._running: Running | None = None
        self._changing = threading.Lock()  # a start that was broken off here goes on in its thread

    @property
    def pid(self) -> int:
        return self._process().process.pid

    async def start(self) -> None:
        """Return when it is ready. It starts without its store, but is ready only with it."""
        self.life = Life.STARTING
        # In a thread: a start takes seconds in which everything else goes on.
        await asyncio.to_thread(self._start)
        async with httpx.AsyncClient(base_url=self.url, timeout=2, trust_env=False) as http:
            while not await self._ready(http):
                assert self._process().process.poll() is None, f"it ended: {self._last_words()}"
                await asyncio.sleep(0.1)
        self.life = Life.UP

    async def kill(self) -> None:
        self.life = Life.DEAD
        await asyncio.to_thread(self._kill)

    async def pause(self, seconds: float) -> None:
        self.life = Life.STRUCK
        self._process().signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._process().signal(signal.SIGCONT)
        self.life = Life.UP

    async def drain(self) -> int | None:
        """End it as an orchestrator would; return its exit status, None if it did not stop."""
        self.life = Life.STRUCK
        try:
            return await asyncio.to_thread(self._process().stop)
        except subprocess.TimeoutExpired:
            await asyncio.to_thread(self._process().process.wait)
            return None
        finally:
            self.life = Life.DEAD

    def end(self) -> None:
        if self._running is not None:
            self._kill()

    def _start(self) -> None:
        with self._changing:
            self._running = Running(["serve"], self._settings, self.log)

    def _kill(self) -> None:
        with self._changing:
            running = self._process()
            running.kill()
            running.stop()  # dead already: this closes its files

    def _process(self) -> Running:
        assert self._running is not None
        return self._running

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-1000:]

    @staticmethod
    async def _ready(http: httpx.AsyncClient) -> bool:
        try:
            return (await http.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False


@dataclass(frozen=True)
class Stage:
    """Everything that runs."""

    store: StoreServer
    vendor: Vendor
    replicas: list[Replica]
    settings: dict[str, Any]
    """Of every replica, and of the commands that ask about slots."""

    def up(self) -> list[Replica]:
        return [replica for replica in self.replicas if replica.life is Life.UP]


@asynccontextmanager
async def set_up(
    folder: Path, replicas: int, seed: int, tasks: int, holds: Holds
) -> AsyncIterator[Stage]:
    """Start everything, and at the end kill it."""
    store_port, *ports = _free_ports(1 + replicas)
    (folder / "store").mkdir()
    store = StoreServer(folder / "store", store_port)
    with closing(Processes(store.url, POOL, folder)) as processes:
        started: list[Replica] = []
        try:
            store.start()
            duration = f"{holds.shortest_task_seconds:g}-{holds.longest_task_seconds:g}"
            vendor = processes.simulator(LIMITS, duration=duration, seed=str(seed))
            # All tasks of the run, for the judge, and no more.
            vendor.settings(keep_tasks=2 * tasks + 1000)
            settings = processes.settings(vendor, LIMITS) | _settings(holds)
            started += [
                Replica(number, port, settings, folder / f"replica-{number}.log")
                for number, port in enumerate(ports)
            ]
            async with asyncio.TaskGroup() as starts:
                for replica in started:
                    starts.create_task(replica.start())
            yield Stage(store, vendor, started, settings)
        finally:
            for replica in started:
                replica.end()
            store.kill()


def _settings(holds: Holds) -> dict[str, Any]:
    teams = [
        {"name": team.name, "tier": team.tier, "weight": team.weight, "keys": [team.key]}
        for team in TEAMS
    ]
    return {
        "GATEWAY_TEAMS": teams,
        "GATEWAY_TIERS": {"V0": 5} | {team.tier: team.cap for team in TEAMS},
        "GATEWAY_CLAIM_LEASE_SECONDS": 3,
        "GATEWAY_SUBMIT_TIMEOUT_SECONDS": SUBMIT_TIMEOUT_SECONDS,
        "GATEWAY_UNKNOWN_HOLD_SECONDS": holds.unknown_hold_seconds,
        "GATEWAY_FIRST_LOOK_SECONDS": 0.3,
        "GATEWAY_LONGEST_LOOK_SECONDS": 1.0,
        "GATEWAY_SUBMIT_WAIT_SECONDS": 1,
        "GATEWAY_STORE_TIMEOUT_SECONDS": 1,
        "GATEWAY_MISSING_SECONDS": 2,
        "GATEWAY_SENDING_MARGIN_SECONDS": SENDING_MARGIN_SECONDS,
        "GATEWAY_LOOK_LEASE_SECONDS": 3,
        "GATEWAY_BREAKER_SECONDS": 1,
        "GATEWAY_TRIAL_SECONDS": 2,
        # High: here the holders of claims are killed for no fault of their tasks.
        "GATEWAY_POISON_CLAIMS": 20,
    }


def _free_ports(count: int) -> list[int]:
    """Ports that nobody has now. They stay the same through all lives of their process, so they
    lie below those that the system hands out to outgoing connections."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(15_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
    return found
