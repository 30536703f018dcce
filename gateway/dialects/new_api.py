"""The words of new-api (github.com/QuantumNous/new-api), for those who come from there.

Its documents show a flat answer to a query, its code wraps one as `{"code": "success", "data":
...}`; here is both. Requests: prompt, model, image or images, size or width and height, duration or
seconds, and `metadata` for whatever a vendor has beside these.
"""

from __future__ import annotations

from typing import Any

from gateway.dialects.contract import Body, Dialect, Operation, Route, Told
from gateway.dialects.fields import (
    length_of,
    read_object,
    read_values,
    submission_of,
    told_as,
)
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
_ONLY_HERE = (*_OTHER_NAMES, "width", "height", "n", "metadata")


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
        values, names = _translated(read_object(body.content))
        with told_as(names):
            return submission_of(read_values(values, also=_ONLY_HERE)), self

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


def _translated(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The fields by our names, and what those that it calls otherwise were called. Each may be said
    once, under one of its names; `metadata` is where it has what a vendor has beside the usual."""
    metadata = values.pop("metadata", None)
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict):
        raise InvalidField("metadata must be an object", param="metadata")
    pairs: list[tuple[str, Any]] = [*values.items(), *metadata.items()]
    said: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, value in pairs:
        if value is None:
            continue
        ours = _OTHER_NAMES.get(name, name)
        if ours in said:
            raise ConflictingFields(f"{name} is given twice, perhaps under two names", param=name)
        said[ours] = length_of(value) if name == "seconds" else value
        if ours != name:
            names[ours] = name
    if said.pop("n", 1) != 1:
        raise InvalidField("n must be 1: a task makes one video", param="n")
    _put_size(said)
    if isinstance(said.get("duration"), str):
        said["duration"] = length_of(said["duration"], "duration")
    return said, names


def _put_size(said: dict[str, Any]) -> None:
    sides = [said.pop(side, None) for side in ("width", "height")]
    if sides == [None, None]:
        return
    if None in sides:
        missing = "width" if sides[0] is None else "height"
        raise InvalidField(f"{missing} is missing: give both sides, or size", param=missing)
    if "size" in said:
        raise ConflictingFields("size is given twice: as itself, and as its sides", param="size")
    said["size"] = "x".join(str(side)[:16] for side in sides)
