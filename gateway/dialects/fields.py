"""The fields of a request: both vendors' names for them, and what each must be."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.dialects.images import normalised
from gateway.domain.errors import (
    ConflictingFields,
    InvalidField,
    InvalidRequest,
    MalformedBody,
    MissingField,
)
from gateway.domain.submission import Overflow, Submission
from gateway.domain.video import VideoRequest


class Fields(BaseModel):
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
    retries: int | None = None
    extra_body: dict[str, Any] | None = None
    overflow: str | None = None
    queue_timeout_seconds: float | int | None = None

    def said(self) -> set[str]:
        """The names of what was said, as they stood in the body."""
        return {name for name, value in self.model_dump(by_alias=True).items() if value is not None}


_IMAGES = "an http(s) link, a data URI or base64, or an array of one or two of these"
WHAT_IS_RIGHT = {
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
    "async": "true (the answer comes at once) or false (it comes when the video is done)",
    "retries": "a whole number from 0 to 10: how often geekai tries again by itself",
    "extra_body": "an object; none of its fields is one of this model",
    "overflow": '"queue" (wait for a slot) or "reject" (be refused when none is free)',
    "queue_timeout_seconds": "a number of seconds over 0, at most ten years",
}
# Fields of the vendors' other models, and what says the same here.
_INSTEAD = {
    "image_tail": "; give the first and the last frame as an array of two in image",
    "resolution": "; give size",
    "aspect_ratio": "; give size",
}
_OF_OTHER_MODELS = {
    "negative_prompt",
    "image_tail",
    "resolution",
    "aspect_ratio",
    "style",
    "movement_amplitude",
    "off_peak",
}
_LONGEST_QUEUE_TIMEOUT_SECONDS = 10 * 365 * 86400
_MOST_RETRIES = 10


def read_json(content: bytes) -> Fields:
    """Read a body of JSON.

    Raises:
        MalformedBody: no JSON, with the place where it breaks, or no object.
        InvalidField: a field of a wrong type, or one that there is not.
    """
    try:
        return _known(Fields.model_validate_json(content))
    except ValidationError as error:
        raise explained(error, WHAT_IS_RIGHT) from None


def read_object(content: bytes) -> dict[str, Any]:
    """A body of JSON whose fields have other names than ours.

    Raises:
        MalformedBody: no JSON, with the place where it breaks, or no object.
    """
    try:
        values = json.loads(content)
        # Half of an emoji or an Infinity pass for JSON, and could be neither sent on nor stored.
        json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        why = f": {error}" if isinstance(error, json.JSONDecodeError) else ""
        raise MalformedBody(f"the body is not valid JSON{why}") from None
    if not isinstance(values, dict):
        raise MalformedBody('the body must be a JSON object, like {"model": "cogvideox-3", ...}')
    return values


def read_values(values: dict[str, Any]) -> Fields:
    """The same for fields that were read already."""
    try:
        return _known(Fields.model_validate(values))
    except ValidationError as error:
        raise explained(error, WHAT_IS_RIGHT) from None


def submission(said: Fields, *, waits: bool, default_model: str | None = None) -> Submission:
    """What was asked for, and on which terms.

    Raises:
        InvalidRequest: with the field named.
    """
    model = said.model or default_model
    if not model:
        raise MissingField("model is missing", param="model")
    _nothing_extra(said.extra_body)
    request_id = _bounded("request_id", said.request_id, 1, 64)
    request = VideoRequest(
        model=model,
        prompt=_prompt(said.prompt),
        images=_images(said),
        quality=said.quality,
        with_audio=said.with_audio,
        watermark=_watermark(said),
        size=said.size,
        fps=said.fps,
        duration_seconds=said.duration,
        user_id=_bounded("user_id", said.user_id, 6, 128),
        retries=_retries(said.retries),
        client_request_id=request_id,
    )
    return Submission(
        request=request,
        overflow=_overflow(said.overflow),
        queue_timeout_seconds=_queue_timeout(said.queue_timeout_seconds),
        waits=waits,
        idempotency_key=None if request_id is None else f"request_id {request_id}",
    )


def explained(error: ValidationError, what_is_right: dict[str, str]) -> InvalidRequest:
    """The first fault, with its place: a field, or where the JSON breaks. Never the input."""
    fault = error.errors(include_url=False, include_input=False)[0]
    if fault["type"] == "json_invalid":
        return MalformedBody(f"the body is not valid JSON: {fault['ctx']['error']}")
    if not fault["loc"]:
        return MalformedBody('the body must be a JSON object, like {"model": "cogvideox-3", ...}')
    field = str(fault["loc"][0])
    return InvalidField(f"{field} must be {what_is_right[field]}", param=field)


def _known(said: Fields) -> Fields:
    for name, value in (said.model_extra or {}).items():
        if value is None:
            continue
        if name in _OF_OTHER_MODELS:
            raise InvalidField(
                f"{name} is not a field of this model{_INSTEAD.get(name, '')}", param=name
            )
        raise InvalidField(
            f"{name[:64]} is no field of this request; it may have " + ", ".join(WHAT_IS_RIGHT),
            param=name[:64],
        )
    return said


def _nothing_extra(extra_body: dict[str, Any] | None) -> None:
    """All that geekai documents there is of other models; a wish must not be dropped silently."""
    for name, value in (extra_body or {}).items():
        if value is not None:
            field = f"extra_body.{name[:64]}"
            raise InvalidField(f"{field} is not a field of this model", param=field)


def _prompt(prompt: str | None) -> str | None:
    """An empty prompt says nothing. Control characters are refused: no vendor prints them."""
    if prompt is None or not prompt.strip():
        return None
    if any(ord(character) < 32 and character not in "\t\n\r" for character in prompt):
        raise InvalidField("prompt must not have control characters", param="prompt")
    return prompt


def _images(said: Fields) -> tuple[str, ...]:
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


def _watermark(said: Fields) -> bool | None:
    if said.watermark_enabled is not None and said.watermark is not None:
        raise ConflictingFields(
            "watermark_enabled and watermark are two names for one field; give one of them",
            param="watermark",
        )
    return said.watermark if said.watermark_enabled is None else said.watermark_enabled


def _retries(retries: int | None) -> int | None:
    if retries is not None and not 0 <= retries <= _MOST_RETRIES:
        raise InvalidField(f"retries must be {WHAT_IS_RIGHT['retries']}", param="retries")
    return retries or None


def _overflow(value: str | None) -> Overflow | None:
    if value is None or value in list(Overflow):
        return None if value is None else Overflow(value)
    raise InvalidField(f"overflow must be {WHAT_IS_RIGHT['overflow']}", param="overflow")


def _queue_timeout(seconds: float | None) -> float | None:
    if seconds is None or 0 < seconds <= _LONGEST_QUEUE_TIMEOUT_SECONDS:
        return seconds
    field = "queue_timeout_seconds"
    raise InvalidField(f"{field} must be {WHAT_IS_RIGHT[field]}", param=field)


def _bounded(field: str, value: str | None, least: int, most: int) -> str | None:
    if value is None or (least <= len(value) <= most and value.isprintable()):
        return value
    raise InvalidField(f"{field} must be {WHAT_IS_RIGHT[field]}", param=field)
