"""Tasks to tell of, one for each status, with all that a task of that status may have."""

from __future__ import annotations

from typing import Any

from gateway.dialects import DIALECTS
from gateway.dialects.contract import Dialect, Told
from gateway.domain.task import CANCELLED, Status, Task, TaskError
from gateway.domain.video import Video, VideoRequest

BY_NAME: dict[str, Dialect] = {dialect.name: dialect for dialect in DIALECTS}

ID = "task_0123456789abcdef0123456789abcdef"
LINK = "https://v.example/1.mp4?Expires=1800003600"
COVER = "https://v.example/1.png?Expires=1800003600"
VIDEOS = (Video(url=LINK, cover_url=COVER, expires_at=1_800_003_600),)
UNSAFE = TaskError(code="1301", message="unsafe content", caller_at_fault=True)
ERRORS = {Status.FAILED: UNSAFE, Status.CANCELLED: CANCELLED}


def told(status: Status, *, progress: int = 0, request: Any = None, **changes: Any) -> Told:
    """A task of this status as its caller is told of it."""
    made = status is Status.COMPLETED
    ended = made or status in ERRORS
    said = {"model": "cogvideox-3", "prompt": "A cat."} | (request or {})
    facts: dict[str, Any] = {
        "id": ID,
        "team": "films",
        "status": status,
        "request": VideoRequest(**said),
        "price_fen": 100,
        "created_ms": 1_799_999_000_999,
        "ended_ms": 1_799_999_060_500 if ended else None,
        "videos": VIDEOS if made else (),
        "error": ERRORS.get(status),
    }
    task = Task(**facts | changes)
    return Told(task=task, progress=100 if made else progress, videos=task.videos)
