"""What the vendor does wrong: a fifth of the submits and a twentieth of the looks.

The simulator takes the first rule that fits and whose dice fall, so a rule deep in the list is
asked only when all before it were not: its own probability must be larger than its share of all
requests. `rules` turns shares into probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SUBMIT_TIMEOUT_SECONDS = 2.0
"""After this the gateway counts an answer to a submit as lost."""

LATEST_ACCEPTANCE_SECONDS = 3.0
"""No submit becomes a task later than this after it was sent."""

_BEYOND = LATEST_ACCEPTANCE_SECONDS  # beyond the time-out, so the gateway is gone by then
_WITHIN = 0.5

# Share of all submits, and the rule. Together a fifth.
_SUBMIT: list[tuple[float, dict[str, Any]]] = [
    # Surely not accepted: the task waits, and somebody rests.
    (0.020, {"kind": "error", "code": "1302"}),
    (0.005, {"kind": "error", "code": "1303", "envelope": "flat"}),
    (0.005, {"kind": "error", "status": 429, "envelope": "html"}),
    (0.010, {"kind": "error", "code": "1305"}),
    (0.003, {"kind": "error", "code": "1113"}),
    (0.002, {"kind": "error", "code": "1002"}),
    (0.002, {"kind": "redirect"}),
    # Refused for good: a legitimate end.
    (0.010, {"kind": "error", "code": "1301"}),
    # Nobody knows, and nothing was accepted.
    (0.010, {"kind": "error", "code": "500"}),
    (0.003, {"kind": "error", "status": 502, "envelope": "html"}),
    (0.010, {"kind": "cut"}),
    (0.005, {"kind": "hang", "seconds": _BEYOND}),
    (0.005, {"kind": "delay", "seconds": _BEYOND}),
    (0.005, {"kind": "garbage"}),
    (0.005, {"kind": "truncated"}),
    (0.003, {"kind": "huge", "megabytes": 2}),
    # Nobody knows, and it was accepted.
    (0.015, {"kind": "accept_then_error", "code": "500"}),
    (0.003, {"kind": "accept_then_error", "code": "1234"}),
    (0.015, {"kind": "accept_then_cut"}),
    (0.010, {"kind": "accept_then_hang", "seconds": _BEYOND}),
    (0.005, {"kind": "garbage", "accepted": True}),
    (0.005, {"kind": "truncated", "accepted": True}),
    (0.002, {"kind": "huge", "accepted": True, "megabytes": 2}),
    (0.010, {"kind": "late_accept", "seconds": _BEYOND}),
    (0.003, {"kind": "drip", "seconds": _BEYOND}),
    # Accepted, and told in time, if slowly.
    (0.004, {"kind": "late_accept", "seconds": _WITHIN}),
    (0.005, {"kind": "drip", "seconds": _WITHIN}),
    (0.005, {"kind": "delay", "seconds": _WITHIN}),
    # Accepted, and it comes to nothing: the four ways in which a vendor tells.
    (0.004, {"kind": "task_fails", "shape": "status_only"}),
    (0.004, {"kind": "task_fails", "shape": "error_object"}),
    (0.004, {"kind": "task_fails", "shape": "error_text"}),
    (0.003, {"kind": "task_fails", "shape": "message"}),
]

# Of all looks. Whatever happens to a look, the task is as it was.
_LOOK: list[tuple[float, dict[str, Any]]] = [
    (0.010, {"kind": "error", "code": "500"}),
    (0.005, {"kind": "error", "status": 503, "envelope": "html"}),
    (0.005, {"kind": "error", "code": "1305"}),
    (0.010, {"kind": "cut"}),
    (0.005, {"kind": "garbage"}),
    (0.005, {"kind": "truncated"}),
    (0.005, {"kind": "unknown_status"}),
    (0.005, {"kind": "drip", "seconds": _WITHIN}),
]


def rules() -> list[dict[str, Any]]:
    """All rules for the simulator, with the probabilities that give the shares above."""
    return [*_rules("submit", _SUBMIT), *_rules("look", _LOOK)]


def _rules(on: str, shares: list[tuple[float, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    passed_on = 1.0
    for share, rule in shares:
        yield {"on": on, **rule, "probability": share / passed_on}
        passed_on -= share
