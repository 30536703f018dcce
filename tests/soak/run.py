"""One soak from the first task to the evidence."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.harness import run_command
from tests.soak import evidence, faults
from tests.soak.chaos import Chaos
from tests.soak.events import Events
from tests.soak.evidence import Evidence, Verified
from tests.soak.judge import Violation, judge
from tests.soak.stage import (
    LIMITS,
    SENDING_MARGIN_SECONDS,
    TEAMS,
    Holds,
    Stage,
    set_up,
)
from tests.soak.traffic import Job, Traffic, jobs, open_clients

_PROGRESS_EVERY_SECONDS = 15.0
_VERIFY_EVERY_SECONDS = 20.0
# All at once: a wave fills every slot and the queue, and before the next one comes there are free
# slots again. Both are roads that a task may take.
_WAVE_TASKS = 240
_CHAOS_UNTIL = 0.95
_ASKED_AGAIN = 300
# Beyond the hold of the last unknown outcome: for what still waits, on a machine out of breath.
_QUIET_MARGIN_SECONDS = 90.0


@dataclass(frozen=True)
class Plan:
    tasks: int
    seed: int
    minutes: float
    replicas: int
    outstanding: int
    strike_every: tuple[float, float]
    wave_every: float
    hold: float


@dataclass(frozen=True)
class Outcome:
    """What a soak found."""

    evidence: Evidence
    violations: list[Violation]
    strikes: Counter[str]
    mean_up: float
    chaos_seconds: float
    """From the first task to the end of chaos."""
    ended_in_chaos: int
    seconds: float
    answers: Counter[str]
    complaints: Counter[str]


async def soak(plan: Plan, folder: Path, events: Events, say: Callable[[str], None]) -> Outcome:
    """Run it all, and judge it."""
    holds = Holds(unknown_hold_seconds=plan.hold)
    async with (
        set_up(folder, plan.replicas, plan.seed, plan.tasks, holds) as stage,
        open_clients(stage.replicas) as clients,
    ):
        run = _Run(plan, stage, clients, events, say)
        return await run.outcome(holds)


class _Run:
    def __init__(
        self,
        plan: Plan,
        stage: Stage,
        clients: dict[int, httpx.AsyncClient],
        events: Events,
        say: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._stage = stage
        self._clients = clients
        self._events = events
        self._say = say
        self._began = time.monotonic()
        self._traffic = Traffic(clients, events, random.Random(f"{plan.seed} traffic"))
        self._chaos = Chaos(stage, events, random.Random(f"{plan.seed} chaos"), plan.strike_every)
        self._verified: list[Verified] = []
        self._books: list[Verified] = []

    async def outcome(self, holds: Holds) -> Outcome:
        await asyncio.to_thread(self._arm)
        side = [asyncio.create_task(self._tell_progress()), asyncio.create_task(self._verify())]
        clients = asyncio.create_task(
            self._traffic.run(self._todo(), min(self._plan.outstanding, self._plan.tasks))
        )
        chaos = asyncio.create_task(self._chaos.run())
        running = [*side, clients, chaos]
        try:
            await self._until(lambda: self._mostly_done() or clients.done(), watched=running)
            chaos_seconds, ended_in_chaos = self._seconds(), self._traffic.ended
            self._events.tell("quiet")
            self._chaos.stop()
            await self._until(chaos.done, watched=running)
            await asyncio.to_thread(self._stage.vendor.no_faults)
            in_time = await self._quiet(clients, holds, running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        seconds = self._seconds()
        self._events.tell("judging", in_time=in_time)
        found = await self._evidence(in_time)
        return Outcome(
            evidence=found,
            violations=judge(found),
            strikes=self._chaos.counts,
            mean_up=self._chaos.mean_up(),
            chaos_seconds=chaos_seconds,
            ended_in_chaos=ended_in_chaos,
            seconds=seconds,
            answers=self._traffic.answers,
            complaints=evidence.complaints(self._stage),
        )

    def _arm(self) -> None:
        for rule in faults.rules():
            self._stage.vendor.fault(**rule)

    async def _todo(self) -> AsyncIterator[Job]:
        """The tasks as they come: in waves, and none after the bound in minutes."""
        for job in jobs(self._plan.tasks, self._plan.seed):
            wave = job.number // _WAVE_TASKS * self._plan.wave_every
            await asyncio.sleep(wave - self._seconds())
            if self._seconds() > 60 * self._plan.minutes:
                self._say("out of time: no further task begins")
                return
            yield job

    def _all_begun(self) -> bool:
        return len(self._traffic.begun) >= self._plan.tasks

    def _mostly_done(self) -> bool:
        return self._traffic.ended >= _CHAOS_UNTIL * self._plan.tasks

    async def _quiet(self, clients: asyncio.Task[None], holds: Holds, running: list) -> bool:
        """Wait until nothing is under way any more; False if it takes too long.

        The time runs from when all are handed in: of a long run the last waves come in the quiet.
        """
        await self._until(lambda: self._all_begun() or clients.done(), watched=running)
        lease = faults.SUBMIT_TIMEOUT_SECONDS + SENDING_MARGIN_SECONDS
        deadline = self._seconds() + lease + holds.unknown_hold_seconds + _QUIET_MARGIN_SECONDS
        while self._seconds() < deadline:
            left = await asyncio.to_thread(self._left)
            if clients.done() and not left:
                return True
            await self._until(lambda: True, watched=running)
            await asyncio.sleep(0.5)
        return False

    def _left(self) -> dict[str, int]:
        with self._stage.store.client() as store:
            return evidence.read_left(store)

    async def _until(self, holds: Callable[[], bool], watched: list) -> None:
        """Wait for a condition; a side task that failed fails the soak."""
        while True:
            for task in watched:
                if task.done():
                    task.result()
            if holds():
                return
            await asyncio.sleep(0.1)

    async def _verify(self) -> None:
        while True:
            await asyncio.sleep(_VERIFY_EVERY_SECONDS)
            await self._verify_once()

    async def _verify_once(self) -> None:
        for words, found in (
            (("slots", "--verify"), self._verified),
            (("usage", "verify"), self._books),
        ):
            at = self._seconds()
            done = await asyncio.to_thread(run_command, *words, **self._stage.settings)
            found.append(Verified(at, done.returncode, done.stdout, done.stderr))
            said = done.stdout + done.stderr
            self._events.tell("verified", checked=words[0], status=done.returncode, said=said)

    async def _tell_progress(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_EVERY_SECONDS)
            traffic, struck = self._traffic, self._chaos.counts
            self._say(
                f"{self._seconds():6.0f} s  {traffic.ended}/{self._plan.tasks} done, "
                f"{len(traffic.begun) - traffic.ended} under way, "
                f"{traffic.ended / self._seconds():.1f}/s; {struck['kill']} kills, "
                f"{struck['drain']} stops, {struck['pause']} pauses, "
                f"{struck['store kill']} store kills, {len(self._stage.up())} up"
            )

    async def _evidence(self, in_time: bool) -> Evidence:
        begun = self._traffic.begun
        await self._verify_once()
        readings = await evidence.read_everywhere(begun, self._stage.replicas, self._clients)
        await self._ask_again()
        made = await asyncio.to_thread(evidence.vendors_tasks, self._stage.vendor)
        billed, unknown = await asyncio.to_thread(evidence.read_bill, self._stage.settings)
        with self._stage.store.client() as store:
            return Evidence(
                jobs=begun,
                limits=LIMITS,
                caps={team.name: team.cap for team in TEAMS},
                stats=self._stage.vendor.stats(),
                made=made,
                records=evidence.read_records(store),
                ledger=evidence.read_ledger(store),
                left=evidence.read_left(store),
                readings=readings,
                verified=self._verified,
                books=self._books,
                billed=billed,
                unknown=unknown,
                bad_exits=self._chaos.bad_exits,
                odd_answers=self._traffic.odd_answers,
                in_time=in_time,
            )

    async def _ask_again(self) -> None:
        """A key is remembered for longer than its task runs: the same submit, the same id."""
        begun = self._traffic.begun
        numbers = sorted(self._clients)
        dice = random.Random(self._plan.seed)
        for job in dice.sample(begun, min(_ASKED_AGAIN, len(begun))):
            await self._traffic.submit(job, dice.choice(numbers))

    def _seconds(self) -> float:
        return time.monotonic() - self._began
