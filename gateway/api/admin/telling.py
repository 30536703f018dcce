"""How the pool's state is told: times in ISO 8601 (UTC), of keys no more than id and hint."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gateway.domain.capacity import (
    AccountCapacity,
    Capacity,
    Held,
    KeyCapacity,
    LaneCapacity,
    LearnedDurations,
    Why,
)
from gateway.lifecycle.account_import import Imported
from gateway.lifecycle.key_test import KeyTested, Verdict

_NOTHING = Why("", None, None)


def time_told(at_ms: int | None) -> str | None:
    """A time of the store's clock as people and programs read it."""
    if at_ms is None:
        return None
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z")


def account_told(account: AccountCapacity) -> dict[str, Any]:
    why = account.why or _NOTHING
    return {
        "name": account.name,
        "provider": account.provider,
        "base_url": account.base_url,
        "source": account.source,
        "shadowed": account.shadowed,
        "tier": account.tier,
        "limit": account.limit,
        "limits": dict(account.limits),
        "weight": account.weight,
        "costs_fen": dict(account.costs_fen),
        "models": [_lane(lane) for lane in account.lanes],
        "state": account.condition,
        "reason": why.reason or None,
        "since": time_told(why.since_ms),
        "until": time_told(why.until_ms),
        "way_back": account.way_back,
        "last_error": _last_error(account),
        "keys": [_key(key) for key in account.keys],
    }


def slots_told(capacity: Capacity) -> dict[str, Any]:
    """Who holds which slots, and who waits."""
    return {
        "accounts": [
            {
                "account": lane.account,
                "model": lane.model,
                "limit": lane.limit,
                "effective_limit": lane.effective_limit,
                "in_flight": lane.in_flight,
                "free": lane.free,
                "unknown": lane.unknown,
                "overdue": lane.overdue,
                "tasks": [_task(task) for task in lane.tasks],
            }
            for lane in capacity.lanes
        ],
        "queue": {"classes": capacity.waiting_by(0), "teams": capacity.waiting_by(1)},
    }


def imported_told(imported: Imported) -> dict[str, Any]:
    return {
        "made": _counts(imported.made),
        "added": _counts(imported.added),
        "skipped": [{"line": s.line, "account": s.account} for s in imported.skipped],
    }


def test_told(name: str, tested: list[KeyTested]) -> dict[str, Any]:
    return {
        "name": name,
        "works": all(each.verdict is Verdict.WORKS for each in tested),
        "keys": [
            {"id": each.key.id, "hint": each.key.hint, "result": result_told(each)}
            for each in tested
        ],
    }


def result_told(tested: KeyTested) -> str:
    """`works`, `refused: ...` or `cannot tell: ...`, the latter two in the vendor's own words."""
    if tested.verdict is Verdict.WORKS or not tested.reason:
        return str(tested.verdict)
    return f"{tested.verdict}: {tested.reason}"


def _lane(lane: LaneCapacity) -> dict[str, Any]:
    why = lane.why or _NOTHING
    return {
        "model": lane.model,
        "limit": lane.limit,
        "effective_limit": lane.effective_limit,
        "in_flight": lane.in_flight,
        "unknown": lane.unknown,
        "overdue": lane.overdue,
        "queued": lane.queued,
        "reason": why.reason or None,
        "until": time_told(why.until_ms),
        "durations": _durations(lane.durations),
    }


def _durations(durations: LearnedDurations | None) -> dict[str, Any] | None:
    if durations is None:
        return None
    return {
        "ends": durations.ends,
        "shortest_seconds": round(durations.shortest_seconds, 1),
        "typical_seconds": round(durations.typical_seconds, 1),
        "longest_seconds": round(durations.longest_seconds, 1),
    }


def _key(key: KeyCapacity) -> dict[str, Any]:
    why = key.why or _NOTHING
    return {
        "id": key.id,
        "hint": key.hint,
        "state": key.condition,
        "reason": why.reason or None,
        "until": time_told(why.until_ms),
    }


def _task(task: Held) -> dict[str, Any]:
    since = time_told(task.since_ms)
    return {"id": task.id, "team": task.team, "status": task.status, "since": since}


def _last_error(account: AccountCapacity) -> dict[str, Any] | None:
    if account.last_error is None:
        return None
    at_ms, reason = account.last_error
    return {"at": time_told(at_ms), "reason": reason}


def _counts(counts: dict[str, int]) -> list[dict[str, Any]]:
    return [{"account": name, "keys": keys} for name, keys in counts.items()]
