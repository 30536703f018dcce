"""What the admin plane's reference says of teams, keys, prices, operators, sessions, the audit."""

from __future__ import annotations

from typing import Any

from gateway.api.admin.documented import QUERY_REASON, REASON, route

_PERIOD = {
    "period": "2026-03",
    "reserved_fen": 300,
    "spent_fen": 82000,
    "budget_fen": 100000,
    "left_fen": 17700,
    "alert": True,
}
_OPEN = {"budget_fen": None, "left_fen": None, "alert": False}
_PERMIT = {
    "budget_day_fen": None,
    "budget_month_fen": 100000,
    "budget_total_fen": None,
    "submits_per_minute": 60,
    "models": ["cogvideox-3"],
    "sizes": [],
    "qualities": [],
    "expires_at": None,
    "blocked": False,
    "metadata": {"cost_centre": "4711"},
}
_SPENDING = {
    "day": {**_PERIOD, "period": "2026-03-14", "spent_fen": 1200, **_OPEN},
    "month": _PERIOD,
    "total": {**_PERIOD, "period": "all", "spent_fen": 412000, **_OPEN},
}
_TEAM = {
    "name": "films",
    "source": "store",
    "state": "active",
    "tier": "V1",
    "limit": None,
    "cap": 10,
    "weight": 1.0,
    "queue_tasks": None,
    "overflow": "queue",
    **_PERMIT,
    "spending": _SPENDING,
}
_KEY = {
    "id": "key_9f86d081884c7d65",
    "team": "films",
    "name": "render farm",
    "hint": "...x7Qp",
    "source": "store",
    "state": "active",
    "team_state": "active",
    "created_at": "2026-03-01T08:00:00.000Z",
    "older": [{"hint": "...0aZt", "until": "2026-03-15T08:00:00.000Z"}],
    "overflow": None,
    **_PERMIT,
    "spending": _SPENDING,
}
_NEW_SECRET = {"key": "sk-gw-..."}
_PRICE = {
    "id": "price_60303ae22b998861",
    "source": "store",
    "model": "cogvideox-3",
    "price_fen": 80,
    "team": "films",
    "size": None,
    "quality": "speed",
    "duration": 5,
    "starts_at": "2026-03-31T16:00:00.000Z",
    "created_at": "2026-03-01T08:00:00.000Z",
}
_OPERATOR = {
    "id": "operator_60303ae22b998861",
    "name": "li.wei",
    "role": "viewer",
    "team": "films",
    "hint": "...x7Qp",
    "created_at": "2026-03-01T08:00:00.000Z",
    "expires_at": None,
}
_ENTRY = {
    "at": "2026-03-01T08:00:00.000Z",
    "who": "li.wei (operator_60303ae22b998861) (request 3f1b0c62a9de)",
    "action": "teams.set",
    "on": "films",
    "before": {"name": "films", "tier": "V0"},
    "after": {"name": "films", "tier": "V1"},
    "reason": "more work in March",
}
_SIGNED_IN = {"id": "admin key", "name": "admin key", "role": "admin", "team": None}
_NEW_TEAMS = {
    "the least": {"name": "films"},
    "all fields": {
        "name": "adverts",
        "tier": "V1",
        "weight": 2,
        "queue_tasks": 100,
        "overflow": "reject",
        "budget_day_fen": 10000,
        "budget_month_fen": 100000,
        "budget_total_fen": 1000000,
        "submits_per_minute": 60,
        "models": ["cogvideox-3"],
        "sizes": ["1920x1080"],
        "qualities": ["speed"],
        "expires_at": "2030-01-01T00:00:00+08:00",
        "metadata": {"cost_centre": "4711"},
        "reason": "a campaign",
    },
}
_NEW_KEYS = {
    "the least": {"team": "films"},
    "all fields": {
        "team": "films",
        "name": "render farm",
        "overflow": "queue",
        "budget_day_fen": 5000,
        "submits_per_minute": 30,
        "sizes": ["1920x1080"],
        "expires_at": "2030-01-01T00:00:00+08:00",
        "metadata": {"host": "render-7"},
    },
}
_NEW_PRICES = {
    "for all teams": {"model": "cogvideox-3", "price_fen": 120, "duration": 10},
    "for one, from April on": {
        "model": "cogvideox-3",
        "price_fen": 80,
        "team": "films",
        "quality": "speed",
        "starts_at": "2026-04-01T00:00:00+08:00",
    },
}
_NEW_OPERATORS = {
    "another admin": {"name": "li.wei", "role": "admin"},
    "a viewer for a year": {
        "name": "auditor",
        "role": "viewer",
        "expires_at": "2030-01-01T00:00:00+08:00",
    },
    "a team's own viewer": {"name": "films-lead", "role": "viewer", "team": "films"},
}
_TEAM_QUERY = {"name": "team", "in": "query", "schema": {"type": "string"}}
_LAST = {
    "name": "last",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50},
}
_NULL = "null takes a field back to its default."
_ONCE = "`key` is told in this answer and never again: only its digest is kept."


def _look(summary: str, answer: object, what: str = "", **more: Any) -> dict[str, Any]:
    return route(summary, answer, named=bool(what), conflicts=bool(what), what=what, **more)


def _removal(summary: str, answer: object, what: str) -> dict[str, Any]:
    return route(summary, answer, what=what, parameters=[QUERY_REASON])


def _state(summary: str, answer: object, what: str) -> dict[str, Any]:
    return route(summary, answer, what=what, bodies=REASON)


LIST_TEAMS = _look(
    "all teams, what each may do, and what it has reserved and spent",
    {"teams": [_TEAM], "unfit": []},
    description="`cap` is how many tasks of the team may be in flight. `spending` is of the "
    "current day and month of the gateway's time zone, and in all; `alert` from 80 % of a budget "
    "on. `unfit` are kept and not in use, with the reason.",
)
SHOW_TEAM = _look("one team", _TEAM, "team")
ADD_TEAM = route(
    "make a team",
    _TEAM,
    status=201,
    bodies=_NEW_TEAMS,
    named=False,
    description="Budgets are in whole fen (1/100 yuan). What is not said does not limit it.",
)
CHANGE_TEAM = route(
    "change what is named, and nothing else",
    _TEAM,
    bodies={
        "another tier": {"tier": "V2", "reason": "more work in March"},
        "a limit of its own": {"limit": 12},
        "no budget a month": {"budget_month_fen": None},
    },
    what="team",
    description=f"`tier` takes the place of a `limit`; {_NULL}",
)
REMOVE_TEAM = _removal(
    "take a team out that has no tasks, and its keys and viewers with it",
    {"name": "films", "removed": True, "keys": 2},
    "team",
)
TEAM_STATES = {
    "block": _state("let nobody of the team in; its tasks go on", _TEAM, "team"),
    "unblock": _state("let them in again", _TEAM, "team"),
}
LIST_KEYS = _look(
    "all keys, or a team's",
    {"keys": [_KEY], "unfit": []},
    parameters=[_TEAM_QUERY],
    description="`older` are secrets that were rotated out and still open. `unfit` are kept and "
    "not in use, with the reason.",
)
SHOW_KEY = _look("one key", _KEY, "key")
CREATE_KEY = route(
    "make a key of a team",
    {"id": _KEY["id"], **_NEW_SECRET, **_KEY},
    status=201,
    bodies=_NEW_KEYS,
    named=False,
    description=f"{_ONCE} Whatever the team may not, its key may not either.",
)
CHANGE_KEY = route(
    "change what is named, and nothing else",
    _KEY,
    bodies={"a budget a day": {"budget_day_fen": 8000}, "no end": {"expires_at": None}},
    what="key",
    description=_NULL.capitalize(),
)
ROTATE_KEY = route(
    "give it a new secret; the old one still opens for a while",
    {"id": _KEY["id"], **_NEW_SECRET, **_KEY},
    bodies={"a day's overlap": {}, "at once": {"overlap_seconds": 0, "reason": "it leaked"}},
    what="key",
    description=f"{_ONCE} `overlap_seconds`: 0 to 2592000 (30 days), 86400 unless said otherwise.",
)
REVOKE_KEY = _removal("take it out for good", {"id": _KEY["id"], "revoked": True}, "key")
KEY_STATES = {
    "block": _state("let nobody in who shows it", _KEY, "key"),
    "unblock": _state("let them in again", _KEY, "key"),
}
LIST_PRICES = _look(
    "the price book: the settings' lines, then the others in the order of their making",
    {"prices": [_PRICE], "unfit": []},
    description="Of all lines about a request, one for its team goes before all others, then the "
    "one that says most about the video, then the one that starts last. Without any, the "
    "model's own price holds.",
)
ADD_PRICE = route(
    "add a line; to change a price, add one with `starts_at`",
    _PRICE,
    status=201,
    bodies=_NEW_PRICES,
    named=False,
    conflicts=False,
)
REMOVE_PRICE = _removal(
    "take a line out; what was admitted keeps its price",
    {"id": _PRICE["id"], "removed": True},
    "price",
)
LIST_OPERATORS = _look(
    "who may use the admin plane, beside whoever has the admin key of the settings",
    {"operators": [_OPERATOR]},
)
ADD_OPERATOR = route(
    "let somebody use the admin plane",
    {**_NEW_SECRET, **_OPERATOR},
    status=201,
    bodies=_NEW_OPERATORS,
    named=False,
    description=f"{_ONCE} An admin may do everything, a viewer look at everything; a viewer with a "
    "`team` sees that team and its keys, and nothing else.",
)
REMOVE_OPERATOR = _removal(
    "take somebody out: key and browser sessions end",
    {"id": _OPERATOR["id"], "removed": True},
    "operator",
)
AUDIT = _look(
    "what operators did and why, the newest last", {"entries": [_ENTRY]}, parameters=[_LAST]
)
SIGN_IN = route(
    "sign a browser in, for twelve hours",
    _SIGNED_IN,
    bodies={"with an admin key": {"key": "sk-admin-..."}},
    named=False,
    conflicts=False,
    description="Sets the cookie `gateway_session`. With it, changes are taken from pages of the "
    "gateway itself only (`Sec-Fetch-Site` or `Origin`).",
)
SESSION = _look("who is signed in", _SIGNED_IN)
SIGN_OUT = _look("sign the browser out", {"signed_out": True})
