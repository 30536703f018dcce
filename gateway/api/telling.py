"""What callers are told about a task beside its record: progress, live links, when to ask again."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from starlette.requests import Request

from gateway.dialects.contract import Told
from gateway.domain.catalog import Catalog
from gateway.domain.durations import Expectation, Variant, form_of
from gateway.domain.errors import UnknownModel
from gateway.domain.ports import Durations
from gateway.domain.submission import QueuePlace
from gateway.domain.task import Status, Task
from gateway.domain.video import Video

# A client that polls more often learns nothing sooner: SDKs keep the first interval that they are
# told for as long as they poll, so it must not be one for the very last seconds either.
_LEAST_SECONDS, _MOST_SECONDS = 5.0, 30.0
_POLLS = 10
"""So many polls fit into the time that a task probably still takes."""


@dataclass(frozen=True, slots=True)
class Telling:
    catalog: Catalog
    durations: Durations
    public_url: str | None
    """How clients reach this gateway; None: as they say themselves (Host)."""

    def told(self, request: Request, task: Task) -> Told:
        """The task as its caller reads it now."""
        task = task.as_told()
        return Told(task=task, progress=self._progress(task), videos=self._videos(request, task))

    def queue_headers(self, task: Task, place: QueuePlace | None) -> dict[str, str]:
        """Where it stands; 0 when it waits for nothing. What nobody can estimate is left out."""
        if task.status is not Status.QUEUED:
            return {"x-queue-position": "0", "x-estimated-start-seconds": "0"}
        if place is None:
            return {}
        headers = {"x-queue-position": str(place.position)}
        seconds = self._starts_in(task, place)
        if seconds is not None:
            headers["x-estimated-start-seconds"] = str(seconds)
        return headers

    def poll_headers(self, task: Task, place: QueuePlace | None) -> Mapping[str, str]:
        """When to ask again, for a task that is not over."""
        if task.as_told().ended or not self._offered(task):
            return {}
        seconds = self._seconds(task)
        left = seconds - self._running_seconds(task)
        if place is not None:
            left += self._starts_in(task, place) or 0
        least = min(_LEAST_SECONDS, seconds)
        after = min(max(left / _POLLS, least), _MOST_SECONDS)
        return {
            "openai-poll-after-ms": str(round(after * 1000)),
            "Retry-After": str(math.ceil(after)),
        }

    def _progress(self, task: Task) -> int:
        if task.status is Status.COMPLETED:
            return 100
        expected = self._expected(task)
        if task.ended or expected is None:
            return 0
        return expected.progress(self._running_seconds(task))

    def _videos(self, request: Request, task: Task) -> tuple[Video, ...]:
        now = time.time()
        ours = f"{self.public_url or str(request.base_url).rstrip('/')}/v1/videos/{task.id}/content"
        return tuple(
            replace(
                video,
                url=ours,
                cover_url=video.cover_url and f"{ours}?variant=thumbnail",
            )
            if video.dead(now)
            else video
            for video in task.videos
        )

    def _starts_in(self, task: Task, place: QueuePlace) -> int | None:
        """By what holds the slots now: other tasks, of whatever form."""
        if not self._offered(task):
            return None
        return place.starts_in_seconds(self.durations.seconds_of(task.request.model))

    def _seconds(self, task: Task) -> float:
        """How long it holds its slot, once it has one."""
        expected = self._expected(task)
        return expected.seconds if expected else self.durations.seconds_of(task.request.model)

    def _expected(self, task: Task) -> Expectation | None:
        """What is expected of a task that has a vendor."""
        if task.provider is None or not self._offered(task):
            return None
        return self.durations.of(Variant(task.provider, task.request.model, form_of(task.request)))

    def _offered(self, task: Task) -> bool:
        """False if its model was taken out of the settings."""
        try:
            self.catalog.find(task.request.model)
        except UnknownModel:
            return False
        return True

    @staticmethod
    def _running_seconds(task: Task) -> float:
        return 0.0 if task.submitted_ms is None else time.time() - task.submitted_ms / 1000
