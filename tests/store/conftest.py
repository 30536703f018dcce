"""A pool in a real store, as the lifecycle sees it; and no key may outlive its use."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import AsyncIterator, Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.account import Account, ApiKey
from gateway.domain.catalog import Catalog, ModelSpec
from gateway.domain.charge import Charge
from gateway.domain.ports import Admitted, NotAdmitted
from gateway.domain.provider_answers import Rest
from gateway.domain.submission import QueueBounds, Submission
from gateway.domain.task import Claim, Task, new_task_id
from gateway.domain.team import Team
from gateway.domain.video import VideoRequest
from gateway.store.connection import Store, open_store
from gateway.store.embedded import EmbeddedStore
from gateway.store.keyspace import PERMANENT
from gateway.store.lanes import LaneRules
from gateway.store.slots import SlotStore
from gateway.store.tasks import Rules, TaskStore

CLASS = "cogvideox-3@bigmodel"
HOUR = 3600.0
ROOMY = QueueBounds(tasks=100_000, team_tasks=100_000, bytes=10**9, team_bytes=10**9)


class Pool:
    """One pool: two accounts (2 and 1 slots), two teams (caps 3 and 1)."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.accounts = {name: account(name, limit) for name, limit in (("a", 2), ("b", 1))}
        self.teams = (Team(name="films", cap=3), Team(name="adverts", cap=1))
        self.catalog = Catalog([ModelSpec(name="other-1", price_fen=50, limit=1)])
        self.slots = SlotStore(
            store, self.accounts, LaneRules(catalog=self.catalog, unknown_share=0.4)
        )
        self.tasks = self.with_rules()
        self._numbers = itertools.count()

    def with_rules(
        self, *, bounds: QueueBounds = ROOMY, rest_seconds: float = HOUR, **rules: float
    ) -> TaskStore:
        """The tasks, as a process with these settings handles them."""
        return TaskStore(self.store, a_set_of_rules(rest_seconds, **rules), bounds, cached_tasks=10)

    def submission(
        self, *, model: str = "cogvideox-3", terms: dict[str, Any] | None = None, **fields: object
    ) -> Submission:
        fields = {"prompt": f"number {next(self._numbers)}"} | fields
        return Submission(request=VideoRequest(model=model, **fields), **(terms or {}))

    async def admission(
        self,
        team: str = "films",
        *,
        tasks: TaskStore | None = None,
        task_class: str | None = None,
        charge: Charge | None = None,
        **submission: Any,
    ) -> Admitted | NotAdmitted:
        """What the store says to a new task."""
        said = self.submission(**submission)
        task_class = task_class or f"{said.request.model}@bigmodel"
        charge = charge or Charge(price_fen=100)
        return await (tasks or self.tasks).admit(new_task_id(), team, said, task_class, charge)

    async def admit(self, team: str = "films", **submission: Any) -> tuple[Task, Claim | None]:
        admitted = await self.admission(team, **submission)
        assert isinstance(admitted, Admitted)
        assert len(admitted.claims) <= 1
        return admitted.task, admitted.claims[0] if admitted.claims else None

    async def claimed(self, team: str = "films") -> Claim:
        _, claim = await self.admit(team)
        assert claim is not None
        return claim

    async def sending(self, team: str = "films") -> Claim:
        claim = await self.claimed(team)
        assert await self.tasks.mark_sending(claim, claim.api_key_id)
        return claim

    async def running(self, team: str = "films") -> Claim:
        claim = await self.sending(team)
        recorded, claims = await self.tasks.record_accepted(
            claim, f"vendor-{claim.task_id}", None, 0
        )
        assert (recorded, claims) == (True, ())
        return claim

    async def clear(self) -> None:
        """Forget all tasks and rests; the limits stay."""
        keys = self.store.redis.scan_iter(match=f"{self.store.keys.tag}:*", count=1000)
        await self.store.redis.delete(*[key async for key in keys])
        await self.slots.configure(self.teams)

    async def status(self, task_id: str) -> str:
        task = await self.tasks.get(task_id)
        assert task is not None
        return task.status

    async def in_use(self) -> dict[str, int]:
        """Slots in use by account, of cogvideox-3."""
        holdings = await self.slots.holdings()
        return {h.account: len(h.tasks) for h in holdings if h.model == "cogvideox-3"}

    async def ledger(self) -> list[dict[str, str]]:
        """The entries of the ledger, oldest first."""
        redis, keys = self.store.redis, self.store.keys
        return [
            entry
            for day in await redis.zrange(keys.ledger_days, 0, -1)
            for _, entry in await redis.xrange(keys.ledger(day))
        ]

    async def differences(self) -> list[str]:
        return await self.slots.verify(self.teams)


async def pass_time(pool: Pool, seconds: float) -> None:
    """On the clock of the scripts: what was to happen by then is due."""
    await pool.store.redis.hincrby(pool.store.keys.clock, "now", round(seconds * 1000))


def a_set_of_rules(rest_seconds: float = HOUR, **rules: float) -> Rules:
    """Nothing runs out by itself, unless the test says so."""
    defaults = {
        "claim_lease_seconds": HOUR,
        "sending_lease_seconds": HOUR,
        "unknown_hold_seconds": HOUR,
        "look_lease_seconds": HOUR,
        "retention_seconds": HOUR,
        "idempotency_seconds": HOUR,
        "queue_timeout_seconds": HOUR,
        "breaker_losses": 3,
        "breaker_seconds": HOUR,
        "trial_seconds": HOUR,
        "poison_claims": 3,
        "rest_growth": 8,
        "rest_jitter": 0,
        "rest_budget": 10,
        "probe_submits": 100,
        "probe_seconds": HOUR,
    }
    return Rules(**(defaults | rules), rest_seconds=dict.fromkeys(Rest, rest_seconds))


def account(name: str, limit: int) -> Account:
    return Account(
        name=name,
        provider="bigmodel",
        base_url="http://vendor.example",
        limit=limit,
        api_keys=(ApiKey(f"{name}.secret"),),
    )


@pytest.fixture
async def the_pool(store: Store) -> AsyncIterator[Pool]:
    pool = Pool(store)
    await pool.slots.configure(pool.teams)
    yield pool
    assert await pool.differences() == []


@pytest.fixture
async def own_store() -> AsyncIterator[Store]:
    """A server of the test's own, for what would disturb the others."""
    with (
        tempfile.TemporaryDirectory(prefix="gateway-own-") as folder,
        EmbeddedStore(Path(folder)) as embedded,
    ):
        async with open_store(embedded.url, "own", timeout_seconds=5) as opened:
            yield opened


@pytest.fixture
def lasting_keys(store: Store) -> Callable[[], object]:
    """Names of the keys that are not listed as permanent."""

    async def list_keys() -> list[str]:
        prefix = f"{store.keys.tag}:"
        names = [name async for name in store.redis.scan_iter(match=f"{prefix}*", count=1000)]
        short = [name.removeprefix(prefix) for name in names]
        return sorted(
            name for name in short if not any(fnmatch(name, pattern) for pattern in PERMANENT)
        )

    return list_keys
