"""How teams, keys, prices, operators and the audit are told: money in whole fen, times in ISO 8601
(UTC), of secrets no more than their last characters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.api.admin.telling import time_told
from gateway.domain.account import Source
from gateway.domain.charge import Budget, Spending
from gateway.domain.operators import AuditEntry, Operator
from gateway.domain.prices import Price
from gateway.domain.team import Permit, Team, TeamKey


def team_told(team: Team, spending: Sequence[Spending], now_ms: float) -> dict[str, Any]:
    return {
        "name": team.name,
        "source": team.source,
        "state": team.permit.standing(now_ms),
        "tier": team.tier,
        "limit": team.cap if team.tier is None else None,
        "cap": team.cap,
        "weight": team.weight,
        "queue_tasks": team.queue_tasks,
        "overflow": _overflow(team.rejects_overflow),
        **_permit(team.permit),
        "spending": _spending(team.permit.budget, spending),
    }


def key_told(
    key: TeamKey, team: Team, record: str | None, spending: Sequence[Spending], now_ms: float
) -> dict[str, Any]:
    """`record` is what is kept of it; None of the settings'."""
    rejects = key.rejects_overflow
    return {
        "id": key.id,
        "team": key.team,
        "name": key.name,
        "hint": key.hint,
        "source": key.source,
        "state": key.permit.standing(now_ms),
        "team_state": team.permit.standing(now_ms),
        "created_at": time_told(key.created_ms),
        "older": _older(record, now_ms),
        "overflow": None if rejects is None else _overflow(rejects),
        **_permit(key.permit),
        "spending": _spending(key.permit.budget, spending),
    }


def price_told(price_id: str | None, price: Price, created_ms: int | None) -> dict[str, Any]:
    return {
        "id": price_id,
        "source": Source.SETTINGS if price_id is None else Source.STORE,
        "model": price.model,
        "price_fen": price.price_fen,
        "team": price.team,
        "size": price.size,
        "quality": price.quality,
        "duration": price.duration_seconds,
        "starts_at": _moment(price.starts),
        "created_at": time_told(created_ms),
    }


def operator_told(operator: Operator) -> dict[str, Any]:
    return {
        "id": operator.id,
        "name": operator.name,
        "role": operator.role,
        "team": operator.team,
        "hint": operator.hint,
        "created_at": time_told(operator.created_ms),
        "expires_at": time_told(operator.expires_ms),
    }


def audit_told(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": time_told(entry.at_ms),
        "who": entry.who,
        "action": entry.action,
        "on": entry.on,
        "before": _record(entry.before),
        "after": _record(entry.after),
        "reason": entry.reason,
    }


def _permit(permit: Permit) -> dict[str, Any]:
    return {
        "budget_day_fen": permit.budget.day_fen,
        "budget_month_fen": permit.budget.month_fen,
        "budget_total_fen": permit.budget.total_fen,
        "submits_per_minute": permit.submits_per_minute,
        "models": list(permit.models),
        "sizes": list(permit.sizes),
        "qualities": list(permit.qualities),
        "expires_at": time_told(permit.expires_ms),
        "blocked": permit.blocked,
        "metadata": dict(permit.metadata),
    }


def _spending(budget: Budget, spending: Sequence[Spending]) -> dict[str, Any]:
    """Of this day, of this month and in all; `alert` from four fifths of a budget on."""
    caps = {"day": budget.day_fen, "month": budget.month_fen, "total": budget.total_fen}
    return {
        name: {
            "period": each.period,
            "reserved_fen": each.reserved_fen,
            "spent_fen": each.spent_fen,
            "budget_fen": cap,
            "left_fen": None if cap is None else max(0, cap - each.taken_fen),
            "alert": cap is not None and each.runs_out(cap),
        }
        for (name, cap), each in zip(caps.items(), spending, strict=True)
    }


def _older(record: str | None, now_ms: float) -> list[dict[str, Any]]:
    """Secrets that were rotated out and still open."""
    kept: list[Mapping[str, Any]] = json.loads(record)["secrets"][1:] if record else []
    return [
        {"hint": each["hint"], "until": time_told(each["until_ms"])}
        for each in kept
        if each["until_ms"] > now_ms
    ]


def _overflow(rejects: bool) -> str:
    return "reject" if rejects else "queue"


def _moment(when: datetime | None) -> str | None:
    return None if when is None else time_told(round(when.timestamp() * 1000))


def _record(text: str) -> Any:
    """What was kept of it, as an object where it is one; else in a word."""
    return json.loads(text) if text.startswith("{") else text or None
