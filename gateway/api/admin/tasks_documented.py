"""What the admin plane's reference says of tasks, the overview, events and the playground."""

from __future__ import annotations

from gateway.api.admin.documented import REASON, route
from gateway.api.usage_params import described
from gateway.domain.task_query import WORDS

_TASK = {
    "id": "task_0a7ac9e7b0f1215ba71ce462ea495f22",
    "team": "films",
    "key_id": "key_9f86d081884c7d65",
    "model": "cogvideox-3",
    "status": "completed",
    "outcome": "charged",
    "account": "main",
    "provider": "bigmodel",
    "provider_task_id": "8868902201637896192",
    "created_at": "2026-03-01T08:00:00.000Z",
    "submitted_at": "2026-03-01T08:00:01.000Z",
    "ended_at": "2026-03-01T08:01:30.000Z",
    "price_fen": 100,
    "size": "1920x1080",
    "quality": "speed",
    "duration": 5,
    "prompt": "A cat is playing with a ball.",
    "error": None,
    "looks": 5,
    "cancel_asked_at": None,
    "overdue": False,
}
_STEPS = [
    {"at": "2026-03-01T08:00:00.000Z", "step": step, "process": "gw-1/17", "note": note}
    for step, note in (
        ("queued", ""),
        ("claimed", "main"),
        ("sending", "3f1b0c62a9de"),
        ("in_progress", "8868902201637896192"),
        ("completed", ""),
    )
]
_WHOLE = _TASK | {
    "request": {"model": "cogvideox-3", "prompt": "A cat is playing with a ball."},
    "served_model": "cogvideox-3",
    "last_reason": None,
    "claim_number": 1,
    "request_id": "task_0a7ac9e7b0f1215ba71ce462ea495f22-1",
    "videos": 1,
    "covers": 1,
    "position": None,
    "steps": _STEPS,
}
_LANE = {
    "account": "main",
    "model": "cogvideox-3",
    "limit": 5,
    "effective_limit": 5,
    "slots": [["task_0a7ac9e7b0f1215ba71ce462ea495f22", "in_progress", 1772352001000, "films"]],
}
_SUMS = {
    "tasks": 12,
    "completed": 10,
    "failed": 1,
    "cancelled": 0,
    "unknown": 1,
    "charged_fen": 1000,
    "cost_fen": 1000,
}
_OVERVIEW = {
    "at": "2026-03-01T08:00:02.000Z",
    "accounts": [
        {
            "name": "main",
            "provider": "bigmodel",
            "state": "active",
            "reason": None,
            "until": None,
            "way_back": None,
        }
    ],
    "lanes": [_LANE],
    "queue": [
        {
            "team": "films",
            "tasks": 7,
            "since": "2026-03-01T07:58:00.000Z",
            "expected_wait_seconds": 140,
        }
    ],
    "made": {
        "from": "2026-02-28T16:00:00.000Z",
        "reserved_fen": 800,
        "today": [{"team": "films", **_SUMS}],
        "hours": [{"from": "2026-03-01T07:00:00.000Z", **_SUMS}],
    },
}


class _Listed:
    """What the list takes in its address."""

    parameters = (
        *("team", "status", "account", "model", "key", "q", "from", "to", "limit", "cursor"),
    )
    route = route(
        "tasks of all teams, newest first",
        {"tasks": [_TASK], "cursor": "4711", "searched": 50},
        named=False,
        conflicts=False,
        what="task",
        description=f"`status` may name several with commas between: {', '.join(WORDS)}. At most "
        "5,000 are looked at for one question; `cursor` is null once nothing is left to look at.",
        parameters=described(parameters),
    )


LIST = _Listed
SHOW = route("one task: its request, its life step by step", _WHOLE, conflicts=False, what="task")
CONTENT = route(
    "the video of a task, or its cover with ?variant=thumbnail",
    "the file",
    what="task",
)
CANCEL = route(
    "want a task no more, in its team's place",
    _WHOLE | {"status": "cancelled"},
    bodies=REASON,
    what="task",
    description="What was not sent is over at once and free. What a vendor has keeps its slot "
    "until it ends there, and is billed if it was made.",
)
RELEASE = route(
    "free the slot of a task of unknown fate, by hand",
    _WHOLE | {"status": "failed"},
    bodies=REASON,
    what="task",
    description="Only where the vendor surely does not work on it: the slot is used again at once.",
)
OVERVIEW = route(
    "the whole at one moment: slots, queue, what was made and spent",
    _OVERVIEW,
    named=False,
    conflicts=False,
)
EVENTS = route(
    "the same, live",
    "event: overview",
    named=False,
    conflicts=False,
    description="Server-sent events: `overview` with all of it, then, at most once a second, what "
    "changed: `lane` (one of `lanes`), `gone` (a lane that is there no more), `accounts`, `queue`, "
    "`made`; `config` when accounts or tenants were changed, `store` when it is away or back.",
)
CHOICES = route(
    "what can be made, and in whose place",
    {
        "teams": ["films"],
        "models": [
            {
                "id": "cogvideox-3",
                "price_fen": 100,
                "capabilities": {"sizes": ["1920x1080"], "qualities": ["speed", "quality"]},
            }
        ],
    },
    named=False,
    conflicts=False,
)
PLAYGROUND = route(
    "make a video as a team",
    {"id": _TASK["id"], "task_id": _TASK["id"], "task_status": "PROCESSING"},
    bodies={
        "text": {"team": "films", "model": "cogvideox-3", "prompt": "A cat is playing with a ball."}
    },
    named=False,
    conflicts=False,
    description="Takes what POST /v1/videos/generations takes, and the team: by its rules, and on "
    "its bill.",
)
