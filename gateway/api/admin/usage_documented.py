"""What the admin plane's reference says of the routes about usage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.api.usage_params import described

_FILTERS = ("from", "to", "time_zone", "team", "key", "model", "account", "status")
_SUMS = {
    "from": "2026-03-01T00:00:00+08:00",
    "to": "2026-04-01T00:00:00+08:00",
    "time_zone": "Asia/Shanghai",
    "group_by": ["team"],
    "rows": [
        {
            "team": "films",
            "tasks": 12,
            "completed": 10,
            "failed": 1,
            "cancelled": 0,
            "unknown": 1,
            "charged_fen": 1000,
            "cost_fen": 1000,
        }
    ],
    "totals": {
        "tasks": 12,
        "completed": 10,
        "failed": 1,
        "cancelled": 0,
        "unknown": 1,
        "charged_fen": 1000,
        "cost_fen": 1000,
    },
}
_LINE = {
    "model": "cogvideox-3",
    "size": "1920x1080",
    "quality": "speed",
    "seconds": 5,
    "count": 10,
    "unit_price_fen": 100,
    "amount_fen": 1000,
}
_STATEMENT = {
    "team": "films",
    "month": "2026-03",
    "from": "2026-03-01T00:00:00+08:00",
    "to": "2026-04-01T00:00:00+08:00",
    "time_zone": "Asia/Shanghai",
    "lines": [_LINE],
    "videos": 10,
    "total_fen": 1000,
    "not_billed": {
        "unknown": [_LINE | {"count": 1, "amount_fen": 100}],
        "failed": 1,
        "cancelled": 0,
    },
}
_UNKNOWN = {
    "from": "2026-03-01T00:00:00+08:00",
    "to": "2026-04-01T00:00:00+08:00",
    "time_zone": "Asia/Shanghai",
    "tasks": [
        {
            "request_id": "task_0a7ac9e7b0f1215ba71ce462ea495f22-1",
            "settled_at": "2026-03-02T10:00:00.000+08:00",
            "admitted_at": "2026-03-02T08:00:00.000+08:00",
            "team": "films",
            "account": "main",
            "provider": "bigmodel",
            "provider_task": None,
            "model": "cogvideox-3",
            "price_fen": 100,
        }
    ],
}


def _error(description: str, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    kind = "authentication_error" if code == "invalid_api_key" else "invalid_request_error"
    told = {"error": {"code": code, "message": message, "type": kind, "param": param}}
    return {"description": description, "content": {"application/json": {"example": told}}}


_ERRORS = {
    "400": _error(
        "Refused, with the field named",
        *("invalid_field", "from must be before to, which is not itself meant", "from"),
    ),
    "401": _error("Not an admin key", "invalid_api_key", "this is not an admin key"),
    "404": _error("No such team, or another's", "not_found", "there is no such team"),
    "409": _error(
        "What is asked for is in files that this machine has not",
        *("conflict", "the entries of 2026-01-02 are in files, which are not in ..."),
    ),
}


@dataclass(frozen=True, slots=True)
class Documented:
    """A route, what may be said in its address, and how it may answer."""

    summary: str
    parameters: tuple[str, ...]
    formats: tuple[str, ...]
    example: object = None
    description: str = ""

    @property
    def route(self) -> dict[str, Any]:
        """Keyword arguments for a route of FastAPI's."""
        done: dict[str, Any] = {"description": "Done"}
        if self.example is not None:
            done["content"] = {"application/json": {"example": self.example}}
        return {
            "summary": self.summary,
            "description": self.description,
            "openapi_extra": {
                "tags": ["usage"],
                "parameters": described(self.parameters, self.formats),
                "responses": {"200": done, **_ERRORS},
            },
        }


SUMS = Documented(
    "tasks and fen, by whatever is asked",
    (*_FILTERS, "group_by", "format"),
    ("json", "csv"),
    _SUMS,
    "Each task counts once, when it was settled, under one of completed, failed, cancelled and "
    "unknown. `cost_fen` is what the vendor charges for what was charged, where that is known.",
)
ENTRIES = Documented(
    "the ledger itself, an entry a task, streamed",
    (*_FILTERS, "format"),
    ("csv", "jsonl"),
)
UNKNOWN = Documented(
    "tasks of unknown outcome, for a ticket at the vendor's",
    (*(name for name in _FILTERS if name != "status"), "format"),
    ("json", "csv"),
    _UNKNOWN,
    "The vendor may have made these and nobody saw it. They are billed to nobody.",
)
STATEMENT = Documented(
    "a team's bill of a month",
    ("team", "month", "time_zone", "format"),
    ("json", "csv", "text"),
    _STATEMENT,
    "A task counts in the month of its settlement; a budget counts it in that of its admission.",
)
