"""The ledger of slots as a whole: its limits, who holds what, and whether it agrees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.domain.account import Account
from gateway.domain.catalog import Catalog
from gateway.domain.task import HOLDS_SLOT, Task
from gateway.domain.team import Team
from gateway.store.connection import Store
from gateway.store.records import task_from_record

_HOLDS_SLOT = ",".join(sorted(HOLDS_SLOT))


@dataclass(frozen=True, slots=True)
class Holding:
    """One account's slots for one model, and the tasks in them, oldest first."""

    account: str
    model: str
    limit: int
    tasks: tuple[Task, ...]


class SlotStore:
    """Reads and checks the slots; only the scripts of a task's life ever change them."""

    def __init__(self, store: Store, accounts: Mapping[str, Account], catalog: Catalog) -> None:
        self._store = store
        self._accounts = accounts
        self._catalog = catalog

    async def configure(self, teams: Iterable[Team]) -> None:
        """Make the limits in the store those of the settings. The latest start wins."""
        limits: dict[str, dict[str, int]] = {}
        for account, model, limit in self._limits():
            provider = self._accounts[account].provider
            limits.setdefault(f"{provider}:{model}", {})[account] = limit
        caps = {team.name: team.limit for team in teams}
        await self._store.run("configure", json.dumps({"limits": limits, "caps": caps}))

    async def holdings(self) -> list[Holding]:
        """Who holds what, account by account."""
        limits = list(self._limits())
        with_slots = self._store.redis.pipeline(transaction=False)
        for account, model, _ in limits:
            with_slots.smembers(self._store.keys.slots(account, model))
        ids: list[set[str]] = await self._store.answer(with_slots.execute())

        with_tasks = self._store.redis.pipeline(transaction=False)
        listed = [task_id for held in ids for task_id in held]
        for task_id in listed:
            with_tasks.hgetall(self._store.keys.task(task_id))
        records = await self._store.answer(with_tasks.execute())
        tasks = {
            task_id: task_from_record(task_id, record)
            for task_id, record in zip(listed, records, strict=True)
            if record  # else it ended between the two questions
        }
        return [
            Holding(account, model, limit, _oldest_first(tasks[i] for i in held if i in tasks))
            for (account, model, limit), held in zip(limits, ids, strict=True)
        ]

    async def waiting(self) -> dict[str, int]:
        """How many tasks wait, by class."""
        redis, keys, answer = self._store.redis, self._store.keys, self._store.answer
        counts: dict[str, int] = {}
        for task_class in sorted(await answer(redis.smembers(keys.classes))):
            teams = await answer(redis.zrange(keys.waiting(task_class), 0, -1))
            sizes = [await answer(redis.zcard(keys.queue(task_class, team))) for team in teams]
            counts[task_class] = sum(sizes)
        return counts

    async def verify(self, teams: Iterable[Team]) -> list[str]:
        """Differences between slots and records, as sentences; none when all is well."""
        differences = []
        held = await self._may_hold_a_slot()
        models = ",".join(spec.name for spec in self._catalog)
        for account in self._accounts:
            differences += await self._store.run(
                "verify_slots", account, models, _HOLDS_SLOT, *held
            )
        for team in teams:
            differences += await self._store.run("verify_team", team.name, _HOLDS_SLOT)
        return differences

    def _limits(self) -> Iterable[tuple[str, str, int]]:
        for account in self._accounts.values():
            for spec in self._catalog:
                if account.provider in spec.providers:
                    yield account.name, spec.name, account.limit_for(spec.name, spec.limit)

    async def _may_hold_a_slot(self) -> list[str]:
        redis, keys, answer = self._store.redis, self._store.keys, self._store.answer
        leased = await answer(redis.zrange(keys.leases, 0, -1))
        running = await answer(redis.zrange(keys.due, 0, -1))
        return [*leased, *running]


def _oldest_first(tasks: Iterable[Task]) -> tuple[Task, ...]:
    return tuple(sorted(tasks, key=lambda task: task.created_ms))
