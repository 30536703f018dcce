"""What is reserved at the admission and settled at the end, once; budgets and rates in between."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import replace

import pytest

from gateway.domain.charge import ALL, Bound, Charge, Periods, Rate
from gateway.domain.ports import Admitted, NotAdmitted, NotAdmittedBecause
from gateway.domain.submission import Overflow
from gateway.domain.task import Claim, TaskError
from gateway.domain.video import Video
from gateway.store.connection import script_text
from tests.store.conftest import Pool, pass_time

VIDEOS = (Video(url="https://vendor.example/1.mp4"),)
FAILED = TaskError(code="1301", message="no")
DAY = Periods("2026-03-01", 1_772_380_800_000, "2026-03", 1_774_972_800_000)
NEXT_DAY = Periods("2026-03-02", 1_772_467_200_000, "2026-03", 1_774_972_800_000)


def charge(price_fen: int = 100, *bounds: Bound, periods: Periods = DAY, **more: object) -> Charge:
    return Charge(price_fen=price_fen, key_id="k1", periods=periods, bounds=bounds, **more)


def of_day(fen: int, periods: Periods = DAY) -> Bound:
    return Bound("team:films", periods.day, fen)


async def spend(pool: Pool, period: str) -> dict[str, int]:
    """What is reserved and spent of a period, without what is nothing."""
    read = await pool.store.redis.hgetall(pool.store.keys.spend(period))
    return {name: int(fen) for name, fen in read.items() if fen != "0" and "alerted" not in name}


async def running(pool: Pool, money: Charge) -> Claim:
    answer = await pool.admission(charge=money)
    assert isinstance(answer, Admitted)
    (claim,) = answer.claims
    assert await pool.tasks.mark_sending(claim, claim.api_key_id)
    await pool.tasks.record_accepted(claim, f"vendor-{claim.task_id}", None, 0)
    return claim


async def test_a_price_is_reserved_and_then_spent_by_team_and_key_in_each_period(the_pool: Pool):
    claim = await running(the_pool, charge())
    for period in (DAY.day, DAY.month, ALL):
        reserved = {"team:films:reserved": 100, "key:k1:reserved": 100}
        assert await spend(the_pool, period) == reserved
    for _ in range(2):
        await the_pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None)
    for period in (DAY.day, DAY.month, ALL):
        assert await spend(the_pool, period) == {"team:films:spent": 100, "key:k1:spent": 100}


@pytest.mark.parametrize("how", ["failed", "cancelled", "timed out", "refused", "lost"])
async def test_what_was_not_made_costs_nothing(the_pool: Pool, how: str):
    tasks = the_pool.tasks
    if how == "timed out":
        for _ in range(3):
            await running(the_pool, Charge(price_fen=0))
        await the_pool.admission(charge=charge(), terms={"queue_timeout_seconds": 1.0})
        assert await spend(the_pool, ALL) != {}
        await pass_time(the_pool, 1)
        assert len((await tasks.sweep(10)).timed_out) == 1
    elif how == "refused":
        for _ in range(3):
            await running(the_pool, Charge(price_fen=0))
        terms = {"overflow": Overflow.REJECT}
        answer = await the_pool.admission(charge=charge(), terms=terms)
        assert isinstance(answer, NotAdmitted)
    elif how == "lost":
        answer = await the_pool.admission(charge=charge())
        (claim,) = answer.claims
        await tasks.mark_sending(claim, claim.api_key_id)
        await tasks.record_lost(claim, "cut off")
        assert (await spend(the_pool, ALL))["team:films:reserved"] == 100
        await pass_time(the_pool, 3600)
        assert len((await tasks.sweep(10)).given_up) == 1
        assert [entry["outcome"] for entry in await the_pool.ledger()] == ["unknown"]
    elif how == "cancelled":
        answer = await the_pool.admission(charge=charge())
        await tasks.cancel(answer.claims[0].task_id)
    else:
        claim = await running(the_pool, charge())
        await tasks.settle(claim.task_id, claim.number, FAILED, None)
    assert await spend(the_pool, ALL) == {}


async def test_a_budget_lets_in_what_it_has_room_for_and_no_more(the_pool: Pool):
    budget = of_day(350)
    answers = await asyncio.gather(
        *(the_pool.admission(charge=charge(100, budget)) for _ in range(20))
    )
    left = sorted(a.budget_left_fen for a in answers if isinstance(a, Admitted))
    assert left == [50, 150, 250]
    refused = [answer for answer in answers if isinstance(answer, NotAdmitted)]
    assert {(a.because, a.bound, a.taken_fen) for a in refused} == {
        (NotAdmittedBecause.OVER_BUDGET, budget, 300)
    }
    assert await spend(the_pool, DAY.day) == {
        "team:films:reserved": 300,
        "key:k1:reserved": 300,
    }


async def test_what_fails_makes_room_again(the_pool: Pool):
    claim = await running(the_pool, charge(100, of_day(100)))
    assert isinstance(await the_pool.admission(charge=charge(100, of_day(100))), NotAdmitted)
    await the_pool.tasks.settle(claim.task_id, claim.number, FAILED, None)
    assert isinstance(await the_pool.admission(charge=charge(100, of_day(100))), Admitted)


async def test_a_new_day_has_a_new_budget_and_the_old_day_pays_what_it_let_in(the_pool: Pool):
    claim = await running(the_pool, charge(100, of_day(100)))
    tomorrow = charge(100, of_day(100, NEXT_DAY), periods=NEXT_DAY)
    assert isinstance(await the_pool.admission(charge=tomorrow), Admitted)
    await the_pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None)
    assert (await spend(the_pool, DAY.day))["team:films:spent"] == 100
    assert "team:films:spent" not in await spend(the_pool, NEXT_DAY.day)


async def test_the_tightest_budget_decides_and_is_told(the_pool: Pool):
    bounds = Bound("team:films", ALL, 1000), Bound("key:k1", DAY.month, 150)
    first = await the_pool.admission(charge=charge(100, *bounds))
    assert isinstance(first, Admitted)
    assert first.budget_left_fen == 50
    second = await the_pool.admission(charge=charge(100, *bounds))
    assert isinstance(second, NotAdmitted)
    assert second.bound == bounds[1]


async def test_a_budget_that_runs_out_is_told_of_once_for_each_amount(the_pool: Pool):
    async def told(fen: int) -> tuple[Bound, ...]:
        answer = await the_pool.admission(charge=charge(100, of_day(fen)))
        assert isinstance(answer, Admitted)
        return answer.alarming

    assert [await told(500) for _ in range(5)] == [(), (), (), (of_day(500),), ()]
    assert await told(1000) == ()
    assert await told(700) == (of_day(700),)


async def test_a_repeated_submit_is_charged_once(the_pool: Pool):
    terms = {"idempotency_key": "header one"}
    for _ in range(3):
        answer = await the_pool.admission(
            prompt="same", charge=charge(100, of_day(100)), terms=terms
        )
        assert isinstance(answer, Admitted)
        assert answer.budget_left_fen == 0
    assert (await spend(the_pool, ALL))["team:films:reserved"] == 100


async def test_a_rate_lets_a_minute_in_at_once_and_then_its_share(the_pool: Pool):
    money = replace(charge(), rates=(Rate("key:k1", 4),))

    async def submit() -> float | None:
        answer = await the_pool.admission(charge=money)
        return answer.wait_seconds if isinstance(answer, NotAdmitted) else None

    assert [await submit() for _ in range(4)] == [None] * 4
    assert 14 < (await submit() or 0) <= 15
    await pass_time(the_pool, 15)
    assert await submit() is None
    assert await submit() is not None
    assert (await spend(the_pool, ALL))["team:films:reserved"] == 500


async def test_a_refused_submit_takes_nothing_of_the_rate(the_pool: Pool):
    money = replace(charge(100, of_day(0)), rates=(Rate("team:films", 1),))
    assert isinstance(await the_pool.admission(charge=money), NotAdmitted)
    assert isinstance(await the_pool.admission(charge=replace(money, bounds=())), Admitted)


async def test_nothing_is_added_to_a_day_that_was_taken_out(the_pool: Pool):
    redis, keys = the_pool.store.redis, the_pool.store.keys
    await redis.set(keys.first_open_day, "2999-12-31")
    claim = await running(the_pool, charge())
    await the_pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None)
    assert await redis.zrange(keys.ledger_days, 0, -1) == ["2999-12-31"]
    assert await redis.zrange(keys.usage_hours, 0, -1) == ["2999-12-31T00"]


@pytest.mark.parametrize(
    "date", ["1970-01-01", "2000-02-29", "2026-02-28", "2026-12-31", "2028-02-29", "2100-03-01"]
)
async def test_days_are_counted_as_calendars_do(the_pool: Pool, date: str):
    """The script has no calendar of its own."""
    number = (dt.date.fromisoformat(date) - dt.date(1970, 1, 1)).days
    redis, keys = the_pool.store.redis, the_pool.store.keys
    text = script_text("forget").rpartition("local id = ARGV[2]")[0]
    read = await redis.eval(
        f"{text}\nreturn {{date_of({number} * 86400000 + 86399999), day_number('{date}')}}",
        1,
        keys.tag,
    )
    assert read == [date, number]


async def test_a_period_that_is_gone_stays_gone(the_pool: Pool):
    claim = await running(the_pool, charge())
    await the_pool.store.redis.delete(the_pool.store.keys.spend(DAY.day))
    await the_pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None)
    assert await spend(the_pool, DAY.day) == {}
    assert (await spend(the_pool, ALL))["team:films:spent"] == 100
