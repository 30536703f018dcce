"""The clients: real HTTP, an idempotency key each, and as many retries as it takes."""

from __future__ import annotations

import asyncio
import base64
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.soak.events import Events
from tests.soak.stage import MODEL, TEAMS, Replica, TeamOnStage

_TWICE = 0.10
_WITH_IMAGE = 0.10
_CANCELLED = 0.05
_LATEST_CANCEL_SECONDS = 8.0
# A POST is answered within a second (GATEWAY_SUBMIT_WAIT_SECONDS) and what the store takes; a
# replica that is silent for longer is paused.
_TIMEOUT = httpx.Timeout(4.0, connect=1.0)
_LONGEST_RETRY_PAUSE_SECONDS = 2.0
_POLL_EVERY_SECONDS = (2.0, 3.5)

# What a client may be told of a submit without a fault of anybody's: accepted, refused by the
# vendor, the store away.
_SUBMIT_STATUSES = (200, 400, 503)
_POLL_STATUSES = (200, 503)
_CANCEL_STATUSES = (200, 202, 409, 503)  # 409: it is over already


@dataclass(eq=False)
class Job:
    """One task as its client knows it."""

    number: int
    team: TeamOnStage
    key: str
    body: dict[str, Any]
    twice: bool = False
    """Submitted at two replicas at once."""
    cancel_after: float | None = None
    """Seconds from the acceptance."""
    ids: list[str] = field(default_factory=list)
    """Every id that an answer to a submit told: always the same one."""
    refusals: list[str] = field(default_factory=list)
    """Codes of the answers that refused it for good."""
    told: dict[str, Any] | None = None
    """The answer that told its end."""
    cancel_answer: int | None = None
    """The status that answered the wish to cancel."""

    @property
    def prompt(self) -> str:
        return str(self.body["prompt"])

    @property
    def id(self) -> str | None:
        return self.ids[0] if self.ids else None

    @property
    def over(self) -> bool:
        """Nothing more is to be learnt by asking."""
        return self.told is not None or (not self.ids and bool(self.refusals))

    @property
    def end(self) -> str | None:
        """How it ended, in a word: SUCCESS, or the code of the error."""
        if self.told is None:
            return self.refusals[0] if self.over else None
        if self.told["task_status"] == "SUCCESS":
            return "SUCCESS"
        return str(self.told.get("error", {}).get("code"))


def jobs(count: int, seed: int) -> Iterator[Job]:
    """The same tasks for the same seed."""
    dice = random.Random(f"{seed} jobs")
    for number in range(count):
        team = dice.choices(TEAMS, [team.share for team in TEAMS])[0]
        body = {"model": MODEL, "prompt": f"Soak {seed}, number {number}."}
        if dice.random() < _WITH_IMAGE:
            body["image_url"] = _image(number)
        job = Job(number, team, f"soak-{seed}-{number}", body, twice=dice.random() < _TWICE)
        if dice.random() < _CANCELLED:
            job.cancel_after = dice.uniform(0, _LATEST_CANCEL_SECONDS)
        yield job


def _image(number: int) -> str:
    """As much of a PNG as anybody looks at; no two are the same."""
    data = b"\x89PNG\r\n\x1a\n" + number.to_bytes(4, "big") * 64
    return "data:image/png;base64," + base64.b64encode(data).decode()


class Traffic:
    """Hands in the jobs, so many at a time, and asks for each until it has ended."""

    def __init__(
        self, clients: dict[int, httpx.AsyncClient], events: Events, dice: random.Random
    ) -> None:
        self.begun: list[Job] = []
        self.ended = 0
        self.answers: Counter[str] = Counter()
        """How often which answer, or none, was got to what."""
        self.odd_answers: list[str] = []
        """Answers that nobody should get, in full."""
        self._clients = clients
        self._events = events
        self._dice = dice

    async def run(self, todo: AsyncIterator[Job], outstanding: int) -> None:
        """Return when all have ended."""
        room = asyncio.Semaphore(outstanding)

        async def see_through(job: Job) -> None:
            await self._see_through(job)
            self.ended += 1
            room.release()

        async with asyncio.TaskGroup() as group:
            async for job in todo:
                await room.acquire()
                self.begun.append(job)
                group.create_task(see_through(job))

    async def _see_through(self, job: Job) -> None:
        async with asyncio.TaskGroup() as submits:
            # The first two tries of one that is submitted twice go to two replicas.
            for number in self._dice.sample(sorted(self._clients), 2 if job.twice else 1):
                submits.create_task(self.submit(job, number))
        if job.id is None:
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll(job))
            if job.cancel_after is not None:
                group.create_task(self._cancel(job, job.cancel_after))

    async def submit(self, job: Job, number: int) -> None:
        """Try until there is an answer that says what became of it, each time elsewhere."""
        headers = {"Idempotency-Key": job.key}
        for tries in range(1_000_000):
            answer = await self._ask(
                "POST", "/v1/videos/generations", job, number, headers=headers, json=job.body
            )
            if answer is not None:
                self._judge_status("submit", answer, _SUBMIT_STATUSES)
                if answer.status_code == 200:
                    job.ids.append(answer.json()["id"])
                    self.answers["replayed"] += "idempotent-replayed" in answer.headers
                    return
                if answer.status_code == 400:
                    job.refusals.append(answer.json()["error"]["code"])
                    if (task := answer.headers.get("x-task-id")) is not None:
                        job.ids.append(task)
                    return
            longest = min(0.2 * 2.0 ** min(tries, 10), _LONGEST_RETRY_PAUSE_SECONDS)
            await asyncio.sleep(self._dice.uniform(longest / 2, longest))
            number = self._another(number)

    async def _poll(self, job: Job) -> None:
        while job.told is None:
            await asyncio.sleep(self._dice.uniform(*_POLL_EVERY_SECONDS))
            answer = await self._ask("GET", f"/v1/async-result/{job.id}", job, self._another())
            if answer is None:
                continue
            self._judge_status("poll", answer, _POLL_STATUSES)
            if answer.status_code == 200 and answer.json()["task_status"] != "PROCESSING":
                job.told = answer.json()

    async def _cancel(self, job: Job, after: float) -> None:
        await asyncio.sleep(after)
        while job.told is None and job.cancel_answer is None:
            answer = await self._ask("POST", f"/v1/videos/{job.id}/cancel", job, self._another())
            if answer is not None and answer.status_code != 503:
                self._judge_status("cancel", answer, _CANCEL_STATUSES)
                job.cancel_answer = answer.status_code
            await asyncio.sleep(self._dice.uniform(0.2, 1.0))

    def _another(self, than: int | None = None) -> int:
        return self._dice.choice([number for number in self._clients if number != than])

    async def _ask(
        self, method: str, path: str, job: Job, number: int, **more: Any
    ) -> httpx.Response | None:
        headers = {"Authorization": f"Bearer {job.team.key}"} | more.pop("headers", {})
        client = self._clients[number]
        try:
            answer = await client.request(method, path, headers=headers, **more)
        except httpx.TransportError as error:
            self.answers[f"{method} {type(error).__name__}"] += 1
            return None
        self.answers[f"{method} {answer.status_code}"] += 1
        return answer

    def _judge_status(self, what: str, answer: httpx.Response, allowed: tuple[int, ...]) -> None:
        if answer.status_code in allowed:
            return
        request_id = answer.headers.get("x-request-id")
        told = f"{what} {answer.url}: {answer.status_code} {answer.text[:300]} ({request_id})"
        self.odd_answers.append(told)
        self._events.tell("odd answer", answer=told)


@asynccontextmanager
async def open_clients(replicas: list[Replica]) -> AsyncIterator[dict[int, httpx.AsyncClient]]:
    """One client a replica, by its number."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=16)
    async with AsyncExitStack() as stack:
        yield {
            replica.number: await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=replica.url, timeout=_TIMEOUT, limits=limits, trust_env=False
                )
            )
            for replica in replicas
        }
