"""OpenAI's video object, for its own SDKs and for LiteLLM.

https://developers.openai.com/api/docs/guides/video-generation. What the SDKs send and read was
captured from openai 2.2 to 3.51 (Python) and 6.49 to 7.55 (Node). Fields of the vendors that OpenAI
has no name for (`quality`, `fps`, `with_audio`, ...) may be given beside its own, as the SDKs'
`extra_body` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.dialects.contract import Body, Dialect, Operation, Route, Told
from gateway.dialects.fields import (
    WHAT_IS_RIGHT,
    length_of,
    read_object,
    read_values,
    submission_of,
    told_as,
)
from gateway.dialects.forms import Part, is_form, read_form
from gateway.dialects.images import from_file
from gateway.domain.errors import (
    ConflictingFields,
    GatewayError,
    InvalidField,
    UnknownModel,
)
from gateway.domain.submission import Submission
from gateway.domain.task import Status

_STATUS_WORDS = {
    Status.QUEUED: "queued",
    Status.CLAIMED: "queued",
    Status.SENDING: "queued",
    Status.UNKNOWN: "in_progress",
    Status.IN_PROGRESS: "in_progress",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "failed",
}
_USUAL_SECONDS = 5
# The vendors' digits for what may be wrong with a request, where OpenAI has a word.
_CODES = {"1300": "content_policy_violation", "1301": "content_policy_violation"}
_DEFAULT_MODEL = "cogvideox-3"

_NUMBERS = {"fps", "duration", "retries"}
_FLAGS = {"with_audio", "watermark_enabled", "watermark", "async"}
_LISTS = {"image_url", "image"}
_REFERENCE = "input_reference"


class OpenAIDialect(Dialect):
    name = "openai"

    def __init__(self) -> None:
        self.routes = tuple(
            Route(method, f"{prefix}{path}", operation, summary, examples, listed=prefix == "/v1")
            for prefix in ("/v1", "")
            for method, path, operation, summary, examples in _routes()
        )

    def parse(self, body: Body) -> tuple[Submission, Dialect]:
        """A form or JSON. What is not said is left to the vendor, the model excepted."""
        # By the first byte as well: `curl -d '{...}'` calls its JSON a form.
        if is_form(body.content_type) and not body.content.lstrip().startswith(b"{"):
            values = _from_form(read_form(body.content, body.content_type))
        else:
            values = _from_json(body.content)
        if (seconds := values.pop("seconds", None)) is not None:
            if values.get("duration") is not None:
                raise ConflictingFields(
                    "seconds and duration are two names for one field; give one of them",
                    param="seconds",
                )
            values["duration"] = length_of(seconds)
        with told_as({"image": _REFERENCE} if values.pop(_REFERENCE, False) else {}):
            said = read_values(values, also=("seconds", _REFERENCE))
            return submission_of(said, default_model=_DEFAULT_MODEL), self

    def task(self, told: Told) -> dict[str, Any]:
        """All keys that the type has, null where there is nothing, and the link beside them."""
        task, request = told.task, told.task.request
        completed = task.status is Status.COMPLETED
        expiries = [video.expires_at for video in told.videos if video.expires_at is not None]
        body: dict[str, Any] = {
            "id": task.id,
            "object": "video",
            "model": task.served_model or request.model,
            "status": _STATUS_WORDS[task.status],
            "progress": told.progress,
            "created_at": _seconds(task.created_ms),
            "completed_at": _seconds(task.ended_ms) if completed else None,
            "expires_at": min(expiries, default=None),
            "seconds": str(request.duration_seconds or _USUAL_SECONDS),
            "size": request.size,
            "prompt": request.prompt,
            "remixed_from_video_id": None,
            "error": None,
        }
        if task.error is not None:
            code = _CODES.get(task.error.code, task.error.code)
            body["error"] = {"code": code, "message": task.error.message}
        if told.videos:
            body["url"] = told.videos[0].url
        return body

    def error(self, error: GatewayError) -> tuple[int, str]:
        """A model that there is not is a 404 in OpenAI's world."""
        status = 404 if isinstance(error, UnknownModel) else error.status
        return status, _CODES.get(error.code, error.code)


def _routes() -> Iterable[tuple[str, str, Operation, str, dict[str, Any] | None]]:
    text = {"model": "cogvideox-3", "prompt": "A cat is playing with a ball.", "seconds": "5"}
    one = "/videos/{task_id}"
    yield "POST", "/videos", Operation.CREATE, "make a video", {"text": text}
    yield "GET", "/videos", Operation.LIST, "your team's videos, the newest first", None
    yield "GET", one, Operation.RETRIEVE, "how far a video is, in OpenAI's words", None
    yield (
        "DELETE",
        one,
        Operation.DELETE,
        "forget a video that is over, or cancel it",
        None,
    )
    yield "GET", f"{one}/content", Operation.CONTENT, "the file itself, by Range if you like", None
    for method, path in (
        ("POST", "/videos/edits"),
        ("POST", "/videos/extensions"),
        ("POST", "/videos/characters"),
        ("GET", "/videos/characters/{task_id}"),
        ("POST", f"{one}/remix"),
    ):
        yield method, path, Operation.REFUSE, "none of the models here can do this", None


def _from_json(content: bytes) -> dict[str, Any]:
    values = read_object(content)
    reference = values.pop(_REFERENCE, None)
    if isinstance(reference, dict):
        said = {name: value for name, value in reference.items() if value is not None}
        _refuse_file_id(said.pop("file_id", None))
        reference = said.pop("image_url", None)
        if reference is None or said:
            raise InvalidField(
                f'{_REFERENCE} must be an object like {{"image_url": "https://..."}}, or a link',
                param=_REFERENCE,
            )
    if reference is not None:
        _put_reference(values, reference)
    return values


def _from_form(parts: Iterable[Part]) -> dict[str, Any]:
    """Everything comes as text, lists as `name[]` repeated, objects as `name[key]`."""
    values: dict[str, Any] = {}
    references: list[str] = []
    for part in parts:
        name = part.name.removesuffix("[]")
        if part.is_file:
            if name not in (_REFERENCE, *_LISTS):
                raise InvalidField(f"{name[:64]} takes no file", param=name[:64])
            references.append(from_file(part.value, name))
        elif name == "input_reference[file_id]":
            _refuse_file_id(part.value)
        elif name in (_REFERENCE, "input_reference[image_url]"):
            references.append(_text(part))
        elif name in _LISTS:
            values.setdefault(name, []).append(_text(part))
        elif name in values:
            raise ConflictingFields(f"{name[:64]} is given twice", param=name[:64])
        else:
            values[name] = _value(name, _text(part))
    if references:
        _put_reference(values, references)
    return values


def _put_reference(values: dict[str, Any], reference: Any) -> None:
    if any(values.get(name) is not None for name in _LISTS):
        raise ConflictingFields(
            "input_reference, image_url and image are names for one field; give one of them",
            param=_REFERENCE,
        )
    values["image"], values[_REFERENCE] = reference, True


def _refuse_file_id(file_id: object) -> None:
    if file_id is not None:
        raise InvalidField(
            "input_reference cannot be a file_id: files are not kept here; send the image itself",
            param=_REFERENCE,
        )


def _text(part: Part) -> str:
    try:
        return part.value.decode()
    except UnicodeDecodeError:
        raise InvalidField(f"{part.name[:64]} is not UTF-8", param=part.name[:64]) from None


def _value(name: str, text: str) -> Any:
    """What the text of a form stands for. One that stands for nothing is judged as it is."""
    if name in _FLAGS and text in ("true", "false"):
        return text == "true"
    if name in _NUMBERS and text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    if name == "queue_timeout_seconds":
        try:
            return float(text)
        except ValueError:
            raise InvalidField(f"{name} must be {WHAT_IS_RIGHT[name]}", param=name) from None
    return text


def _seconds(milliseconds: int | None) -> int | None:
    return None if milliseconds is None else milliseconds // 1000
