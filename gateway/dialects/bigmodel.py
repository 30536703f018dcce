"""Zhipu's own words: what zai-sdk and zhipuai send and expect.

https://docs.bigmodel.cn/api-reference/模型-api/视频生成异步. The same words serve the unified path,
so geekai's `image`, `watermark` and `async` are understood here as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.dialects.images import normalised
from gateway.domain.errors import (
    ConflictingFields,
    GatewayError,
    InvalidField,
    InvalidRequest,
    MalformedBody,
    MissingField,
)
from gateway.domain.submission import Overflow, Submission
from gateway.domain.task import Status, Task
from gateway.domain.video import VideoRequest


class Body(BaseModel):
    """Every field that may be said. An explicit null says nothing: zai-sdk sends many."""

    model_config = ConfigDict(extra="allow", strict=True)

    model: str | None = None
    prompt: str | None = None
    image_url: str | list[str] | None = None
    image: str | list[str] | None = None
    quality: str | None = None
    with_audio: bool | None = None
    watermark_enabled: bool | None = None
    watermark: bool | None = None
    size: str | None = None
    fps: int | None = None
    duration: int | None = None
    request_id: str | None = None
    user_id: str | None = None
    wants_async: bool | None = Field(default=None, alias="async")
    overflow: str | None = None
    queue_timeout_seconds: float | int | None = None


_IMAGES = "an http(s) link, a data URI or base64, or an array of one or two of these"
_WHAT_IS_RIGHT = {
    "model": 'a string, for instance "cogvideox-3"',
    "prompt": "a string",
    "image_url": _IMAGES,
    "image": _IMAGES,
    "quality": 'a string, "speed" or "quality"',
    "with_audio": "true or false",
    "watermark_enabled": "true or false",
    "watermark": "true or false",
    "size": 'a string, for instance "1920x1080"',
    "fps": "a whole number, for instance 30",
    "duration": "a whole number of seconds, for instance 5",
    "request_id": "a string of 1 to 64 characters",
    "user_id": "a string of 6 to 128 characters",
    "async": "true, or left out: the answer comes at once, and the video is asked for later",
    "overflow": '"queue" (wait for a slot) or "reject" (be refused when none is free)',
    "queue_timeout_seconds": "a number of seconds over 0, at most ten years",
}
_LONGEST_QUEUE_TIMEOUT_SECONDS = 10 * 365 * 86400

_STATUS_WORDS = {Status.COMPLETED: "SUCCESS", Status.FAILED: "FAIL", Status.CANCELLED: "FAIL"}

# Our words for a caller's faults, in the vendor's digits. Others keep ours: the vendor has none.
_CODES: Mapping[str, str] = {
    "missing_api_key": "1001",
    "invalid_api_key": "1002",
    "malformed_body": "1210",
    "model_not_found": "1211",
    "missing_field": "1213",
    "invalid_field": "1214",
    "conflicting_fields": "1215",
    "prompt_too_long": "1261",
    "queue_full": "1302",
    "no_free_slot": "1302",
}


class BigModelDialect:
    """Fits `Dialect`, under a prefix: the vendor's own path or ours."""

    def __init__(self, name: str, *, prefix: str) -> None:
        self.name = name
        self.create_path = f"{prefix}/videos/generations"
        self.retrieve_path = f"{prefix}/async-result/{{task_id}}"

    def parse(self, body: bytes) -> Submission:
        try:
            said = Body.model_validate_json(body)
        except ValidationError as error:
            raise _explained(error) from None
        for name, value in (said.model_extra or {}).items():
            if value is not None:
                raise InvalidField(
                    f"{name[:64]} is no field of this request; it may have "
                    + ", ".join(_WHAT_IS_RIGHT),
                    param=name[:64],
                )
        if said.wants_async is False:
            raise InvalidField(f"async must be {_WHAT_IS_RIGHT['async']}", param="async")
        if not said.model:
            raise MissingField("model is missing", param="model")
        request_id = _bounded("request_id", said.request_id, 1, 64)
        request = VideoRequest(
            model=said.model,
            prompt=_prompt(said.prompt),
            images=_images(said),
            quality=said.quality,
            with_audio=said.with_audio,
            watermark=_watermark(said),
            size=said.size,
            fps=said.fps,
            duration_seconds=said.duration,
            user_id=_bounded("user_id", said.user_id, 6, 128),
            client_request_id=request_id,
        )
        return Submission(
            request=request,
            overflow=_overflow(said.overflow),
            queue_timeout_seconds=_queue_timeout(said.queue_timeout_seconds),
            idempotency_key=None if request_id is None else f"request_id {request_id}",
        )

    def created(self, task: Task) -> dict[str, Any]:
        """`id` for Zhipu's users, `task_id` for geekai's; neither minds the other."""
        return {
            "id": task.id,
            "task_id": task.id,
            "model": task.served_model or task.request.model,
            "request_id": task.request.client_request_id or task.id,
            "task_status": _STATUS_WORDS.get(task.status, "PROCESSING"),
        }

    def retrieved(self, task: Task) -> dict[str, Any]:
        body = self.created(task)
        if task.videos:
            body["video_result"] = [
                {"url": video.url}
                | ({"cover_image_url": video.cover_url} if video.cover_url else {})
                for video in task.videos
            ]
        if task.error:
            body["error"] = {"code": task.error.code, "message": task.error.message}
        return body

    def error_code(self, error: GatewayError) -> str:
        return _CODES.get(error.code, error.code)


def _explained(error: ValidationError) -> InvalidRequest:
    """The first fault, with its place: a field, or where the JSON breaks. Never the input."""
    fault = error.errors(include_url=False, include_input=False)[0]
    if fault["type"] == "json_invalid":
        return MalformedBody(f"the body is not valid JSON: {fault['ctx']['error']}")
    if not fault["loc"]:
        return MalformedBody('the body must be a JSON object, like {"model": "cogvideox-3", ...}')
    field = str(fault["loc"][0])
    return InvalidField(f"{field} must be {_WHAT_IS_RIGHT[field]}", param=field)


def _prompt(prompt: str | None) -> str | None:
    """An empty prompt says nothing. Control characters are refused: no vendor prints them."""
    if prompt is None or not prompt.strip():
        return None
    if any(ord(character) < 32 and character not in "\t\n\r" for character in prompt):
        raise InvalidField("prompt must not have control characters", param="prompt")
    return prompt


def _images(said: Body) -> tuple[str, ...]:
    if said.image_url is not None and said.image is not None:
        raise ConflictingFields(
            "image_url and image are two names for one field; give one of them", param="image"
        )
    field = "image" if said.image is not None else "image_url"
    images = said.image if said.image is not None else said.image_url
    if images is None:
        return ()
    listed = [images] if isinstance(images, str) else images
    if not 1 <= len(listed) <= 2:
        raise InvalidField(
            f"{field} must have one image (the first frame) or two (first and last frame), "
            f"not {len(listed)}",
            param=field,
        )
    return tuple(normalised(image, field) for image in listed)


def _watermark(said: Body) -> bool | None:
    if said.watermark_enabled is not None and said.watermark is not None:
        raise ConflictingFields(
            "watermark_enabled and watermark are two names for one field; give one of them",
            param="watermark",
        )
    return said.watermark if said.watermark_enabled is None else said.watermark_enabled


def _overflow(value: str | None) -> Overflow | None:
    if value is None or value in list(Overflow):
        return None if value is None else Overflow(value)
    raise InvalidField(f"overflow must be {_WHAT_IS_RIGHT['overflow']}", param="overflow")


def _queue_timeout(seconds: float | None) -> float | None:
    if seconds is None or 0 < seconds <= _LONGEST_QUEUE_TIMEOUT_SECONDS:
        return seconds
    field = "queue_timeout_seconds"
    raise InvalidField(f"{field} must be {_WHAT_IS_RIGHT[field]}", param=field)


def _bounded(field: str, value: str | None, least: int, most: int) -> str | None:
    if value is None or (least <= len(value) <= most and value.isprintable()):
        return value
    raise InvalidField(f"{field} must be {_WHAT_IS_RIGHT[field]}", param=field)
