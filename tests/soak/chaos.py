"""Who dies when. Seeded, so that a run can be told again, though never to the millisecond."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress

from tests.soak.events import Events
from tests.soak.stage import LONGEST_PAUSE_SECONDS, Life, Replica, Stage

_STRIKES = {"kill": 0.70, "drain": 0.05, "pause": 0.25}
_SHORTEST_PAUSE_SECONDS = 1.0
_STORE_EVERY_SECONDS = (4.0, 9.0)
_STORE_LONGEST_AWAY_SECONDS = 1.0

Span = tuple[float, float]


class Chaos:
    """Strikes replicas and the store until it is told to stop, and leaves all of them running."""

    def __init__(self, stage: Stage, events: Events, dice: random.Random, every: Span) -> None:
        self.counts: Counter[str] = Counter()
        self.bad_exits: list[str] = []
        self._stage = stage
        self._events = events
        self._dice = dice
        self._every = every
        self._over = asyncio.Event()
        self._up_seen = [len(stage.replicas)]

    async def run(self) -> None:
        """Return when all that was struck after `stop` is up again."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._strike_replicas())
            loops.create_task(self._strike_store())
            loops.create_task(self._count_who_is_up())

    def stop(self) -> None:
        self._over.set()

    def mean_up(self) -> float:
        """How many replicas were up on average while chaos reigned."""
        return sum(self._up_seen) / len(self._up_seen)

    async def _strike_replicas(self) -> None:
        async with asyncio.TaskGroup() as recoveries:
            while not await self._over_within(self._dice.uniform(*self._every)):
                if self._too_few_up():
                    continue
                what = self._dice.choices(list(_STRIKES), list(_STRIKES.values()))[0]
                if up := self._stage.up():
                    replica = self._dice.choice(up)
                    replica.life = Life.STRUCK  # at once: nothing is struck twice
                    recoveries.create_task(self._strike(what, replica))

    def _too_few_up(self) -> bool:
        """Whether this machine starts replicas too slowly: less than half were up on average.
        At single moments any number may be down, and all of them at once."""
        half = len(self._stage.replicas) / 2
        return len(self._stage.up()) <= half and self.mean_up() < half

    async def _strike(self, what: str, replica: Replica) -> None:
        self.counts[what] += 1
        self._events.tell(what, replica=replica.number, pid=replica.pid)
        match what:
            case "pause":
                await replica.pause(
                    self._dice.uniform(_SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
                )
                self._events.tell("continued", replica=replica.number, pid=replica.pid)
                return
            case "kill":
                await replica.kill()
            case "drain":
                status = await replica.drain()
                self._events.tell("drained", replica=replica.number, status=status)
                if status != 0:
                    ended = "did not stop" if status is None else f"exit status {status}"
                    self.bad_exits.append(f"replica {replica.number} after SIGTERM: {ended}")
        await replica.start()
        self._events.tell("up", replica=replica.number, pid=replica.pid)

    async def _strike_store(self) -> None:
        store = self._stage.store
        while not await self._over_within(self._dice.uniform(*_STORE_EVERY_SECONDS)):
            self.counts["store kill"] += 1
            self._events.tell("store kill", pid=store.pid)
            store.kill()
            await asyncio.sleep(self._dice.uniform(0, _STORE_LONGEST_AWAY_SECONDS))
            await asyncio.to_thread(store.start)
            self._events.tell("store up", pid=store.pid)

    async def _count_who_is_up(self) -> None:
        while not await self._over_within(0.25):
            self._up_seen.append(len(self._stage.up()))

    async def _over_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()
        return self._over.is_set()
