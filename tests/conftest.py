"""The real thing for every test: a Valkey, the simulator, gateways in processes of their own."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.connection import Store, open_store
from gateway.store.embedded import EmbeddedStore
from tests.harness import Processes

_pools = itertools.count()


@pytest.fixture(scope="session")
def store_url() -> Iterator[str]:
    """A real server: one of our own, or the one that TEST_REDIS_URL names."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
        return
    with (
        tempfile.TemporaryDirectory(prefix="gateway-tests-") as folder,
        EmbeddedStore(Path(folder)) as embedded,
    ):
        yield embedded.url


@pytest.fixture
def pool() -> str:
    """A pool of the test's own, so that tests share a server and nothing else."""
    return f"test-{os.getpid()}-{next(_pools)}"


@pytest.fixture
async def store(store_url: str, pool: str) -> AsyncIterator[Store]:
    async with open_store(store_url, pool, timeout_seconds=5) as opened:
        yield opened


@pytest.fixture
def processes(store_url: str, pool: str, tmp_path: Path) -> Iterator[Processes]:
    """Processes for one test."""
    with closing(Processes(store_url, pool, tmp_path)) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """Processes for all tests of a module."""
    folder = tmp_path_factory.mktemp("processes")
    with closing(Processes(store_url, f"module-{os.getpid()}-{next(_pools)}", folder)) as opened:
        yield opened
