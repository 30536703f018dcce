"""Every process hears of every end, and of what its memory should not tell any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.domain.video import Video
from gateway.store.connection import open_store
from gateway.store.embedded import EmbeddedStore
from gateway.store.events import Events
from tests.store.conftest import Pool

VIDEOS = (Video(url="https://vendor.example/1.mp4"),)


class Listener:
    """A process that only listens."""

    def __init__(self, url: str, pool: Pool) -> None:
        self.tasks = pool.with_rules()
        self.begun = asyncio.Event()
        self.events = Events(
            url,
            pool.store.keys.events,
            changed=self.tasks.changed,
            perhaps_changed=self._begun,
            accounts_changed=lambda: None,
            tenants_changed=lambda: None,
        )

    def _begun(self) -> None:
        self.tasks.perhaps_changed()
        self.begun.set()


@contextlib.asynccontextmanager
async def listening(url: str, pool: Pool) -> AsyncIterator[Listener]:
    listener = Listener(url, pool)
    running = asyncio.create_task(listener.events.run())
    try:
        async with asyncio.timeout(20):
            await listener.begun.wait()
        yield listener
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@pytest.fixture
async def listener(store_url: str, the_pool: Pool) -> AsyncIterator[Listener]:
    async with listening(store_url, the_pool) as opened:
        yield opened


async def test_an_end_is_heard_and_of_other_tasks_nothing(the_pool: Pool, listener: Listener):
    ending, other = await the_pool.running(), await the_pool.running()
    with (
        listener.events.watch(ending.task_id) as heard,
        listener.events.watch(ending.task_id) as heard_too,
        listener.events.watch(other.task_id) as not_heard,
    ):
        await the_pool.tasks.settle(ending.task_id, 1, VIDEOS, None)
        async with asyncio.timeout(20):
            await heard.wait()
            await heard_too.wait()
        assert not not_heard.is_set()


async def test_what_was_forgotten_elsewhere_is_not_told_from_memory(
    the_pool: Pool, listener: Listener
):
    claim = await the_pool.running()
    await the_pool.tasks.settle(claim.task_id, 1, VIDEOS, None)
    assert await listener.tasks.get(claim.task_id) is not None
    with listener.events.watch(claim.task_id) as heard:
        await the_pool.tasks.forget(claim.task_id)
        async with asyncio.timeout(20):
            await heard.wait()
    assert await listener.tasks.get(claim.task_id) is None


async def test_after_an_outage_everybody_is_woken_and_memory_is_emptied(tmp_path: Path):
    """What happened while nobody listened cannot be heard any more."""
    with EmbeddedStore(tmp_path) as embedded:
        async with open_store(embedded.url, "outage", timeout_seconds=5) as store:
            pool = Pool(store)
            await pool.slots.configure(pool.teams)
            claim = await pool.running()
            async with listening(embedded.url, pool) as listener:
                with listener.events.watch(claim.task_id) as woken:
                    listener.begun.clear()
                    await store.redis.client_kill_filter(_type="pubsub")
                    async with asyncio.timeout(20):
                        await listener.begun.wait()
                    assert woken.is_set()
