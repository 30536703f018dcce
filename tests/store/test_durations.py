"""What looks saw of durations: kept once for each task, bounded, and read by every process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.domain.catalog import Catalog
from gateway.domain.durations import GUESS, Variant
from gateway.domain.learning import A_DURATION, FEWEST, KEPT
from gateway.domain.ports import DueLook
from gateway.domain.task import Claim, TaskError
from gateway.domain.video import Video
from gateway.store.connection import Store, open_store
from gateway.store.durations import DurationStore
from gateway.store.embedded import EmbeddedStore
from tests.store.conftest import HOUR, Pool, account, pass_time

VIDEOS = (Video(url="https://vendor.example/1.mp4"),)
FAILED = TaskError(code="1301", message="no")
MODEL = Variant("bigmodel", "cogvideox-3")
PLAIN = Variant("bigmodel", "cogvideox-3", "-:-:-")
LARGE = Variant("bigmodel", "cogvideox-3", "3840x2160:quality:10")


async def kept(store: Store, variant: Variant) -> list[str]:
    """Each end as `<after> <by>`, in ms, without when it was kept; the latest first."""
    parts = filter(None, (variant.provider, variant.model, variant.form))
    entries = await store.redis.lrange(store.keys.durations(*parts), 0, -1)
    return [entry.rpartition(" ")[0] for entry in entries]


async def running(pool: Pool, **fields: object) -> Claim:
    _, claim = await pool.admit(**fields)
    assert claim is not None
    await pool.tasks.mark_sending(claim, "key-id")
    await pool.tasks.record_accepted(claim, f"vendor-{claim.task_id}", None, 0)
    return claim


async def seen(pool: Pool, after: float | None, by: float, **fields: object) -> None:
    """A task that ran at one age and was over at another, well after the one before."""
    await pass_time(pool, HOUR / A_DURATION / 10)
    claim = await running(pool, **fields)
    if after is not None:
        (look,), _ = await pool.tasks.take_due(10)
        await pool.tasks.look_again(look, 0, False, after)
    await pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None, by)


async def test_an_end_is_kept_as_the_ages_between_which_it_was(the_pool: Pool):
    await seen(the_pool, None, 34.5)
    await seen(the_pool, 30.25, 33)
    assert await kept(the_pool.store, MODEL) == ["30250 33000", "0 34500"]
    assert await kept(the_pool.store, PLAIN) == ["30250 33000", "0 34500"]


async def test_each_form_is_kept_apart_and_all_together_too(the_pool: Pool):
    await seen(the_pool, 50, 60, size="3840x2160", quality="quality", duration_seconds=10)
    await seen(the_pool, 10, 12)
    assert await kept(the_pool.store, LARGE) == ["50000 60000"]
    assert await kept(the_pool.store, PLAIN) == ["10000 12000"]
    assert await kept(the_pool.store, MODEL) == ["10000 12000", "50000 60000"]


async def test_a_failure_at_the_vendor_is_an_end_too_and_is_kept_once(the_pool: Pool):
    claim = await running(the_pool)
    for _ in range(2):
        await the_pool.tasks.settle(claim.task_id, claim.number, FAILED, None, 20)
    assert await kept(the_pool.store, MODEL) == ["0 20000"]


async def test_what_no_look_found_tells_nothing(the_pool: Pool):
    refused, lost = await the_pool.sending(), await running(the_pool)
    await the_pool.tasks.settle(refused.task_id, refused.number, FAILED, None)
    await the_pool.tasks.settle(lost.task_id, lost.number, FAILED, None)
    assert await kept(the_pool.store, MODEL) == []


async def test_only_a_vendor_that_says_so_makes_a_task_run(the_pool: Pool):
    claim = await running(the_pool)
    (look,), _ = await the_pool.tasks.take_due(10)
    await the_pool.tasks.look_again(look, 0, False, 10)
    await the_pool.tasks.look_again(look, 0, False)  # an answer that nobody understood
    await the_pool.tasks.look_again(look, 0, True)  # he does not know it, for a moment
    await the_pool.tasks.look_again(look, 0, False, 8)  # an older look, answered last
    await the_pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None, 30)
    assert await kept(the_pool.store, MODEL) == ["10000 30000"]


async def test_the_latest_are_kept(the_pool: Pool):
    for i in range(KEPT + 5):
        await seen(the_pool, None, i + 1)
    for variant in (MODEL, PLAIN):
        entries = await kept(the_pool.store, variant)
        assert (len(entries), entries[0]) == (KEPT, f"0 {(KEPT + 5) * 1000}")


async def test_of_ends_that_come_together_few_are_kept(the_pool: Pool):
    """Tasks that began together end by their length: at any moment only those of one length."""
    for moment in range(3):
        for _ in range(5):
            claim = await running(the_pool)
            await the_pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None, HOUR)
        assert len(await kept(the_pool.store, PLAIN)) == moment + 1
        await pass_time(the_pool, HOUR / A_DURATION)


async def test_the_more_are_kept_the_further_apart_they_are(the_pool: Pool):
    """So that soon something is known, and later all of a duration."""

    async def ends(seconds: float) -> int:
        before = len(await kept(the_pool.store, PLAIN))
        await pass_time(the_pool, seconds)
        claim = await running(the_pool)
        await the_pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None, HOUR)
        return len(await kept(the_pool.store, PLAIN)) - before

    whole = HOUR / A_DURATION
    assert await ends(0) == 1
    assert await ends(whole / KEPT * 1.1) == 1
    assert await ends(whole / KEPT * 1.1) == 0
    while len(await kept(the_pool.store, PLAIN)) < KEPT // 2:
        await ends(whole)
    assert await ends(whole * 0.4) == 0
    assert await ends(whole * 0.2) == 1


async def test_long_tasks_are_kept_as_often_as_short_ones(the_pool: Pool):
    """Of many ends a second the first that is far enough from the one before, whatever it is."""
    for _ in range(3 * FEWEST):
        for by in (120, 60):
            claim = await running(the_pool)
            await the_pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None, by)
        await pass_time(the_pool, 60 / A_DURATION)
    assert "0 120000" in (await kept(the_pool.store, PLAIN))[:FEWEST]


async def test_a_due_look_says_whether_work_waits_for_its_slot(the_pool: Pool):
    for _ in range(3):
        await the_pool.running()
    assert not any(look.work_waits for look in await due(the_pool))
    await the_pool.admit(size="1920x1080")
    assert all(look.work_waits for look in await due(the_pool))


async def due(pool: Pool) -> tuple[DueLook, ...]:
    looks, _ = await pool.tasks.take_due(10)
    for look in looks:
        await pool.tasks.look_again(look, 0, False)
    return looks


@asynccontextmanager
async def reading(
    store: Store, expected: dict[str, tuple[float, float]] | None = None
) -> AsyncIterator[DurationStore]:
    """What a process knows that reads all the time."""
    durations = DurationStore(
        store, Catalog(expected_seconds=expected or {}), {"a": account("a", 1)}
    )
    work = asyncio.create_task(durations.run())
    try:
        yield durations
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.02)


async def test_what_is_known_best_is_told(the_pool: Pool):
    told = {"cogvideox-3": (100.0, 200.0)}
    async with reading(the_pool.store) as guessing, reading(the_pool.store, told) as durations:
        assert guessing.of(LARGE) is GUESS
        assert guessing.seconds_of("cogvideox-3") == 60
        assert durations.of(LARGE).seconds == durations.seconds_of("cogvideox-3") == 150
        for _ in range(FEWEST):
            await seen(the_pool, 28, 32)
        await until(lambda: durations.seconds_of("cogvideox-3") == pytest.approx(30, abs=1))
        await until(lambda: durations.of(LARGE).seconds == pytest.approx(30, abs=1))
        for _ in range(FEWEST):
            await seen(the_pool, 58, 62, size="3840x2160", quality="quality", duration_seconds=10)
        await until(lambda: durations.of(LARGE).seconds == pytest.approx(60, abs=1))
        await until(lambda: durations.of(PLAIN).seconds == pytest.approx(30, abs=1))
        await until(lambda: durations.seconds_of("cogvideox-3") == pytest.approx(45, abs=2))


async def test_what_has_not_changed_stays_the_same_object(the_pool: Pool):
    """Plans are made anew for another one."""
    async with reading(the_pool.store) as durations:
        for _ in range(FEWEST):
            await seen(the_pool, 28, 32)
        await until(lambda: not durations.of(PLAIN).guessed)
        before = durations.of(PLAIN)
        for _ in range(FEWEST):
            await seen(the_pool, 58, 62, size="1920x1080")
        other = Variant("bigmodel", "cogvideox-3", "1920x1080:-:-")
        await until(lambda: durations.of(other).seconds > 55)
        assert durations.of(PLAIN) is before


async def test_with_the_store_away_what_is_known_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    embedded = EmbeddedStore(tmp_path)
    embedded.start()
    try:
        async with open_store(embedded.url, "own", timeout_seconds=5) as store:
            pool = Pool(store)
            await pool.slots.configure(pool.teams)
            async with reading(store) as durations:
                for _ in range(FEWEST):
                    await seen(pool, 28, 32)
                await until(lambda: not durations.of(PLAIN).guessed)
                embedded.stop()
                await until(lambda: "the store is away" in caplog.text)
                assert durations.of(PLAIN).seconds == pytest.approx(30, abs=1)
                embedded.start()
                for _ in range(KEPT):
                    await seen(pool, 58, 62)
                await until(lambda: durations.of(PLAIN).seconds == pytest.approx(60, abs=1))
    finally:
        embedded.stop()
