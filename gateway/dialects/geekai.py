"""geekai's words, for people who come with its curl examples.

https://docs.geekai.co/cn/api/video/generations, https://docs.geekai.co/cn/api/video/retrieval and
https://docs.geekai.co/cn/docs/video/txt2video.
"""

from __future__ import annotations

from typing import Any

from gateway.dialects.bigmodel import code_of
from gateway.dialects.contract import Body, Dialect, Operation, Route, Told
from gateway.dialects.fields import read_json, submission_of
from gateway.domain.errors import GatewayError
from gateway.domain.submission import Submission
from gateway.domain.task import Status

_STATUS_WORDS = {
    Status.QUEUED: "pending",
    Status.CLAIMED: "pending",
    Status.SENDING: "pending",
    Status.UNKNOWN: "running",
    Status.IN_PROGRESS: "running",
    Status.COMPLETED: "succeed",
    Status.FAILED: "failed",
    Status.CANCELLED: "failed",
}


class GeekAIDialect(Dialect):
    name = "geekai"

    def __init__(self) -> None:
        retrieve = "how far a video is, and its links, in geekai's words"
        self.routes = (
            Route(
                "POST",
                "/api/v1/videos/generations",
                Operation.CREATE,
                "make a video and wait for it, as geekai does; at once with async: true",
                {
                    "text": {
                        "model": "cogvideox-3",
                        "prompt": "A cat is playing with a ball.",
                        "quality": "quality",
                        "with_audio": True,
                        "size": "1920x1080",
                        "fps": 30,
                        "async": True,
                    },
                },
            ),
            Route("GET", "/api/v1/video/{task_id}/result", Operation.RETRIEVE, retrieve),
            Route("GET", "/api/v1/videos/{task_id}", Operation.RETRIEVE, retrieve),
            Route("GET", "/v1/video/{task_id}/result", Operation.RETRIEVE, retrieve),
        )

    def parse(self, body: Body) -> tuple[Submission, Dialect]:
        """The vendor waits for the video unless it is told not to, and so do we."""
        said = read_json(body.content)
        return submission_of(said, waits=said.wants_async is not True), self

    def task(self, told: Told) -> dict[str, Any]:
        task = told.task
        body: dict[str, Any] = {
            "model": task.served_model or task.request.model,
            "task_id": task.id,
            "id": task.id,
            "task_status": _STATUS_WORDS[task.status],
        }
        if told.videos:
            body["video_result"] = [
                {"id": f"{task.id}-{number}", "url": video.url}
                | ({"cover_image_url": video.cover_url} if video.cover_url else {})
                for number, video in enumerate(told.videos, 1)
            ]
        if task.error:
            body["error"] = {"code": task.error.code, "message": task.error.message}
        return body

    def error(self, error: GatewayError) -> tuple[int, str]:
        """The vendor documents statuses and no codes; the models are Zhipu's, and so the codes."""
        return error.status, code_of(error)
