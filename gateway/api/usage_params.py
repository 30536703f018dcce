"""What may be said in the address of a route about usage, and what the reference says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from gateway.domain.account_form import told_field
from gateway.domain.errors import InvalidField
from gateway.domain.usage import GROUPS, STATUSES

_DESCRIPTIONS = {
    "from": "a day like 2026-03-01 or a time in ISO 8601; this month's begin unless said",
    "to": "the same, and not itself meant",
    "group_by": f"some of {', '.join(GROUPS)}, with commas between; team unless said",
    "time_zone": "whose days and months these are; the gateway's own unless said",
    "team": "of this team alone",
    "key": "asked for with the key of this id",
    "model": "of this model",
    "account": "made with this account",
    "status": f"one of {', '.join(STATUSES)}",
    "month": "like 2026-03; the last one that is over unless said",
    "format": "how it is written",
    "q": "what stands in its id, the vendor's id, its prompt or its error",
    "limit": "so many at most: 50 unless said, 200 at the most",
    "cursor": "what the answer before gave, to go on from there",
}


def params(request: Request, known: Sequence[str]) -> dict[str, str]:
    """What the address says, once each.

    Raises:
        InvalidField: something that this route does not know, or that is said twice.
    """
    said: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise InvalidField(
                f"{told_field(name)} cannot be said here, only {', '.join(known)}",
                param=told_field(name),
            )
        if name in said:
            raise InvalidField(f"{name} is said twice", param=name)
        said[name] = value
    return said


def one_of(said: dict[str, str], formats: Sequence[str]) -> str:
    """How the answer is to be written; the first unless said.

    Raises:
        InvalidField: not like that.
    """
    chosen = said.get("format", formats[0])
    if chosen not in formats:
        raise InvalidField(f"format must be one of {', '.join(formats)}", param="format")
    return chosen


def described(names: Sequence[str], formats: Sequence[str] = ()) -> list[dict[str, Any]]:
    """As OpenAPI lists parameters."""
    return [
        {
            "name": name,
            "in": "query",
            "required": name == "team" and "month" in names,
            "description": _DESCRIPTIONS[name],
            "schema": {"type": "string"}
            | ({"enum": list(formats), "default": formats[0]} if name == "format" else {}),
        }
        for name in names
    ]
