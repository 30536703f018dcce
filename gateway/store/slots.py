"""The slots as a whole: their limits, who holds what, and whether the records agree."""

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
    limit: int | None
    """None: tasks hold slots there, but the account is no longer in the settings."""
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Resting:
    """What is left alone after a refusal: `account:<name>[:<model>]`, `provider:<name>:<model>`."""

    name: str
    seconds_left: float
    reason: str


class SlotStore:
    """Reads and checks the slots; only the scripts of a task's life ever change them."""

    def __init__(self, store: Store, accounts: Mapping[str, Account], catalog: Catalog) -> None:
        self._store = store
        self._accounts = accounts
        self._catalog = catalog

    async def configure(self, teams: Iterable[Team]) -> None:
        """Make the limits in the store those of the settings. The latest start wins."""
        limits: dict[str, dict[str, int]] = {}
        for (account, model), limit in self._limits().items():
            provider = self._accounts[account].provider
            limits.setdefault(f"{provider}:{model}", {})[account] = limit
        wanted = {
            "limits": limits,
            "caps": {team.name: team.cap for team in teams},
            "keys": {
                account.name: " ".join(key.id for key in account.api_keys)
                for account in self._accounts.values()
            },
        }
        await self._store.run("configure", json.dumps(wanted, sort_keys=True))

    async def holdings(self) -> list[Holding]:
        """Who holds what, account by account: those of the settings, then whoever else does."""
        held: dict[tuple[str, str], list[Task]] = {place: [] for place in self._limits()}
        for task in await self._live_tasks():
            if task.status in HOLDS_SLOT and task.account is not None:
                held.setdefault((task.account, task.request.model), []).append(task)
        return [
            Holding(
                *place,
                self._limits().get(place),
                tuple(sorted(tasks, key=lambda task: task.created_ms)),
            )
            for place, tasks in held.items()
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

    async def resting(self) -> list[Resting]:
        """What is left alone at the moment, and why."""
        redis, keys, answer = self._store.redis, self._store.keys, self._store.answer
        seconds, microseconds = await answer(redis.time())
        now_ms = seconds * 1000 + microseconds / 1000
        rests = []
        for name, rest in sorted((await answer(redis.hgetall(keys.rests))).items()):
            until_ms, _, reason = rest.partition(" ")
            if int(until_ms) > now_ms:
                rests.append(Resting(name, (int(until_ms) - now_ms) / 1000, reason))
        return rests

    async def verify(self, teams: Iterable[Team]) -> list[str]:
        """Differences between slots and records, as sentences; none when all is well."""
        differences: list[str] = []
        live = await self._live_tasks()
        ids = [task.id for task in live]
        accounts = dict.fromkeys([*self._accounts, *(t.account for t in live if t.account)])
        models = dict.fromkeys(
            [*(spec.name for spec in self._catalog), *(t.request.model for t in live)]
        )
        for account in accounts:
            differences += await self._store.run(
                "verify_slots", account, ",".join(models), _HOLDS_SLOT, *ids
            )
        for team in dict.fromkeys([*(team.name for team in teams), *(t.team for t in live)]):
            differences += await self._store.run("verify_team", team, _HOLDS_SLOT)
        return differences

    def _limits(self) -> dict[tuple[str, str], int]:
        """Tasks in flight by account and model, of the settings."""
        return {
            (account.name, spec.name): account.limit_for(spec.name, spec.limit)
            for account in self._accounts.values()
            for spec in self._catalog
            if account.provider in spec.providers
        }

    async def _live_tasks(self) -> list[Task]:
        """The tasks that somebody must look after: every one that may hold a slot."""
        redis, keys, answer = self._store.redis, self._store.keys, self._store.answer
        leased = await answer(redis.zrange(keys.leases, 0, -1))
        running = await answer(redis.zrange(keys.due, 0, -1))
        ids = list(dict.fromkeys([*leased, *running]))
        records = redis.pipeline(transaction=False)
        for task_id in ids:
            records.hgetall(keys.task(task_id))
        read = zip(ids, await answer(records.execute()), strict=True)
        # One that ended between the two questions may be gone altogether.
        return [task_from_record(task_id, record) for task_id, record in read if record]
