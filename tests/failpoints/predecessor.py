"""Work that a process left behind when it died: made with its own scripts, and never finished.

What it left is found by the victim's very first look round, sweep or claim: that is how those can
be struck while they move something, though they are made all the time for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from gateway.bootstrap import Pool
from gateway.domain.account import ApiKey
from gateway.domain.charge import Charge
from gateway.domain.ports import Admitted
from gateway.domain.submission import Submission
from gateway.domain.task import Claim, new_task_id
from gateway.domain.video import VideoRequest
from tests.failpoints.lane import MODEL
from tests.failpoints.traffic import UNKNOWN, Job, Traffic
from tests.harness import api_keys

# In the store these are whole milliseconds, so none at all: what is leased is free at once, however
# long the victim takes to start.
_AT_ONCE = {
    "GATEWAY_CLAIM_LEASE_SECONDS": 0.0001,
    "GATEWAY_SUBMIT_TIMEOUT_SECONDS": 0.0001,
    "GATEWAY_SENDING_MARGIN_SECONDS": 0.0001,
    "GATEWAY_UNKNOWN_HOLD_SECONDS": 0.0001,
    "GATEWAY_QUEUE_TIMEOUT_SECONDS": 0.0001,
}
_HOUR = 3600.0


@dataclass(frozen=True)
class _Predecessor:
    traffic: Traffic
    pool: Pool

    async def admit(self, job: Job, waits_seconds: float | None = _HOUR) -> Claim | None:
        """Take a job in; the claim is this process's."""
        request = VideoRequest(model=MODEL, prompt=job.prompt)
        admitted = await self.pool.tasks.admit(
            new_task_id(),
            "films",
            Submission(request=request, queue_timeout_seconds=waits_seconds),
            f"{MODEL}@bigmodel",
            Charge(price_fen=100),
        )
        assert isinstance(admitted, Admitted)
        job.id = admitted.task.id
        return admitted.claims[0] if admitted.claims else None

    async def mark(self, job: Job) -> Claim:
        claim = await self.admit(job)
        assert claim is not None
        assert await self.pool.tasks.mark_sending(claim, ApiKey(self._key).id)
        return claim

    async def send(self, job: Job) -> tuple[Claim, str]:
        claim = await self.mark(job)
        body = job.body | {"request_id": claim.request_id}
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {self._key}"}) as http:
            vendor = self.traffic.lane.account.vendor
            answer = await http.post(f"{vendor.base_url}/videos/generations", json=body)
        return claim, answer.raise_for_status().json()["id"]

    @property
    def _key(self) -> str:
        return api_keys(self.traffic.lane.account.name)[0]


@asynccontextmanager
async def _predecessor(traffic: Traffic) -> AsyncIterator[_Predecessor]:
    async with traffic.lane.pool(**_AT_ONCE) as pool:
        yield _Predecessor(traffic, pool)


def leave_abandoned(traffic: Traffic) -> None:
    """Every kind of thing that a sweep moves: a claim, a submit under way, an unknown outcome
    whose hold is over, and a task that has waited too long. They fill all slots."""

    async def leave() -> None:
        traffic.lane.account.let_tasks_end()
        async with _predecessor(traffic) as process:
            await process.admit(traffic.new_job())
            await process.mark(traffic.new_job(ends=frozenset({UNKNOWN})))
            claim, _ = await process.send(traffic.new_job(ends=frozenset({UNKNOWN})))
            await process.pool.tasks.record_lost(claim, "the answer was lost")
            late = traffic.new_job(ends=frozenset({"queue_timeout"}))
            await process.admit(late, waits_seconds=None)

    asyncio.run(leave())


def leave_waiting(traffic: Traffic) -> None:
    """Tasks in the queue beside free slots, and no event to come that would wake anybody."""

    async def leave() -> None:
        async with _predecessor(traffic) as process:
            claims = [await process.admit(traffic.new_job()) for _ in range(2)]
            for claim in claims:
                assert claim is not None
                await process.pool.tasks.give_back(claim, None, "it stops", hand_on=False)

    asyncio.run(leave())


def leave_running(traffic: Traffic) -> None:
    """Tasks that the vendor has accepted and ended, due for the look that will find it out."""

    async def leave() -> None:
        async with _predecessor(traffic) as process:
            for _ in range(2):
                claim, vendors_id = await process.send(traffic.new_job())
                await process.pool.tasks.record_accepted(claim, vendors_id, MODEL, 0)
        traffic.lane.account.let_tasks_end()

    asyncio.run(leave())
