"""The fields of a request: both vendors' names for them, and what each must be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

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
# The lengths that OpenAI's types know, as the nearest that there is here; 12 has none near.
_SECONDS = {"4": 5, "8": 10, "5": 5, "10": 10}


def read_json(content: bytes) -> Fields:
    """Read a body of JSON that has our names.

    Raises:
        MalformedBody: no JSON, with the place where it breaks, or no object.
        InvalidField: a field of a wrong type, or one that there is not.
    """
    return read_values(read_object(content))


def read_object(content: bytes) -> dict[str, Any]:
    """Read a body of JSON whose fields have other names than ours.

    Raises:
        MalformedBody: no JSON, with the place where it breaks, or no object.
    """
    try:
        # NaN passes here and nowhere else: refused with its field named, it is easier to find.
        values = from_json(content)
    except ValueError as error:
        raise MalformedBody(f"the body is not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise MalformedBody('the body must be a JSON object, like {"model": "cogvideox-3", ...}')
    return values


def read_values(values: dict[str, Any], also: Iterable[str] = ()) -> Fields:
    """The fields of an object. `also` are names that the dialect has beside these, for the list
    that whoever mistypes one is told.

    Raises:
        InvalidField: a field of a wrong type, or one that there is not.
    """
    try:
        said = Fields.model_validate(values)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        field = str(fault["loc"][0])
        raise InvalidField(f"{field} must be {WHAT_IS_RIGHT[field]}", param=field) from None
    _known(said, also)
    return said


@contextmanager
def told_as(names: Mapping[str, str]) -> Iterator[None]:
    """Refusals in here name a field as its caller called it: ours -> theirs."""
    try:
        yield
    except InvalidRequest as error:
        ours = error.param or ""
        if ours in names:
            error.message = error.message.replace(ours, names[ours], 1)
            error.param = names[ours]
        raise


def submission_of(
    said: Fields, *, waits: bool | None = None, default_model: str | None = None
) -> Submission:
    """What was asked for, and on which terms. Where a dialect does not say whether its callers
    wait (`waits`), they do if they said so.

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
        waits=said.wants_async is False if waits is None else waits,
        idempotency_key=None if request_id is None else f"request_id {request_id}",
    )


def length_of(seconds: object, field: str = "seconds") -> int:
    """The length in OpenAI's words, which new-api shares: text, and of other models' lengths.

    Raises:
        InvalidField: none that there is here, nor one near it.
    """
    length = _SECONDS.get(str(seconds)) if isinstance(seconds, str | int) else None
    if length is None:
        raise InvalidField(
            f'{field} must be "5" or "10" ("4" is taken for 5 and "8" for 10)', param=field
        )
    return length


def _known(said: Fields, also: Iterable[str]) -> None:
    for name, value in (said.model_extra or {}).items():
        if value is None:
            continue
        if name in _OF_OTHER_MODELS:
            raise InvalidField(
                f"{name} is not a field of this model{_INSTEAD.get(name, '')}", param=name
            )
        raise InvalidField(
            f"{name[:64]} is no field of this request; it may have "
            + ", ".join((*WHAT_IS_RIGHT, *also)),
            param=name[:64],
        )


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
