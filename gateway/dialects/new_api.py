"""The words of new-api (github.com/QuantumNous/new-api), for those who come from there.

Its documents show a flat answer to a query, its code wraps one as `{"code": "success", "data":
...}`; here is both. Requests: prompt, model, image or images, size or width and height, duration or
seconds, and `metadata` for whatever a vendor has beside these.
"""

from __future__ import annotations

from typing import Any

from gateway.dialects.contract import Body, Dialect, Operation, Route, Told
from gateway.dialects.fields import read_object, read_values, submission
from gateway.dialects.openai import OpenAIDialect
from gateway.domain.errors import (
    ConflictingFields,
    GatewayError,
    InvalidField,
    NotFound,
)
from gateway.domain.submission import Submission

# Its names and ours.
_OTHER_NAMES = {"images": "image", "seconds": "duration", "user": "user_id"}


class NewApiDialect(Dialect):
    name = "new-api"
    routes = (
        Route(
            "POST",
            "/v1/video/generations",
            Operation.CREATE,
            "make a video, as new-api's clients do",
            {
                "text": {
                    "model": "cogvideox-3",
                    "prompt": "A cat is playing with a ball.",
                    "duration": 5,
                    "metadata": {"quality": "speed"},
                }
            },
        ),
        Route(
            "GET",
            "/v1/video/generations/{task_id}",
            Operation.RETRIEVE,
            "how far a video is, in new-api's words",
        ),
    )

    def __init__(self, openai: OpenAIDialect) -> None:
        self._openai = openai

    def parse(self, body: Body) -> tuple[Submission, Dialect]:
        said = read_values(_translated(read_object(body.content)))
        return submission(said, waits=said.wants_async is False), self

    def task(self, told: Told) -> dict[str, Any]:
        video = self._openai.task(told)
        flat = {
            "id": video["id"],
            "task_id": video["id"],
            "status": video["status"],
            "progress": video["progress"],
            "url": video.get("url"),
            "format": "mp4",
            "metadata": {"duration": int(video["seconds"]), "size": video["size"]},
            "error": video["error"],
        }
        return {"code": "success", "message": "", "data": flat, **flat}

    def error(self, error: GatewayError) -> tuple[int, str]:
        """A task that there is not is a 404 here and not new-api's 400: the code is new-api's."""
        status, code = self._openai.error(error)
        return status, "task_not_exist" if isinstance(error, NotFound) else code


def _translated(values: dict[str, Any]) -> dict[str, Any]:
    """The fields by our names. Each may be said once, under one of its names."""
    said = {name: value for name, value in values.items() if value is not None}
    metadata = said.pop("metadata", {})
    if not isinstance(metadata, dict):
        raise InvalidField("metadata must be an object", param="metadata")
    if said.pop("n", 1) != 1:
        raise InvalidField("n must be 1: a task makes one video", param="n")
    width, height = said.pop("width", None), said.pop("height", None)
    if width is not None or height is not None:
        said["size"] = _once(said, "size", f"{width}x{height}")
    for theirs, ours in _OTHER_NAMES.items():
        if theirs in said:
            said[ours] = _once(said, ours, said.pop(theirs))
    for name, value in metadata.items():
        said[name] = _once(said, name, value)
    if isinstance(said.get("duration"), str) and said["duration"].isdecimal():
        said["duration"] = int(said["duration"])
    return said


def _once(said: dict[str, Any], name: str, value: Any) -> Any:
    if name in said:
        raise ConflictingFields(f"{name} is given twice, under two names", param=name)
    return value
