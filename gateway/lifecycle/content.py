"""The video itself: passed on from the vendor's file server while the vendor keeps it."""

from __future__ import annotations

import logging
import time
from enum import StrEnum

from gateway.domain.errors import (
    ContentUnavailable,
    InvalidRequest,
    NotCompleted,
    NotFound,
    ResultExpired,
)
from gateway.domain.ports import Media, MediaStream, Renewal, Tasks
from gateway.domain.provider_answers import Failed, KeyRefused, Missing, Running, Succeeded
from gateway.domain.task import Status, Task
from gateway.domain.video import Video
from gateway.lifecycle.looks import Looks

log = logging.getLogger(__name__)

_SERVED = (200, 206, 416)
# What file servers say of a link whose time is over, or of a file that is gone.
_DEAD = (401, 403, 404, 410)


class Variant(StrEnum):
    VIDEO = "video"
    THUMBNAIL = "thumbnail"


class Content:
    """Opens a completed task's files. A dead link is asked for anew once, then it is dead."""

    def __init__(
        self,
        tasks: Tasks,
        looks: Looks,
        media: Media,
    ) -> None:
        self._tasks = tasks
        self._looks = looks
        self._media = media

    async def open(self, task: Task, variant: Variant, byte_range: str | None) -> MediaStream:
        """Begin to read.

        Raises:
            NotCompleted: there is no video (yet).
            InvalidRequest: the vendor made no cover image.
            ResultExpired: the vendor serves it no longer, and signs no new link.
            ContentUnavailable: the vendor's file server is in trouble.
        """
        if task.status is not Status.COMPLETED:
            raise NotCompleted(f"the task is {task.status}: there is no video to download")
        stream = await self._try(task.videos[0], variant, byte_range)
        if stream is None:
            fresh = await self._renewed(task, variant)
            stream = await self._try(fresh, variant, byte_range) if fresh else None
        if stream is None:
            raise ResultExpired("the vendor no longer serves this video: its links have expired")
        return stream

    async def _try(
        self, video: Video, variant: Variant, byte_range: str | None
    ) -> MediaStream | None:
        """The file, or None where the link is dead."""
        link = _link(video, variant)
        if link is None:
            raise InvalidRequest("the vendor made no cover image of this video", param="variant")
        if video.dead(time.time()):
            return None
        stream = await self._media.open(link, byte_range)
        if stream.status in _SERVED:
            return stream
        await stream.aclose()
        if stream.status in _DEAD:
            return None
        raise ContentUnavailable(f"the vendor's file server answers with {stream.status}")

    async def _renewed(self, task: Task, variant: Variant) -> Video | None:
        """The video with links that live, if the vendor signs them anew."""
        dead = _link(task.videos[0], variant)
        match await self._tasks.take_renewal(task.id, dead or "", variant):
            case Renewal.YOURS:
                return await self._renew(task)
            case Renewal.PENDING:
                raise ContentUnavailable("the vendor is being asked for a new link; try again soon")
            case Renewal.OVER:
                again = await self._tasks.get(task.id)
                if again is None:
                    raise NotFound("there is no such task")
                return again.videos[0] if _link(again.videos[0], variant) != dead else None

    async def _renew(self, task: Task) -> Video | None:
        log.info("task %s: its link is dead; asking %s for a new one", task.id, task.account)
        answer = await self._looks.ask(
            task.account or "", task.provider or "", task.api_key_id, task.provider_task_id or ""
        )
        match answer:
            case Succeeded(videos):
                await self._tasks.renew_links(task.id, videos)
                return videos[0]
            case Failed() | Missing():
                await self._tasks.renew_links(task.id, task.videos)
                return None
            case Running(reason) | KeyRefused(reason):
                log.warning("task %s: no new link: %s", task.id, reason)
                raise ContentUnavailable("the vendor signs no new link just now")


def _link(video: Video, variant: Variant) -> str | None:
    return video.url if variant is Variant.VIDEO else video.cover_url
