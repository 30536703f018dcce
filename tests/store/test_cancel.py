"""A caller wants a task no more; an operator ends one by hand."""

from __future__ import annotations

from gateway.domain.provider_answers import Rest
from gateway.domain.task import Task
from gateway.domain.video import Video
from tests.store.conftest import Pool

VIDEOS = (Video(url="https://vendor.example/1.mp4"),)


async def cancelled(pool: Pool, task_id: str) -> Task:
    task, _ = await pool.tasks.cancel(task_id)
    assert task is not None
    return task


async def outcomes(pool: Pool) -> list[tuple[str, str]]:
    return [(entry["status"], entry["outcome"]) for entry in await pool.ledger()]


async def test_what_waits_is_cancelled_at_once_and_free(the_pool: Pool):
    for _ in range(3):
        await the_pool.running()
    task, _ = await the_pool.admit(images=("https://img.example/1.png",))
    for _ in range(2):
        assert (await cancelled(the_pool, task.id)).status == "cancelled"
    assert await the_pool.slots.waiting() == {}
    assert await outcomes(the_pool) == [("cancelled", "free")]
    assert not await the_pool.store.redis.exists(the_pool.store.keys.images(task.id))


async def test_a_cancelled_claim_may_not_be_sent_and_its_slot_goes_on(the_pool: Pool):
    claim = await the_pool.claimed("adverts")
    waiting, _ = await the_pool.admit("adverts")
    task, claims = await the_pool.tasks.cancel(claim.task_id)
    assert task is not None and task.status == "cancelled"
    assert [c.task_id for c in claims] == [waiting.id]
    assert not await the_pool.tasks.mark_sending(claim, "key-id")


async def test_what_was_sent_keeps_its_slot_and_is_billed_but_reads_as_cancelled(the_pool: Pool):
    claim = await the_pool.sending()
    task = await cancelled(the_pool, claim.task_id)
    assert (task.status, task.as_told().status) == ("sending", "cancelled")
    assert sum((await the_pool.in_use()).values()) == 1
    await the_pool.tasks.record_accepted(claim, "vendor-1", None, 0)
    await the_pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None)
    ended = await the_pool.tasks.get(claim.task_id)
    assert ended is not None
    assert (ended.status, ended.videos) == ("completed", VIDEOS)
    told = ended.as_told()
    assert (told.status, told.videos, told.error and told.error.code) == (
        *("cancelled", (), "cancelled"),
    )
    assert await outcomes(the_pool) == [("completed", "charged")]


async def test_one_that_proves_not_accepted_is_not_queued_again(the_pool: Pool):
    claim = await the_pool.sending()
    waiting = [(await the_pool.admit())[0].id for _ in range(3)]
    await cancelled(the_pool, claim.task_id)
    await the_pool.tasks.give_back(claim, Rest.CONCURRENCY, "refused", answered=True)
    assert await the_pool.status(claim.task_id) == "cancelled"
    assert await outcomes(the_pool) == [("cancelled", "free")]
    assert claim.task_id not in waiting


async def test_an_unknown_outcome_stays_unknown(the_pool: Pool):
    claim = await the_pool.sending()
    await the_pool.with_rules(unknown_hold_seconds=-1).record_lost(claim, "cut")
    await cancelled(the_pool, claim.task_id)
    assert (await the_pool.tasks.sweep(10)).given_up == (claim.task_id,)
    assert await outcomes(the_pool) == [("failed", "unknown")]


async def test_what_has_ended_cannot_be_cancelled(the_pool: Pool):
    claim = await the_pool.running()
    await the_pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None)
    task = await cancelled(the_pool, claim.task_id)
    assert (task.status, task.cancel_asked_ms) == ("completed", None)
    assert (await the_pool.tasks.cancel("task_none"))[0] is None


async def test_an_operator_releases_a_slot_and_it_is_written_down(the_pool: Pool):
    running, sending = await the_pool.running(), await the_pool.sending()
    task = await the_pool.tasks.get(running.task_id)
    assert task is not None
    assert await the_pool.tasks.release(task, "ops@host", "the vendor forgot it")
    assert not await the_pool.tasks.release(task, "ops@host", "again")
    assert await the_pool.status(running.task_id) == "failed"
    (entry,) = await the_pool.tasks.audit(10)
    assert (entry.who, entry.action, entry.on) == ("ops@host", "slots.release", running.task_id)
    assert (entry.before, entry.after, entry.reason) == (
        *("in_progress", "failed", "the vendor forgot it"),
    )
    assert await outcomes(the_pool) == [("failed", "unknown")]
    # What may still be on the wire is not for an operator to end.
    task = await the_pool.tasks.get(sending.task_id)
    assert task is not None
    assert not await the_pool.tasks.release(task, "ops@host", "impatient")
