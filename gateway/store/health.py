"""Whether the store is set up to keep what it is given. Judged by INFO alone: managed servers
forbid CONFIG."""

from __future__ import annotations

import logging

from gateway.domain.errors import StoreUnavailable
from gateway.store.connection import Store

log = logging.getLogger(__name__)

_OLDEST_VERSION = 7  # script flags: a full store must still let tasks end


async def check_store(store: Store) -> str | None:
    """Log, loudly, what is doubtful; return what is unbearable, as a sentence.

    Raises:
        StoreUnavailable: no answer came, or it is still reading its files: until then it says
            that it writes none.
    """
    info = await store.answer("info", store.redis.info("everything"))
    if int(info.get("loading", 0)):
        raise StoreUnavailable("the gateway's store is reading its files")
    # Valkey tells clients the version of the Redis it is compatible with (7.2), and its own apart.
    version = str(info.get("redis_version", "?"))
    if version.split(".")[0].isdigit() and int(version.split(".")[0]) < _OLDEST_VERSION:
        return f"the store is version {version}; {_OLDEST_VERSION} or newer is needed"
    policy, bounded = info.get("maxmemory_policy", "noeviction"), int(info.get("maxmemory", 0)) > 0
    if str(policy).startswith("allkeys") and bounded:
        return (
            f"the store may drop any key when it is full (maxmemory-policy {policy}): tasks and "
            "slots would be lost; set maxmemory-policy noeviction"
        )
    if policy != "noeviction":
        log.error(
            "the store's maxmemory-policy is %s: set it to noeviction, or results are lost early",
            policy,
        )
    if not int(info.get("aof_enabled", 0)):
        log.error(
            "the store writes no append-only file: a crash of it loses tasks and may make videos "
            "twice; set appendonly yes and appendfsync always"
        )
    elif info.get("aof_last_write_status", "ok") != "ok":
        log.error("the store cannot write its append-only file: is its disk full?")
    return None
