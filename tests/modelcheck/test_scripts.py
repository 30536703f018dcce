"""The scripts of the model do what the real ones do, to every task that they can make.

The model walks through all that its scripts make of one task; each way there is gone again in a
real store, and what that has is compared. So a script that changes must change here as well.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from gateway.domain.task import ENDED, Claim, Status, TaskError
from gateway.domain.video import Video
from gateway.store.connection import Store
from tests.modelcheck import scripts
from tests.modelcheck.breaker import Breaker, Pause, may_claim
from tests.modelcheck.config import Config, Counts
from tests.modelcheck.scripts import POISON_CLAIMS, Word
from tests.modelcheck.task import Script, Task
from tests.store.conftest import CLASS, HOUR, Pool

RULES = {"breaker_losses": 2, "poison_claims": POISON_CLAIMS}
MODEL = "cogvideox-3"
CONFIG = Config(processes=1, tasks=1, limit=2)
REFUSAL = TaskError(code="1301", message="no", caller_at_fault=True)
RESTS = dict.fromkeys(("account:a", "account:b"), f"{10**15} 0 0 - account for the test")
VIDEOS = (Video(url="https://vendor.example/1.mp4"),)


class Act(NamedTuple):
    """One run of a script."""

    name: str
    script: Script | None = None
    fresh: bool = True


ACTS = [
    *(Act(script.name, script, fresh) for script in Script for fresh in (True, False)),
    *map(Act, ("claim", "cancel", "sweep", "deadline", "completed", "failed")),
]


class Made(NamedTuple):
    """What a model's acts made, or a store's."""

    task: Task
    breaker: Breaker


def make(made: Made, act: Act) -> Made | None:
    """In the model; None if nothing like it happens in this state."""
    task, word = made.task, Word.NOTHING
    match act.name:
        case "claim" if task.status is Status.QUEUED and made.breaker.pause is Pause.NONE:
            task = scripts.claim(task)
        case "deadline" if task.status is Status.QUEUED:
            task = scripts.finish(task, Status.FAILED)
        case "claim" | "deadline":
            return None
        case "cancel":
            task = scripts.cancel(task, None)
        case "sweep":
            if task.in_leases:
                task, word = scripts.sweep_lease(task, None)
        case "completed" | "failed":
            _, task, word = scripts.settle(task, True, Status(act.name), None)
        case _:
            assert act.script is not None
            _, task, word = scripts.run(act.script, task, act.fresh, None)
    return Made(task, made.breaker.told(word, task.in_unknown, CONFIG))


def all_ways(losses: int) -> dict[Made, tuple[Act, ...]]:
    """Everything that can be made of one task, with a shortest way to it. So many answers to
    others were lost before."""
    start = Made(scripts.enqueue(Task()), Breaker(losses))
    ways: dict[Made, tuple[Act, ...]] = {start: ()}
    for made in (queue := [start]):
        for act in ACTS:
            after = make(made, act)
            if after is not None and after not in ways:
                ways[after] = (*ways[made], act)
                queue.append(after)
    return ways


class RealTask:
    """One task in a real store, to which the same acts are done."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.tasks = pool.with_rules(**RULES)
        self.id = ""
        self.number = 0

    async def admit(self) -> None:
        """Freed slots are handed on at once, so both accounts rest but when it shall be claimed."""
        await self._rest()
        task, claim = await self.pool.admit()
        assert claim is None
        self.id = task.id

    async def act(self, act: Act) -> None:
        claim = Claim(self.id, self.number if act.fresh else self.number - 1, "a", "key-id")
        match act.name:
            case "claim":
                await self.pool.store.redis.hdel(self.pool.store.keys.rests, "account:a")
                (claimed,) = await self.tasks.claim_waiting(5)
                self.number = claimed.number
                await self._rest()
            case "cancel":
                await self.tasks.cancel(self.id)
            case "sweep" | "deadline":
                await self._sweep(act.name)
            case "completed" | "failed":
                ending = VIDEOS if act.name == "completed" else REFUSAL
                await self.tasks.settle(self.id, self.number, ending, None)
            case _:
                await self._run(act.script, claim)

    async def _run(self, script: Script | None, claim: Claim) -> None:
        match script:
            case Script.MARK_SENDING:
                await self.tasks.mark_sending(claim, "key-id")
            case Script.GIVE_BACK_UNSENT:
                await self.tasks.give_back(claim, None, "unsent")
            case Script.GIVE_BACK_REFUSED:
                await self.tasks.give_back(claim, None, "refused", answered=True)
            case Script.SETTLE_REFUSED:
                await self.tasks.settle(claim.task_id, claim.number, REFUSAL, None)
            case Script.RECORD_ACCEPTED:
                await self.tasks.record_accepted(claim, "vendor-1", None, HOUR)
            case Script.RECORD_LOST:
                await self.tasks.record_lost(claim, "cut")

    async def _sweep(self, what: str) -> None:
        keys = self.pool.store.keys
        over = keys.leases if what == "sweep" else keys.deadlines
        await self.pool.store.redis.zadd(over, {self.id: 0}, xx=True)
        await self.tasks.sweep(10)

    async def _rest(self) -> None:
        await self.pool.store.redis.hset(self.pool.store.keys.rests, mapping=RESTS)

    async def made(self) -> Made:
        """What the store has, in the model's words."""
        redis, keys = self.pool.store.redis, self.pool.store.keys
        record = await redis.hgetall(keys.task(self.id))
        status = Status(record["status"])
        task = Task(
            status=status,
            in_slots=await self._in("slots"),
            in_transit=await self._in("transit"),
            in_unknown=await self._in("unknown"),
            in_leases=await redis.zscore(keys.leases, self.id) is not None,
            in_due=await redis.zscore(keys.due, self.id) is not None,
            # Of an ended task the model remembers neither.
            cancel_asked=status not in ENDED and "cancel_asked_ms" in record,
            drops=0 if status in ENDED else int(record.get("drops", 0)),
            has_vendor_id="provider_task_id" in record,
            ledger=len(await self.pool.ledger()),
        )
        kept = await redis.hgetall(keys.breaker("a", MODEL))
        pause = Pause.LASTS if "trial_at" in kept else Pause.NONE
        return Made(task, Breaker(int(kept.get("losses", 0)), pause))

    async def _in(self, name: str) -> bool:
        key = f"{self.pool.store.keys.tag}:{name}:a:{MODEL}"
        return bool(await self.pool.store.redis.sismember(key, self.id))


@pytest.fixture
async def pool(store: Store) -> AsyncIterator[Pool]:
    pool = Pool(store)
    await pool.slots.configure(pool.teams)
    yield pool
    await pool.clear()


@pytest.mark.parametrize("losses", [0, 1])
async def test_a_real_store_makes_of_a_task_what_the_model_makes(pool: Pool, losses: int):
    ways = all_ways(losses)
    assert {made.task.status for made in ways} == set(Status)
    for made, way in ways.items():
        real = None
        for act in sorted(ACTS, key=lambda act: make(made, act) != made):
            expected = make(made, act)
            if expected is None:
                continue
            if real is None:
                real = await _gone(pool, losses, way)
            await real.act(act)
            assert await real.made() == expected, (way, act)
            if expected != made:
                real = None  # all others start from before that


async def _gone(pool: Pool, losses: int, way: tuple[Act, ...]) -> RealTask:
    """A real task on which all these acts were done, alone in its pool."""
    await pool.clear()
    if losses:
        await pool.store.redis.hset(pool.store.keys.breaker("a", MODEL), "losses", losses)
    real = RealTask(pool)
    await real.admit()
    for act in way:
        await real.act(act)
    return real


@pytest.mark.parametrize("cap", [1, 2, 3])
@pytest.mark.parametrize("pause", Pause)
async def test_a_real_store_claims_when_the_model_does(pool: Pool, pause: Pause, cap: int):
    limit = 3
    for transit, unknown, running in itertools.product(range(4), repeat=3):
        held = transit + unknown + running
        if held > limit:
            continue
        await _fill(pool, limit, cap, pause, transit, unknown, running)
        claims = await pool.tasks.claim_waiting(1)
        counts = Counts(running, held, transit, unknown, 0, 0)
        config = Config(1, 1, limit, unknown_cap=cap)
        expected = may_claim(counts, Breaker(0, pause), config, None)
        assert bool(claims) == expected, counts
        await pool.clear()


async def _fill(
    pool: Pool, limit: int, cap: int, pause: Pause, transit: int, unknown: int, running: int
) -> None:
    """One task waits, and the account is as full as that."""
    redis, keys = pool.store.redis, pool.store.keys
    await redis.hset(keys.rests, mapping=RESTS)
    await pool.admit()
    await redis.hdel(keys.rests, "account:a")
    model, provider = CLASS.split("@")
    await redis.hset(f"{keys.tag}:lanes:{provider}:{model}", "a", f"{limit} {cap} 1 0 -")
    names = [f"held-{number}" for number in range(transit + unknown + running)]
    for name, members in (
        ("slots", names),
        ("transit", names[:transit]),
        ("unknown", names[transit : transit + unknown]),
    ):
        if members:
            await redis.sadd(f"{keys.tag}:{name}:a:{model}", *members)
    if pause is not Pause.NONE:
        trial_at = 0 if pause is Pause.OVER else 10**15
        await redis.hset(keys.breaker("a", model), "trial_at", trial_at)
