"""What the admin plane's reference says of each route: summary, bodies to try, answers."""

from __future__ import annotations

from typing import Any

_ACCOUNT = {
    "name": "main",
    "provider": "bigmodel",
    "base_url": "https://open.bigmodel.cn/api/paas/v4",
    "source": "store",
    "shadowed": False,
    "tier": "V1",
    "limit": 10,
    "limits": {},
    "weight": 1.0,
    "costs_fen": {"cogvideox-3": 100},
    "models": [
        {
            "model": "cogvideox-3",
            "limit": 10,
            "effective_limit": 7,
            "in_flight": 7,
            "unknown": 0,
            "overdue": 0,
            "queued": 31,
            "reason": None,
            "until": None,
            "durations": {
                "ends": 64,
                "shortest_seconds": 58.2,
                "typical_seconds": 84.9,
                "longest_seconds": 121.0,
            },
        }
    ],
    "state": "resting",
    "reason": "1113: in arrears",
    "since": "2026-03-01T08:00:00.000Z",
    "until": "2026-03-01T08:05:00.000Z",
    "way_back": "mend the cause; it is tried again by itself, and at once with: "
    "gateway accounts resume main",
    "last_error": {"at": "2026-03-01T08:00:00.000Z", "reason": "1113: in arrears"},
    "keys": [
        {
            "id": "3f1b0c62a9de",
            "hint": "...x7Qp",
            "state": "ok",
            "reason": None,
            "until": None,
        }
    ],
}
_SLOTS = {
    "accounts": [
        {
            "account": "main",
            "model": "cogvideox-3",
            "limit": 10,
            "effective_limit": 7,
            "in_flight": 1,
            "free": 6,
            "unknown": 0,
            "overdue": 0,
            "tasks": [
                {
                    "id": "task_0a7ac9e7b0f1215ba71ce462ea495f22",
                    "team": "films",
                    "status": "in_progress",
                    "since": "2026-03-01T08:00:00.000Z",
                }
            ],
        }
    ],
    "queue": {"classes": {"cogvideox-3@bigmodel+geekai": 31}, "teams": {"films": 31}},
}
_NEW = {
    "bigmodel": {
        "name": "main",
        "provider": "bigmodel",
        "tier": "V1",
        "api_keys": ["your-bigmodel-api-key"],
        "reason": "the account for the films",
    },
    "all fields": {
        "name": "second",
        "provider": "geekai",
        "limit": 8,
        "limits": {"cogvideox-3": 5},
        "models": ["cogvideox-3"],
        "weight": 0.5,
        "costs_fen": {"cogvideox-3": 90},
        "base_url": "https://geekai.co/api/v1",
        "api_keys": ["your-geekai-api-key"],
    },
}
_CHANGES = {
    "another tier": {"tier": "V2", "reason": "upgraded"},
    "a limit instead of the tier": {"limit": 12},
    "a new key for an old one": {
        "add_keys": ["the-new-api-key"],
        "remove_keys": ["3f1b0c62a9de"],
    },
    "back to the default": {"base_url": None, "weight": None},
}
_IMPORT = {
    "an account each": {
        "lines": "# bought in March\nfirst-api-key\nfilms second-api-key\n",
        "prefix": "march-",
        "provider": "bigmodel",
        "tier": "V0",
    },
    "into one account": {"lines": "first-api-key\nsecond-api-key\n", "into": "main"},
}
_IMPORTED = {
    "made": [{"account": "march-1", "keys": 1}, {"account": "films", "keys": 1}],
    "added": [],
    "skipped": [{"line": 4, "account": "main"}],
}
_TESTED = {
    "name": "main",
    "works": False,
    "keys": [
        {"id": "3f1b0c62a9de", "hint": "...x7Qp", "result": "works"},
        {"id": "9b0c3f1a62de", "hint": "...0aZt", "result": "refused: HTTP 401, 1002: ..."},
    ],
}
REASON = {"why": {"reason": "the vendor's console shows an alert"}}
QUERY_REASON = {
    "name": "reason",
    "in": "query",
    "description": "why, for the audit",
    "schema": {"type": "string", "maxLength": 500},
}


def _json(example: object) -> dict[str, Any]:
    return {"application/json": {"example": example}}


def _error(description: str, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    kinds = {"invalid_api_key": "authentication_error", "not_allowed": "permission_error"}
    kind = kinds.get(code, "invalid_request_error")
    told = {"code": code, "message": message, "type": kind, "param": param}
    return {"description": description, "content": _json({"error": told})}


_INVALID = _error(
    "Refused, with the field named; no value is quoted",
    *("invalid_field", "tier: there is no such tier, only V0, V1, V2, V3", "tier"),
)
_UNAUTHORISED = _error("Not an admin key", "invalid_api_key", "this is not an admin key")
_FORBIDDEN = _error(
    "A viewer's key, or a page of another site",
    *("not_allowed", "this key may look at everything here and change nothing"),
)
_CONFLICT = _error(
    "It does not fit what there is now; the message says what to do",
    *("conflict", "tasks hold 3 of its slots: drain it first (gateway accounts drain main)"),
)


def route(
    summary: str,
    answer: object,
    *,
    status: int = 200,
    bodies: dict[str, Any] | None = None,
    named: bool = True,
    conflicts: bool = True,
    description: str | None = None,
    parameters: list[dict[str, Any]] | None = None,
    what: str = "account",
) -> dict[str, Any]:
    """Keyword arguments for a route of FastAPI's; `what` it is about is what may not be there."""
    responses: dict[str, Any] = {
        str(status): {"description": "Done", "content": _json(answer)},
        "401": _UNAUTHORISED,
        "403": _FORBIDDEN,
    }
    extra: dict[str, Any] = {"tags": ["admin"], "responses": responses}
    if bodies is not None:
        responses["400"] = _INVALID
        examples = {name: {"value": body} for name, body in bodies.items()}
        schema = {"type": "object"}
        content = {"application/json": {"schema": schema, "examples": examples}}
        extra["requestBody"] = {"content": content}
    if named:
        missing = f"there is no such {what}"
        responses["404"] = _error(f"No such {what}", "not_found", missing)
    if conflicts:
        responses["409"] = _CONFLICT
    if parameters:
        extra["parameters"] = parameters
    return {
        "summary": summary,
        "description": description or "",
        "status_code": status,
        "openapi_extra": extra,
    }


LIST = route(
    "all accounts, and how each stands",
    {"accounts": [_ACCOUNT]},
    named=False,
    conflicts=False,
    description="`state` is active, resting, trying, paused, draining, drained, no_working_key or "
    "locked; `until` is null where nothing happens by itself; `way_back` says what to do. "
    "`effective_limit` is below `limit` while the vendor takes fewer.",
)
SHOW = route("one account", _ACCOUNT, conflicts=False)
SLOTS = route("who holds which slot, and who waits", _SLOTS, named=False, conflicts=False)
ADD = route("make an account", _ACCOUNT, status=201, bodies=_NEW, named=False)
IMPORT = route(
    "make accounts of many keys, or give one account more keys",
    _IMPORTED,
    status=201,
    bodies=_IMPORT,
    description="A line is `KEY` or `NAME KEY`; blank lines and those with `#` in front are "
    "skipped, and so are keys that are there already. One bad line, and nothing is made. 200 if no "
    "account was made.",
)
CHANGE = route(
    "change what is named, and nothing else",
    _ACCOUNT,
    bodies=_CHANGES,
    description="`tier` and `limit` take the place of one another; `api_keys` replaces all keys, "
    "`add_keys` and `remove_keys` (by id) change some; null takes a field back to its default.",
)
REMOVE = route(
    "take an account out that has no tasks any more",
    {"name": "main", "removed": True},
    parameters=[QUERY_REASON],
)
STATES = {
    "pause": route("give it no new tasks for a while", _ACCOUNT, bodies=REASON, conflicts=False),
    "drain": route(
        "give it no new tasks, to take it out", _ACCOUNT, bodies=REASON, conflicts=False
    ),
    "resume": route(
        "let it go on, and try at once whatever was left alone",
        _ACCOUNT,
        bodies=REASON,
        conflicts=False,
    ),
}
TEST = route("ask the vendor whether its keys work; costs nothing", _TESTED)
