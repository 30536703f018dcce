"""Is the store set up to keep what it is given? On servers of the test's own."""

from __future__ import annotations

import logging

import pytest

from gateway.store.connection import Store
from gateway.store.health import check_store


async def test_the_embedded_store_is_as_it_should_be(
    own_store: Store, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        assert await check_store(own_store) is None
    assert caplog.records == []


async def test_a_store_that_may_drop_any_key_is_refused(own_store: Store):
    await own_store.redis.config_set("maxmemory-policy", "allkeys-lru")
    await own_store.redis.config_set("maxmemory", "100mb")
    assert "maxmemory-policy noeviction" in (await check_store(own_store) or "")


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("maxmemory-policy", "volatile-lru", "maxmemory-policy is volatile-lru"),
        ("maxmemory-policy", "allkeys-lru", "maxmemory-policy is allkeys-lru"),  # of no bound yet
        ("appendonly", "no", "append-only"),
    ],
)
async def test_what_may_lose_something_is_told_loudly(
    own_store: Store, caplog: pytest.LogCaptureFixture, setting: str, value: str, told: str
):
    await own_store.redis.config_set(setting, value)
    with caplog.at_level(logging.ERROR):
        assert await check_store(own_store) is None
    assert told in caplog.text
