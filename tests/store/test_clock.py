"""The clock of leases and holds: no jump of the server's clock may end a hold."""

from __future__ import annotations

import asyncio

import pytest

from gateway.domain.ports import Admitted
from tests.store.conftest import Pool

HOURS_MS = 2 * 3600 * 1000
MINUTE = 60.0


async def _jump(pool: Pool, ms: int) -> None:
    """As if the server's clock had been moved by so much since the last script."""
    await pool.store.redis.hincrby(pool.store.keys.clock, "wall", -ms)


@pytest.mark.parametrize("jump_ms", [HOURS_MS, -HOURS_MS], ids=["forward", "back"])
async def test_a_jump_of_the_servers_clock_ends_no_lease_and_no_hold(the_pool: Pool, jump_ms: int):
    brief = the_pool.with_rules(claim_lease_seconds=MINUTE, sending_lease_seconds=MINUTE)
    claimed, _ = await the_pool.admit(tasks=brief)
    sending, claim = await the_pool.admit(tasks=brief)
    assert claim is not None
    assert await brief.mark_sending(claim, "key-id")
    unknown = await the_pool.sending()
    await the_pool.with_rules(unknown_hold_seconds=MINUTE).record_lost(unknown, "cut")
    for _ in range(3):
        await _jump(the_pool, jump_ms)
        swept = await the_pool.tasks.sweep(10)
        assert (swept.requeued, swept.unknown, swept.given_up) == ((), (), ())
    assert [await the_pool.status(t) for t in (claimed.id, sending.id, unknown.task_id)] == [
        *("claimed", "sending", "unknown"),
    ]


async def test_a_jump_forgets_no_idempotency_key(the_pool: Pool):
    brief = the_pool.with_rules(idempotency_seconds=MINUTE)
    terms = {"idempotency_key": "header k"}
    await the_pool.admission(prompt="a cat", terms=terms, tasks=brief)
    await _jump(the_pool, HOURS_MS)
    await the_pool.tasks.sweep(10)
    again = await the_pool.admission(prompt="a cat", terms=terms, tasks=brief)
    assert isinstance(again, Admitted) and again.replayed


async def test_it_goes_on_from_where_a_jump_left_it(the_pool: Pool):
    brief = the_pool.with_rules(claim_lease_seconds=0.05)
    task, _ = await the_pool.admit(tasks=brief)
    await _jump(the_pool, -HOURS_MS)
    while not (swept := await the_pool.tasks.sweep(10)).requeued:
        await asyncio.sleep(0.01)
    assert swept.requeued == (task.id,)


async def test_what_people_see_is_the_servers_own_time(the_pool: Pool):
    await _jump(the_pool, HOURS_MS)
    task, _ = await the_pool.admit()
    seconds, _ = await the_pool.store.redis.time()
    assert abs(task.created_ms / 1000 - seconds) < 60
