"""How much an outage of a vendor may cost, and how the pool finds out that it is over."""

from __future__ import annotations

import pytest

from gateway.domain.ports import Admitted
from gateway.domain.provider_answers import Rest
from gateway.domain.task import Claim, TaskError
from gateway.domain.team import Team
from gateway.store.connection import Store
from gateway.store.tasks import TaskStore
from tests.store.conftest import HOUR, Pool, account

REFUSED = TaskError(code="1301", message="no", caller_at_fault=True)


class Lane:
    """One account of ten slots, of which lost answers may take four, and a backlog of fifty."""

    def __init__(self, store: Store) -> None:
        self.pool = Pool(store)
        self.pool.accounts.clear()
        self.pool.accounts["a"] = account("a", 10)
        self.pool.teams = (Team(name="films", cap=100),)
        self.claims: list[Claim] = []

    async def open(self) -> None:
        await self.pool.slots.configure(self.pool.teams)
        for _ in range(50):
            admitted = await self.pool.admission("films")
            assert isinstance(admitted, Admitted)
            self.claims += admitted.claims

    async def sent(self) -> Claim:
        claim = self.claims.pop(0)
        assert await self.pool.tasks.mark_sending(claim, "key-id")
        return claim

    async def lose(self, tasks: TaskStore | None = None) -> None:
        assert await (tasks or self.pool.tasks).record_lost(await self.sent(), "cut")

    async def accept(self) -> None:
        claim = await self.sent()
        _, claims = await self.pool.tasks.record_accepted(claim, f"v-{claim.task_id}", None, HOUR)
        self.claims += claims

    async def claim(self) -> int:
        """What the short loop finds to do."""
        claims = await self.pool.tasks.claim_waiting(50)
        self.claims += claims
        return len(claims)

    async def unknown(self) -> int:
        return await self.pool.store.redis.scard(self.pool.store.keys.unknown("a", "cogvideox-3"))

    async def told(self) -> list[str]:
        return [rest.reason for rest in await self.pool.slots.resting()]


@pytest.fixture
async def lane(store: Store) -> Lane:
    lane = Lane(store)
    await lane.open()
    return lane


async def test_no_more_is_on_the_way_than_lost_answers_may_take(lane: Lane):
    assert len(lane.claims) == 4
    assert await lane.claim() == 0


async def test_as_answers_come_in_the_whole_account_is_used(lane: Lane):
    for _ in range(10):
        await lane.accept()
    assert await lane.pool.in_use() == {"a": 10}
    assert lane.claims == []


async def test_an_outage_takes_no_more_than_its_share(lane: Lane):
    while lane.claims:
        await lane.lose()
    assert await lane.unknown() == 4
    assert await lane.claim() == 0
    assert await lane.told() == ["4 answers lost in a row; it is tried with one task at a time"]


async def test_several_losses_in_a_row_stop_the_submits_at_once(lane: Lane):
    await lane.accept()
    for _ in range(3):
        await lane.lose()
    assert await lane.unknown() == 3
    # Two were on the way already; no more go.
    for _ in range(len(lane.claims)):
        await lane.pool.tasks.give_back(lane.claims.pop(), Rest.CONCURRENCY, "x", hand_on=False)
    assert await lane.claim() == 0


async def test_losses_among_answers_stop_nothing(lane: Lane):
    for _ in range(3):
        await lane.lose()
        await lane.accept()
        await lane.accept()
    assert await lane.told() == []
    assert await lane.unknown() == 3
    assert lane.claims != []


async def test_after_a_pause_one_task_tries_and_its_answer_ends_the_caution(lane: Lane):
    quick = lane.pool.with_rules(breaker_seconds=0)
    for _ in range(3):
        await lane.lose(quick)
    rest = len(lane.claims)
    for _ in range(rest):
        await lane.pool.tasks.give_back(lane.claims.pop(), None, "x", hand_on=False)
    assert await lane.claim() == 1
    assert await lane.claim() == 0
    await lane.accept()
    assert await lane.told() == []
    assert await lane.claim() + len(lane.claims) >= 1


async def test_a_trial_that_is_lost_as_well_makes_the_next_wait(lane: Lane):
    quick, slow = lane.pool.with_rules(breaker_seconds=0), lane.pool.with_rules(trial_seconds=HOUR)
    while lane.claims:
        await lane.lose(quick)
    assert await lane.unknown() == 4
    assert await lane.claim() == 1
    await lane.lose(slow)
    assert await lane.unknown() == 5
    assert await lane.claim() == 0


async def test_while_unknown_outcomes_hold_their_share_one_goes_at_a_time(lane: Lane):
    quick = lane.pool.with_rules(breaker_seconds=0)
    while lane.claims:
        await lane.lose(quick)
    assert await lane.claim() == 1
    for _ in range(5):
        assert len(lane.claims) == 1
        await lane.accept()
    assert await lane.unknown() == 4
    assert await lane.pool.in_use() == {"a": 10}


@pytest.mark.parametrize("answer", ["refused for now", "refused for good"])
async def test_a_refusal_is_an_answer_too(lane: Lane, answer: str):
    quick = lane.pool.with_rules(breaker_seconds=0)
    while lane.claims:
        await lane.lose(quick)
    await lane.claim()
    trial = await lane.sent()
    if answer == "refused for now":
        await lane.pool.with_rules(rest_seconds=0).give_back(
            trial, Rest.CONCURRENCY, "1302", answered=True
        )
    else:
        await lane.pool.tasks.settle(trial.task_id, trial.number, REFUSED, None)
    assert await lane.told() == []


async def test_no_connection_is_no_answer(lane: Lane):
    quick = lane.pool.with_rules(breaker_seconds=0, rest_seconds=0)
    while lane.claims:
        await lane.lose(quick)
    await lane.claim()
    trial = await lane.sent()
    await quick.give_back(trial, Rest.UNREACHABLE, "no connection", hand_on=False)
    assert await lane.told() == [
        "no connection",
        "4 answers lost in a row; it is tried with one task at a time",
    ]


async def test_a_late_answer_gives_its_share_back(lane: Lane):
    lost = []
    quick = lane.pool.with_rules(breaker_seconds=0)
    while lane.claims:
        claim = await lane.sent()
        await quick.record_lost(claim, "cut")
        lost.append(claim)
    for claim in lost:
        recorded, claims = await lane.pool.tasks.record_accepted(claim, claim.task_id, None, HOUR)
        assert recorded
        lane.claims += claims
    assert await lane.unknown() == 0
    assert await lane.told() == []
    assert await lane.pool.differences() == []
