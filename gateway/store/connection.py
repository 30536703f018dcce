"""The connection to the store, and how its scripts are run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import FullJitterBackoff

from gateway.domain.errors import StoreUnavailable
from gateway.store.keyspace import Keyspace

_AWAY_MESSAGE = "the gateway's store does not answer; try again soon"
_LUA = resources.files("gateway.store") / "lua"
AUDIT_ENTRIES = 100_000
"""So many are kept of what operators did, the latest."""
SHARED = ("pool", "money", "lanes", "moves")
"""What every script starts with, each building on the one before."""
_AWAY = (
    exceptions.ClusterDownError,
    exceptions.ConnectionError,  # also while the server loads its data
    exceptions.MasterDownError,
    exceptions.NoScriptError,  # it was started anew between the loading of a script and its run
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
    exceptions.TimeoutError,
    exceptions.TryAgainError,
)


Around = Callable[[str, Awaitable[Any]], Awaitable[Any]]
"""Makes a call to the store, of which it is told the name: to time it, or to let it fail."""


def script_text(name: str) -> str:
    """The text of one script: what all share, and its own file.

    All but admission may still write when the store is at its maxmemory: else no task could end,
    and so nothing would ever be freed.
    """
    flags = "" if name == "admit" else " flags=allow-oom"
    parts = [(_LUA / f"{part}.lua").read_text() for part in (*SHARED, name)]
    return f"#!lua{flags}\n" + "\n".join(parts)


class Store:
    """A pool's place in a Redis or Valkey server.

    Every failure to get an answer becomes StoreUnavailable. Whether the step was made is then
    unknown, which is why each script is safe to run twice.
    """

    def __init__(self, redis: Redis, pool: str, *around: Around) -> None:
        self.redis = redis
        self.keys = Keyspace(pool)
        self._around = around
        self._scripts = {
            name: redis.register_script(script_text(name))
            for path in _LUA.iterdir()
            if path.name.endswith(".lua") and (name := path.name.removesuffix(".lua")) not in SHARED
        }

    async def run(self, script: str, *args: str | int | float) -> Any:
        """Run one script, loading it if the server has forgotten it.

        Raises:
            StoreUnavailable: no answer came.
        """
        return await self._made(script, self._scripts[script](keys=[self.keys.tag], args=args))

    async def answer(self, name: str, command: Awaitable[Any]) -> Any:
        """Wait for a plain command's answer; `name` says what it is for.

        Raises:
            StoreUnavailable: no answer came.
        """
        return await self._made(name, command)

    async def _made(self, name: str, command: Awaitable[Any]) -> Any:
        try:
            for each in self._around:
                command = each(name, command)
            return await command
        except _AWAY as error:
            raise StoreUnavailable(_AWAY_MESSAGE) from error
        except RuntimeError as error:
            # uvloop (0.22) says so of a connection that the server dropped while it was made;
            # redis-py (8.1) does not know it for what it is.
            if "handler is closed" in str(error):
                raise StoreUnavailable(_AWAY_MESSAGE) from error
            raise
        except exceptions.ResponseError as error:
            if str(error).startswith("MISCONF"):  # it cannot write its file: disk full, mostly
                raise StoreUnavailable(
                    "the gateway's store cannot write; try again soon"
                ) from error
            raise


def understood(url: str) -> bool:
    """Whether a connection can be made of this URL: its options are arguments of redis-py's."""
    try:
        connections = BlockingConnectionPool.from_url(url)
        connections.connection_class(**connections.connection_kwargs)
    except (TypeError, ValueError):
        return False
    return True


@asynccontextmanager
async def open_store(
    url: str, pool: str, timeout_seconds: float, *around: Around
) -> AsyncIterator[Store]:
    """Connect lazily: a server that is away is found out by the first command, not here.

    Retries and time-outs are set here because redis-py's own defaults hide an outage for too
    long: ten silent retries of five seconds each (8.1). One quick retry mends a connection that
    the server had closed; a server that hangs, and anything longer, is the callers' to wait out.
    """
    connections = BlockingConnectionPool.from_url(
        url,
        decode_responses=True,
        max_connections=64,
        timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(
            FullJitterBackoff(cap=0.2, base=0.02),
            retries=1,
            supported_errors=(exceptions.ConnectionError,),
        ),
        health_check_interval=30,
    )
    redis = Redis(connection_pool=connections)
    try:
        yield Store(redis, pool, *around)
    finally:
        await redis.aclose()
        await connections.aclose()
