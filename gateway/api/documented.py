"""What the reference says of a route beside its summary: parameters, bodies, answers."""

from __future__ import annotations

from typing import Any

from gateway.dialects.contract import Dialect, Operation, Route
from gateway.dialects.fields import WHAT_IS_RIGHT

_ERROR = {
    "description": "An error: what is wrong, and what would be right",
    "content": {
        "application/json": {
            "example": {
                "error": {
                    "code": "invalid_field",
                    "message": "fps must be one of 30, 60 for cogvideox-3",
                    "type": "invalid_request_error",
                    "param": "fps",
                }
            }
        }
    },
}
_TASK_ID = {"name": "task_id", "in": "path", "required": True, "schema": {"type": "string"}}
_WAIT = {
    "name": "Prefer",
    "in": "header",
    "description": "wait=N: answer when the video is done, after N seconds at the latest",
    "schema": {"type": "string"},
}
_PARAMETERS: dict[Operation, list[dict[str, Any]]] = {
    Operation.CREATE: [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "the same key with the same body is the same task",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        },
        _WAIT,
    ],
    Operation.RETRIEVE: [_WAIT],
    Operation.LIST: [
        {
            "name": "limit",
            "in": "query",
            "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
        },
        {
            "name": "after",
            "in": "query",
            "description": "the id of the video that the page follows",
            "schema": {"type": "string"},
        },
        {
            "name": "order",
            "in": "query",
            "schema": {"type": "string", "enum": ["desc", "asc"], "default": "desc"},
        },
    ],
    Operation.CONTENT: [
        {
            "name": "variant",
            "in": "query",
            "schema": {"type": "string", "enum": ["video", "thumbnail"], "default": "video"},
        },
        {"name": "Range", "in": "header", "schema": {"type": "string", "example": "bytes=0-1023"}},
    ],
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


def documented(dialect: Dialect, route: Route) -> dict[str, Any]:
    """Fits FastAPI's `openapi_extra`."""
    parameters = [_TASK_ID] if "{task_id}" in route.path else []
    said: dict[str, Any] = {
        "tags": [dialect.name],
        "parameters": parameters + _PARAMETERS.get(route.operation, []),
        "responses": {"4XX": _ERROR, "503": _ERROR} | _answers(route),
    }
    if route.examples:
        said["requestBody"] = {"required": True, "content": _bodies(route)}
    return said


def _answers(route: Route) -> dict[str, Any]:
    if route.operation is Operation.CONTENT:
        files = {"content": {"video/mp4": _BINARY, "image/*": _BINARY}}
        return {
            "200": {"description": "The file"} | files,
            "206": {"description": "The part that Range asked for"} | files,
        }
    if route.operation is Operation.CANCEL:
        return {"202": {"description": "Marked: the vendor has it, and cannot be stopped"}}
    return {}


def _bodies(route: Route) -> dict[str, Any]:
    """JSON with the fields of both vendors; at OpenAI's path a form as well."""
    fields = {name: {"description": right} for name, right in WHAT_IS_RIGHT.items()}
    examples = {name: {"value": body} for name, body in (route.examples or {}).items()}
    bodies: dict[str, Any] = {
        "application/json": {
            "schema": {"type": "object", "properties": fields},
            "examples": examples,
        }
    }
    if route.path.endswith("/videos"):
        form = {
            "prompt": {"type": "string"},
            "model": {"type": "string", "default": "cogvideox-3"},
            "seconds": {"type": "string", "enum": ["5", "10"]},
            "size": {"type": "string"},
            "input_reference": {"type": "string", "format": "binary"},
        }
        bodies["multipart/form-data"] = {"schema": {"type": "object", "properties": form}}
    return bodies
