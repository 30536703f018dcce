"""The slots as a whole: their limits, who holds what, and whether the records agree."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.domain.account import Account, Source
from gateway.domain.capacity import Held, Waiting
from gateway.domain.task import HOLDS_SLOT, Status
from gateway.domain.team import Team
from gateway.store.connection import Store
from gateway.store.lanes import LaneRules

_HOLDS_SLOT = ",".join(sorted(HOLDS_SLOT))
_IN_SHORT = ("team", "status", "account", "class", "created_ms", "submitted_ms", "last_reason")


@dataclass(frozen=True, slots=True)
class Holding:
    """One account's slots for one model, and the tasks in them, oldest first."""

    account: str
    model: str
    limit: int | None
    """None: tasks hold slots there, but the account is no longer in the settings."""
    tasks: tuple[Held, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """What is left alone: after a refusal `account:<name>[:<model>]`, `key:<account>:<key id>` or
    `provider:<name>:<model>`, after lost answers `breaker:<account>:<model>`.

    Times are Unix milliseconds by the store's clock.
    """

    name: str
    seconds_left: float
    """0: it is tried with one task at a time, with the next one that comes."""
    reason: str
    until_ms: int
    since_ms: int | None = None
    times: int = 0
    """How often it was refused again when it was tried."""
    trial: str | None = None
    """The task that it is tried with, once there is one."""


class SlotStore:
    """Reads and checks the slots; only the scripts of a task's life ever change them."""

    def __init__(self, store: Store, accounts: Mapping[str, Account], lanes: LaneRules) -> None:
        """`accounts` are read anew at each step: they may change while we run."""
        self._store = store
        self._accounts = accounts
        self._lanes = lanes
        self._running: dict[str, Held] = {}
        """Those that a vendor has: they do not change until they end."""

    async def configure(
        self, teams: Iterable[Team], accounts_version: str = "0", tenants_version: str = "0"
    ) -> bool:
        """Make the limits in the store those of the accounts and teams. The latest start wins.

        False if what is kept in the store is no longer of these versions.
        """
        teams = list(teams)
        wanted = {
            "accounts": {a.name: self._lanes.of(a) for a in self._accounts.values()},
            "of_settings": [a.name for a in self._accounts.values() if a.source is Source.SETTINGS],
            "caps": {team.name: team.cap for team in teams},
            "weights": {team.name: team.weight for team in teams},
        }
        told = json.dumps(wanted, sort_keys=True)
        return bool(await self._store.run("configure", accounts_version, tenants_version, told))

    async def holdings(self) -> list[Holding]:
        """Who holds what, account by account: those of the settings, then whoever else does."""
        limits = self._lanes.limits(self._accounts)
        held: dict[tuple[str, str], list[Held]] = {place: [] for place in limits}
        for task in await self._held():
            held.setdefault((task.account, task.model), []).append(task)
        return [
            Holding(
                *place,
                limits.get(place),
                tuple(sorted(tasks, key=lambda task: task.created_ms)),
            )
            for place, tasks in held.items()
        ]

    async def waiting(self) -> dict[str, int]:
        """How many tasks wait, by class."""
        counts: dict[str, int] = {}
        for (task_class, _), waiting in (await self.queues()).items():
            counts[task_class] = counts.get(task_class, 0) + waiting.tasks
        return counts

    async def queues(self) -> dict[tuple[str, str], Waiting]:
        """What waits, by class and team."""
        redis, keys, answer = self._store.redis, self._store.keys, self._store.answer
        names: list[tuple[str, str]] = []
        for task_class in sorted(await answer("read_queue", redis.smembers(keys.classes))):
            teams = await answer("read_queue", redis.smembers(keys.waiting(task_class)))
            names += [(task_class, team) for team in sorted(teams)]
        if not names:
            return {}
        read = redis.pipeline(transaction=False)
        for name in names:
            read.zcard(keys.queue(*name))
            read.zrange(keys.queue(*name), 0, 0)
        flat = await answer("read_queue", read.execute())
        sizes, firsts = flat[::2], flat[1::2]
        read = redis.pipeline(transaction=False)
        for first in firsts:
            read.hget(keys.task(first[0] if first else ""), "created_ms")
        since = await answer("read_queue", read.execute())
        # One that was claimed between these questions waits no more.
        return {
            name: Waiting(size, int(created_ms))
            for name, size, created_ms in zip(names, sizes, since, strict=True)
            if size and created_ms
        }

    async def resting(self) -> list[Resting]:
        """What is left alone at the moment, and why."""
        redis, keys, lanes = (
            self._store.redis,
            self._store.keys,
            [*self._lanes.limits(self._accounts)],
        )
        read = redis.pipeline(transaction=False)
        read.hmget(keys.clock, "now", "wall")
        read.hgetall(keys.rests)
        for account, model in lanes:
            read.hmget(keys.breaker(account, model), "losses", "trial_at")
        clock, rests, *breakers = await self._store.answer("read_rests", read.execute())
        now_ms, wall_ms = (float(each or 0) for each in clock)
        ahead_ms = wall_ms - now_ms  # of the scripts' clock is the one that people see

        def at_rest(name: str, until: str, reason: str, **more: Any) -> Resting:
            left = max(0.0, float(until) - now_ms) / 1000
            until_ms = round(float(until) + ahead_ms)
            return Resting(name=name, seconds_left=left, reason=reason, until_ms=until_ms, **more)

        resting = []
        for name, text in sorted(rests.items()):
            until, since, times, trial, _, reason = text.split(" ", 5)
            rest = at_rest(
                *(name, until, reason),
                since_ms=round(float(since) + ahead_ms),
                times=int(times),
                trial=None if trial in ("-", "open") else trial,
            )
            if rest.seconds_left or trial != "open":
                resting.append(rest)
        for (account, model), (losses, trial_at) in zip(lanes, breakers, strict=True):
            if trial_at is not None:
                reason = f"{losses} answers lost in a row; it is tried with one task at a time"
                resting.append(at_rest(f"breaker:{account}:{model}", trial_at, reason))
        return resting

    async def effective_limits(self) -> dict[tuple[str, str], tuple[int, str]]:
        """By account and model, how many tasks go there of late, where that is below the limit, and
        what the vendor said."""
        redis, keys, limits = (
            self._store.redis,
            self._store.keys,
            self._lanes.limits(self._accounts),
        )
        read = await self._store.answer("read_limits", redis.hgetall(keys.effective))
        lowered = {}
        for name, text in read.items():
            account, _, model = name.rpartition(":")
            limit, _, _, reason = text.split(" ", 3)
            if (account, model) in limits:
                lowered[account, model] = min(int(limit), limits[account, model]), reason
        return lowered

    async def troubles(self) -> dict[str, tuple[int, str]]:
        """By account, when something went wrong last (Unix milliseconds), and what."""
        redis, keys = self._store.redis, self._store.keys
        read = await self._store.answer("read_troubles", redis.hgetall(keys.troubles))
        told = ((account, text.split(" ", 1)) for account, text in read.items())
        return {account: (int(at_ms), reason) for account, (at_ms, reason) in told}

    async def verify(self, teams: Iterable[Team]) -> list[str]:
        """Differences between slots and records, as sentences; none when all is well."""
        differences: list[str] = []
        live = await self._held()
        accounts = dict.fromkeys([*self._accounts, *(task.account for task in live)])
        models = dict.fromkeys(
            [*(spec.name for spec in self._lanes.catalog), *(task.model for task in live)]
        )
        for account in accounts:
            ids = [task.id for task in live if task.account == account]
            differences += await self._store.run(
                "verify_slots", account, ",".join(models), _HOLDS_SLOT, *ids
            )
        holding = await self._store.answer(
            "read_queue", self._store.redis.hkeys(self._store.keys.bytes)
        )
        names = [*(team.name for team in teams), *(task.team for task in live), *holding]
        for team in dict.fromkeys(names):
            differences += await self._store.run("verify_team", team, _HOLDS_SLOT)
        return differences

    async def _held(self) -> list[Held]:
        """The tasks that hold a slot, by what somebody must look after: leases and looks."""
        redis, keys, answer = self._store.redis, self._store.keys, self._store.answer
        leased = await answer("read_slots", redis.zrange(keys.leases, 0, -1))
        due = await answer("read_slots", redis.zrange(keys.due, 0, -1))
        known = {task_id: self._running[task_id] for task_id in due if task_id in self._running}
        ids = [task_id for task_id in dict.fromkeys([*leased, *due]) if task_id not in known]
        records = redis.pipeline(transaction=False)
        for task_id in ids:
            records.hmget(keys.task(task_id), _IN_SHORT)
        read = await answer("read_slots", records.execute()) if ids else []
        # One that ended between the questions may be gone altogether.
        held = [_in_short(task_id, *record) for task_id, record in zip(ids, read, strict=True)]
        found = [task for task in held if task is not None]
        self._running = known | {
            task.id: task for task in found if task.status is Status.IN_PROGRESS
        }
        return [*known.values(), *found]


def _in_short(
    task_id: str,
    team: str | None,
    status: str | None,
    account: str | None,
    task_class: str | None,
    created_ms: str | None,
    submitted_ms: str | None,
    last_reason: str | None,
) -> Held | None:
    if status is None or Status(status) not in HOLDS_SLOT or account is None:
        return None
    return Held(
        id=task_id,
        team=team or "",
        status=Status(status),
        account=account,
        model=(task_class or "").rpartition("@")[0],
        created_ms=int(created_ms or 0),
        submitted_ms=None if submitted_ms is None else int(submitted_ms),
        last_reason=last_reason,
    )
