"""What was seen of durations, kept in memory for whoever asks, and read again in the background."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Collection, Mapping

from gateway.domain.account import Account
from gateway.domain.capacity import LearnedDurations
from gateway.domain.catalog import Catalog
from gateway.domain.durations import GUESS, Expectation, Seen, Variant
from gateway.domain.errors import StoreUnavailable
from gateway.domain.learning import learned
from gateway.store.connection import Store

log = logging.getLogger(__name__)

_READ_EVERY_SECONDS = 2.0
# What nobody has asked for in so long is not read until somebody does.
_IN_USE_SECONDS = 60.0
# Of those in use. The catalogue bounds them too: a vendor's model has some dozens of forms.
_MOST_READ = 500


class DurationStore:
    """Fits the port `Durations`. With the store away it goes on with what it knew."""

    def __init__(self, store: Store, catalog: Catalog, accounts: Mapping[str, Account]) -> None:
        """`accounts` may change while we run: what counts are the vendors that have some."""
        self._store = store
        self._accounts = accounts
        self._told = {
            spec.name: Expectation(spec.expected_seconds)
            for spec in catalog
            if spec.expected_seconds is not None
        }
        self._variants = {
            spec.name: [Variant(name, spec.name) for name in spec.providers] for spec in catalog
        }
        self._read: dict[Variant, list[str]] = {}
        self._learned: dict[Variant, Expectation | None] = {}
        self._asked_at: dict[Variant, float] = {}
        self._unread = asyncio.Event()
        """Set when something is asked for that is not read as yet, or no longer."""

    def of(self, variant: Variant) -> Expectation:
        return (
            self._known(variant)
            or self._known(variant.of_any_form)
            or self._told.get(variant.model, GUESS)
        )

    def seconds_of(self, model: str) -> float:
        used = {account.provider for account in self._accounts.values()}
        variants = [v for v in self._variants.get(model, ()) if v.provider in used]
        known = [self._known(variant) for variant in variants]
        seconds = [expected.seconds for expected in known if expected is not None]
        return sum(seconds) / len(seconds) if seconds else self._told.get(model, GUESS).seconds

    async def run(self) -> None:
        """Read until cancelled, over any number of outages of the store."""
        away = False
        while True:
            self._unread.clear()
            try:
                await self._read_those_in_use()
                away = False
            except StoreUnavailable:
                if not away:
                    log.warning("durations: the store is away, going on with what is known")
                away = True
            except (Exception, asyncio.CancelledError):
                # Looks would go on by what was once true, and nothing would show it.
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                log.exception("reading durations was interrupted")
                away = True
            if away:
                await asyncio.sleep(_READ_EVERY_SECONDS)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_READ_EVERY_SECONDS):
                    await self._unread.wait()

    def _known(self, variant: Variant) -> Expectation | None:
        if variant not in self._asked_at:
            self._unread.set()
        self._asked_at[variant] = time.monotonic()
        return self._learned.get(variant)

    async def _read_those_in_use(self) -> None:
        since = time.monotonic() - _IN_USE_SECONDS
        self._asked_at = {v: at for v, at in self._asked_at.items() if at > since}
        variants = sorted(self._asked_at, key=self._asked_at.__getitem__, reverse=True)[:_MOST_READ]
        if not variants:
            return
        reads = self._store.redis.pipeline(transaction=False)
        for variant in variants:
            parts = (variant.provider, variant.model, variant.form)
            reads.lrange(self._store.keys.durations(*filter(None, parts)), 0, -1)
        entries = await self._store.answer("read_durations", reads.execute())
        for variant, read in zip(variants, entries, strict=True):
            # What has not changed stays the same object, so that nobody plans anew for it.
            if self._read.get(variant) != read:
                self._read[variant] = read
                self._learned[variant] = learned([_seen(entry) for entry in read])


async def learned_of(
    store: Store, models: Collection[tuple[str, str]]
) -> dict[tuple[str, str], LearnedDurations]:
    """By provider and model, what is known by now; nothing where that is too little.

    Raises:
        StoreUnavailable: it could not be read.
    """
    reads = store.redis.pipeline(transaction=False)
    for provider, model in models:
        reads.lrange(store.keys.durations(provider, model), 0, -1)
    read = await store.answer("read_durations", reads.execute()) if models else []
    found = {}
    for of, entries in zip(models, read, strict=True):
        if (expected := learned([_seen(entry) for entry in entries])) is not None:
            found[of] = LearnedDurations(
                len(entries), expected.ages[0], expected.seconds, expected.ages[-1]
            )
    return found


def _seen(entry: str) -> Seen:
    after_ms, by_ms, _ = entry.split(" ")
    return Seen(int(after_ms) / 1000, int(by_ms) / 1000)
