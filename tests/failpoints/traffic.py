"""The caller of a case: hands tasks in, and asks again elsewhere when it is not answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.failpoints.lane import Lane
from tests.harness import TEAM_KEY, Running

CREATE = "/v1/videos/generations"
IMAGE = "https://img.example/first-frame.png"
SUCCESS = frozenset({"SUCCESS"})
UNKNOWN = "submission_outcome_unknown"

_LONGEST_SECONDS = 40.0


@dataclass
class Job:
    """One video that somebody wants."""

    prompt: str
    image: str | None = None
    ends: frozenset[str] = SUCCESS
    """How it may end: SUCCESS, or the code of its error."""
    key: str | None = None
    """Its idempotency key; None where a process left it behind, and nobody asks for it again."""
    id: str | None = None
    """What its caller was told."""

    @property
    def body(self) -> dict[str, Any]:
        image = {"image_url": self.image} if self.image else {}
        return {"model": "cogvideox-3", "prompt": self.prompt, **image}


@dataclass
class Traffic:
    """What is handed in during one case, and whom it is asked of."""

    lane: Lane
    name: str
    jobs: list[Job] = field(default_factory=list)
    server: Running | None = None
    """Who is asked at first; where nobody, the rescuer."""
    elsewhere: threading.Event = field(default_factory=threading.Event)
    """Set when the rescuer should be asked."""
    given_up: threading.Event = field(default_factory=threading.Event)
    """Set when the case has failed, so that nobody goes on asking."""
    unanswered: int = 0
    """How often a caller was told to come back, or nothing at all."""

    def new_job(self, **fields: Any) -> Job:
        """A job that is known by its prompt, also at the vendor."""
        job = Job(f"{self.name}: number {len(self.jobs)}", **fields)
        self.jobs.append(job)
        return job

    def new_jobs(self) -> list[Job]:
        """One more than there are slots. The first finds its slot at once and has an image; so has
        the last, which must wait, and whose image is read again."""
        images = [IMAGE, None, None, IMAGE]
        return [self.new_job(image=image, key=f"{self.name} {i}") for i, image in enumerate(images)]

    def submit(self, jobs: Iterable[Job]) -> None:
        """Until each has been told which task it is."""
        for job in tuple(jobs):
            job.id = told_id(self.ask("POST", CREATE, job))

    def ask(
        self, method: str, path: str, job: Job | None = None, server: Running | None = None
    ) -> httpx.Response:
        """An answer that is one: of this server, or of whoever gives it."""
        deadline = time.monotonic() + _LONGEST_SECONDS
        while not self.given_up.is_set():
            with suppress(httpx.TransportError):
                answer = self.ask_once(server or self._server(), method, path, job)
                if answer.status_code < 500:
                    return answer
            self.unanswered += 1
            assert time.monotonic() < deadline, f"nobody answers {method} {path}"
            time.sleep(0.05)
        raise AssertionError("the case has failed")

    def ask_once(
        self, server: Running, method: str, path: str, job: Job | None = None
    ) -> httpx.Response:
        """What this one says, if it does."""
        headers = {"Authorization": f"Bearer {TEAM_KEY}"}
        if job is not None and job.key is not None:
            headers["Idempotency-Key"] = job.key
        return self.lane.http.request(
            method, f"{server.url}{path}", headers=headers, json=job.body if job else None
        )

    def end_of(self, job: Job, server: Running) -> str:
        """How a job ended, in the words of one replica."""
        answer = self.ask("GET", f"/v1/async-result/{job.id}", server=server)
        assert answer.status_code == 200, f"{job.prompt}: {answer.status_code} {answer.text}"
        told = answer.json()
        return told["error"]["code"] if "error" in told else told["task_status"]

    def _server(self) -> Running:
        if self.elsewhere.is_set() or self.server is None:
            return self.lane.rescuer
        return self.server


def told_id(answer: httpx.Response) -> str:
    """Which task it is. One that the vendor refused for good is told with its refusal."""
    told = answer.headers.get("x-task-id")
    assert told, f"an answer without a task: {answer.status_code} {answer.text}"
    assert answer.status_code == 400 or answer.json()["id"] == told
    return told
