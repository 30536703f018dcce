"""What a refusal costs whom: rests that grow, trials, budgets, and effective limits."""

from __future__ import annotations

import pytest

from gateway.domain.ports import Admitted
from gateway.domain.provider_answers import Rest
from gateway.domain.task import Claim
from gateway.domain.team import Team
from gateway.store.connection import Store
from gateway.store.lanes import LaneRules
from gateway.store.slots import SlotStore
from tests.store.conftest import HOUR, Pool, account, pass_time

MINUTE = 60.0


class Backlog:
    """One account of five slots and more work than it can take; rests are an hour at first."""

    def __init__(self, store: Store) -> None:
        self.pool = Pool(store)
        self.pool.accounts = {"a": account("a", 5)}
        self.pool.teams = (Team(name="films", cap=1000),)
        self.pool.slots = SlotStore(
            store, self.pool.accounts, LaneRules(catalog=self.pool.catalog, unknown_share=1)
        )
        self.rules: dict[str, float] = {"probe_submits": 5, "rest_budget": 2, "probe_seconds": 1e7}
        self.running: list[Claim] = []

    @property
    def tasks(self):
        return self.pool.with_rules(**self.rules)

    async def open(self) -> list[Claim]:
        await self.pool.slots.configure(self.pool.teams)
        claims: list[Claim] = []
        for _ in range(80):
            admitted = await self.pool.admission(tasks=self.tasks)
            assert isinstance(admitted, Admitted)
            claims += admitted.claims
        return claims

    async def claim(self) -> list[Claim]:
        """What the short loop finds to do."""
        return list(await self.tasks.claim_waiting(50))

    async def refuse(self, claim: Claim, rest: Rest) -> None:
        assert await self.tasks.mark_sending(claim, claim.api_key_id)
        await self.tasks.give_back(claim, rest, "refused", answered=True, hand_on=False)

    async def accept(self, claim: Claim) -> list[Claim]:
        assert await self.tasks.mark_sending(claim, claim.api_key_id)
        _, claims = await self.tasks.record_accepted(claim, f"v-{claim.request_id}", None, HOUR)
        self.running.append(claim)
        return list(claims)

    async def end(self) -> list[Claim]:
        """The oldest running task ends; whom its slot went to."""
        claim = self.running.pop(0)
        _, claims = await self.tasks.settle(claim.task_id, claim.number, (), None)
        return list(claims)

    async def pass_time(self, seconds: float) -> None:
        await pass_time(self.pool, seconds)

    async def rests(self) -> dict[str, float]:
        return {rest.name: rest.seconds_left for rest in await self.pool.slots.resting()}

    async def effective(self) -> str | None:
        read = await self.pool.store.redis.hget(f"{self.pool.store.keys.tag}:effective", LANE)
        return read and read.split()[0]


LANE = "a:cogvideox-3"


@pytest.fixture
async def backlog(store: Store) -> Backlog:
    return Backlog(store)


@pytest.mark.parametrize(
    ("rest", "name"),
    [
        (Rest.ACCOUNT, "account:a"),
        (Rest.UNREACHABLE, "account:a"),
        (Rest.RATE, "account:a:cogvideox-3"),
    ],
)
async def test_after_a_rest_one_task_tries_and_the_others_follow_when_it_is_accepted(
    backlog: Backlog, rest: Rest, name: str
):
    for claim in await backlog.open():
        await backlog.refuse(claim, rest)
    assert await backlog.claim() == []
    await backlog.pass_time(HOUR + 1)
    assert await backlog.rests() == {name: 0}
    (trial,) = await backlog.claim()
    assert await backlog.claim() == []
    more = await backlog.accept(trial)
    assert await backlog.rests() == {}
    assert len(more + await backlog.claim()) == 4


async def test_each_refusal_in_a_row_makes_the_rest_longer_up_to_a_bound(backlog: Backlog):
    lengths = []
    for claim in await backlog.open():
        await backlog.refuse(claim, Rest.ACCOUNT)
    for _ in range(5):
        lengths.append(round((await backlog.rests())["account:a"] / HOUR))
        await backlog.pass_time(lengths[-1] * HOUR + 1)
        (trial,) = await backlog.claim()
        await backlog.refuse(trial, Rest.ACCOUNT)
    assert lengths == [1, 2, 4, 8, 8]


async def test_a_trial_that_is_given_back_unsent_lets_another_try(backlog: Backlog):
    for claim in await backlog.open():
        await backlog.refuse(claim, Rest.ACCOUNT)
    await backlog.pass_time(HOUR + 1)
    (trial,) = await backlog.claim()
    await backlog.tasks.give_back(trial, None, "the process stops", hand_on=False)
    assert len(await backlog.claim()) == 1


async def test_what_was_on_the_way_when_a_rest_began_does_not_end_it(backlog: Backlog):
    first, second, *_ = await backlog.open()
    assert await backlog.tasks.mark_sending(second, second.api_key_id)
    await backlog.pass_time(1)
    await backlog.refuse(first, Rest.ACCOUNT)
    await backlog.tasks.record_accepted(second, "v", None, HOUR)
    assert list(await backlog.rests()) == ["account:a"]
    assert await backlog.claim() == []


async def test_overload_is_paid_from_a_budget_and_then_tried_one_at_a_time(backlog: Backlog):
    claims = await backlog.open()
    for times in (1, 2):
        await backlog.refuse(claims.pop(), Rest.OVERLOAD)
        for claim in claims:
            await backlog.tasks.give_back(claim, None, "unsent", hand_on=False)
        assert await backlog.claim() == []
        await backlog.pass_time(HOUR + 1)
        claims = await backlog.claim()
        assert len(claims) == 5, f"after {times}"
    await backlog.refuse(claims.pop(), Rest.OVERLOAD)
    for claim in claims:
        await backlog.tasks.give_back(claim, None, "unsent", hand_on=False)
    await backlog.pass_time(HOUR + 1)
    (trial,) = await backlog.claim()
    await backlog.accept(trial)
    assert await backlog.rests() == {}


async def test_accepted_tasks_fill_the_budget_again(backlog: Backlog):
    claims = await backlog.open()
    await backlog.refuse(claims.pop(), Rest.OVERLOAD)
    budgets = f"{backlog.pool.store.keys.tag}:budgets"
    assert await backlog.pool.store.redis.hgetall(budgets) == {
        "provider:bigmodel:cogvideox-3": "1.0"
    }
    for claim in claims:
        await backlog.accept(claim)
    for _ in range(6):
        await backlog.pass_time(HOUR + 1)
        (claim, *_) = [*await backlog.end(), *await backlog.claim()]
        await backlog.accept(claim)
    assert await backlog.pool.store.redis.hgetall(budgets) == {}


async def full(backlog: Backlog) -> None:
    """All five slots run."""
    for claim in await backlog.open():
        await backlog.accept(claim)
    assert len(backlog.running) == 5


async def refused_once(backlog: Backlog) -> None:
    """A slot came free, and somebody else was quicker."""
    (claim,) = await backlog.end()
    await backlog.refuse(claim, Rest.CONCURRENCY)
    await backlog.pass_time(HOUR + 1)


async def test_a_concurrency_refusal_lowers_the_effective_limit_to_what_runs(backlog: Backlog):
    await full(backlog)
    await refused_once(backlog)
    assert await backlog.effective() == "4"
    assert await backlog.claim() == []
    (claim,) = await backlog.end()
    await backlog.accept(claim)
    assert await backlog.claim() == []


async def test_a_lowered_limit_is_tried_upward_after_so_many_accepted_tasks(backlog: Backlog):
    await full(backlog)
    for _ in range(3):
        await refused_once(backlog)
    assert await backlog.effective() == "2"
    for _ in range(4):
        (claim,) = await backlog.end()
        assert await backlog.accept(claim) == []
    (claim,) = await backlog.end()
    # The fifth: one more than the two goes with it. It is accepted, and so does the next.
    (probe,) = await backlog.accept(claim)
    assert await backlog.effective() == "2"
    (probe,) = await backlog.accept(probe)
    assert await backlog.effective() == "3"
    (probe,) = await backlog.accept(probe)
    assert await backlog.accept(probe) == []
    assert await backlog.effective() is None
    assert len(backlog.running) == 5


async def test_a_refused_probe_costs_nothing_but_the_next_wait(backlog: Backlog):
    await full(backlog)
    await refused_once(backlog)
    backlog.rules["probe_submits"] = 1
    (claim,) = await backlog.end()
    (probe,) = await backlog.accept(claim)
    await backlog.refuse(probe, Rest.CONCURRENCY)
    assert await backlog.effective() == "4"
    await backlog.pass_time(HOUR + 1)
    assert await backlog.claim() == []
    assert len(backlog.running) == 4


async def test_a_lowered_limit_is_tried_upward_when_enough_time_has_passed(backlog: Backlog):
    await full(backlog)
    await refused_once(backlog)
    assert await backlog.claim() == []
    backlog.rules["probe_seconds"] = HOUR
    assert len(await backlog.claim()) == 1


async def test_where_others_hold_every_slot_the_lane_is_tried_one_task_at_a_time(backlog: Backlog):
    claims = await backlog.open()
    for claim in claims:
        await backlog.refuse(claim, Rest.CONCURRENCY)
    assert await backlog.effective() == "1"
    await backlog.pass_time(HOUR + 1)
    for _ in range(2):
        (trial,) = await backlog.claim()
        await backlog.refuse(trial, Rest.CONCURRENCY)
        assert await backlog.claim() == []
        await backlog.pass_time(8 * HOUR + 1)
    assert await backlog.effective() == "1"


async def test_a_changed_account_forgets_what_was_learned_of_it(backlog: Backlog):
    await full(backlog)
    await refused_once(backlog)
    backlog.pool.accounts["a"] = account("a", 6)
    await backlog.pool.slots.configure(backlog.pool.teams)
    assert await backlog.effective() is None
    assert len(await backlog.claim()) == 2


async def test_a_grave_cause_does_not_inherit_how_often_a_harmless_one_came(backlog: Backlog):
    for claim in await backlog.open():
        await backlog.refuse(claim, Rest.UNREACHABLE)
    for _ in range(3):
        await backlog.pass_time(8 * HOUR + 1)
        (trial,) = await backlog.claim()
        await backlog.refuse(trial, Rest.UNREACHABLE)
    await backlog.pass_time(8 * HOUR + 1)
    (trial,) = await backlog.claim()
    await backlog.refuse(trial, Rest.ACCOUNT)
    assert round((await backlog.rests())["account:a"] / HOUR) == 1


async def test_whoever_lets_an_account_go_on_need_not_wait_for_lost_answers(backlog: Backlog):
    for claim in (await backlog.open())[:3]:
        assert await backlog.tasks.mark_sending(claim, claim.api_key_id)
        await backlog.tasks.record_lost(claim, "cut")
    assert list(await backlog.rests()) == ["breaker:a:cogvideox-3"]
    backlog.pool.accounts["a"] = account("a", 6)
    await backlog.pool.slots.configure(backlog.pool.teams)
    assert await backlog.rests() == {}
