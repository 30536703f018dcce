"""Zhipu's own words: what zai-sdk and zhipuai send and expect.

https://docs.bigmodel.cn/api-reference/模型-api/视频生成异步 and .../查询异步结果.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.dialects.contract import Body, Dialect, Operation, Route, Told
from gateway.dialects.fields import read_json, submission_of
from gateway.domain.errors import GatewayError
from gateway.domain.submission import Submission
from gateway.domain.task import Status

_STATUS_WORDS = {Status.COMPLETED: "SUCCESS", Status.FAILED: "FAIL", Status.CANCELLED: "FAIL"}

# Our words for a caller's faults, in the vendor's digits. Others keep ours: the vendor has none.
_CODES: Mapping[str, str] = {
    "missing_api_key": "1001",
    "invalid_api_key": "1002",
    "malformed_body": "1210",
    "model_not_found": "1211",
    "not_supported": "1212",
    "missing_field": "1213",
    "invalid_field": "1214",
    "conflicting_fields": "1215",
    "prompt_too_long": "1261",
    "budget_exceeded": "1113",
    "too_many_submits": "1303",
    "queue_full": "1302",
    "no_free_slot": "1302",
}


def code_of(error: GatewayError) -> str:
    """An error in the vendor's digits, where it has some."""
    return _CODES.get(error.code, error.code)


class BigModelDialect(Dialect):
    name = "bigmodel"

    def __init__(self) -> None:
        retrieve = "how far a video is, and its links, in bigmodel's words"
        self.routes = (
            Route(
                "POST",
                "/api/paas/v4/videos/generations",
                Operation.CREATE,
                "make a video, as zai-sdk and zhipuai do",
                {
                    "text": {
                        "model": "cogvideox-3",
                        "prompt": "A cat is playing with a ball.",
                        "quality": "quality",
                        "with_audio": True,
                        "size": "1920x1080",
                        "fps": 30,
                    },
                    "first and last frame": {
                        "model": "cogvideox-3",
                        "prompt": "让画面动起来",
                        "image_url": [
                            "https://cdn.bigmodel.cn/markdown/1752547801491cogvideo4.png",
                            "https://cdn.bigmodel.cn/markdown/1752547813297cogvideo5.png",
                        ],
                    },
                },
            ),
            Route("GET", "/api/paas/v4/async-result/{task_id}", Operation.RETRIEVE, retrieve),
            Route("GET", "/v1/async-result/{task_id}", Operation.RETRIEVE, retrieve),
            Route("GET", "/async-result/{task_id}", Operation.RETRIEVE, retrieve, listed=False),
        )

    def parse(self, body: Body) -> tuple[Submission, Dialect]:
        return submission_of(read_json(body.content)), self

    def task(self, told: Told) -> dict[str, Any]:
        """`id` is what Zhipu's users read; `task_id` disturbs none of them."""
        task = told.task
        body: dict[str, Any] = {
            "id": task.id,
            "task_id": task.id,
            "model": task.served_model or task.request.model,
            "request_id": task.request.client_request_id or task.id,
            "task_status": _STATUS_WORDS.get(task.status, "PROCESSING"),
        }
        if told.videos:
            body["video_result"] = [
                {"url": video.url}
                | ({"cover_image_url": video.cover_url} if video.cover_url else {})
                for video in told.videos
            ]
        if task.error:
            body["error"] = {"code": task.error.code, "message": task.error.message}
        return body

    def error(self, error: GatewayError) -> tuple[int, str]:
        return error.status, code_of(error)
