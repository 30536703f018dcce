"""How the whole is told: in sections, each of which is sent anew when it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gateway.api.admin.telling import time_told
from gateway.domain.capacity import AccountCapacity, LaneCapacity
from gateway.lifecycle.overview import Made, Overview, TeamQueue

LaneName = tuple[str, str]


def overview_told(overview: Overview) -> dict[str, Any]:
    return {
        "at": time_told(overview.at_ms),
        "lanes": list(lanes_told(overview).values()),
        **sections_told(overview),
    }


def lanes_told(overview: Overview) -> Mapping[LaneName, dict[str, Any]]:
    return {(lane.account, lane.model): _lane(lane) for lane in overview.capacity.lanes}


def sections_told(overview: Overview) -> dict[str, Any]:
    """All but the lanes and the time."""
    return {
        "accounts": [_account(account) for account in overview.capacity.accounts],
        "queue": [_queue(each) for each in overview.queue],
        "made": _made(overview.made),
    }


def _lane(lane: LaneCapacity) -> dict[str, Any]:
    """A slot is {id, status, since when (Unix ms), team} as a list: there may be thousands."""
    return {
        "account": lane.account,
        "model": lane.model,
        "limit": lane.limit,
        "effective_limit": lane.effective_limit,
        "slots": [[task.id, task.status, task.since_ms, task.team] for task in lane.tasks],
    }


def _account(account: AccountCapacity) -> dict[str, Any]:
    why = account.why
    return {
        "name": account.name,
        "provider": account.provider,
        "state": account.condition,
        "reason": why.reason if why else None,
        "until": time_told(why.until_ms) if why else None,
        "way_back": account.way_back,
    }


def _queue(queue: TeamQueue) -> dict[str, Any]:
    return {
        "team": queue.team,
        "tasks": queue.tasks,
        "since": time_told(queue.since_ms),
        "expected_wait_seconds": queue.expected_wait_seconds,
    }


def _made(made: Made) -> dict[str, Any]:
    return {
        "from": time_told(made.from_ms),
        "reserved_fen": made.reserved_fen,
        "today": [{"team": team, **asdict(sums)} for team, sums in made.today.items()],
        "hours": [{"from": time_told(start), **asdict(sums)} for start, sums in made.hours],
    }
