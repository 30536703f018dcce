"""Writes the two Grafana boards: `python deploy/grafana/make_boards.py`. A board is a list of panels
here, and a thousand lines of JSON there; a test holds the two together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "boards"
SOURCE = {"type": "prometheus", "uid": "prometheus"}
Panel = dict[str, Any]


def panel(
    title: str,
    *queries: tuple[str, str],
    kind: str = "timeseries",
    unit: str = "short",
    width: int = 8,
    height: int = 8,
    stacked: bool = False,
    description: str = "",
) -> Panel:
    """`queries` are pairs of an expression and how its series are called."""
    custom = {"fillOpacity": 20, "stacking": {"mode": "normal" if stacked else "none"}}
    defaults: Panel = {"unit": unit, "min": 0}
    if kind == "timeseries":
        defaults["custom"] = custom
    options: Panel = {}
    if kind == "stat":
        reduced = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        options = {"reduceOptions": reduced, "colorMode": "value", "graphMode": "area"}
    elif kind == "timeseries":
        options = {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {
                "refId": chr(ord("A") + i),
                "datasource": SOURCE,
                "expr": expression,
                "legendFormat": called,
                "instant": kind == "table",
                "range": kind != "table",
                **({"format": "table"} if kind == "table" else {}),
            }
            for i, (expression, called) in enumerate(queries)
        ],
        "gridPos": {"w": width, "h": height},
    }


def variable(name: str, label: str, metric: str) -> dict[str, Any]:
    """All values of a label, of which some may be chosen."""
    query = f"label_values({metric}, {name})"
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
        "options": [],
    }


def board(uid: str, title: str, panels: list[Panel], variables: list[dict[str, Any]]) -> Panel:
    x = y = 0
    for number, each in enumerate(panels, 1):
        place = each["gridPos"]
        if x + place["w"] > 24:
            x, y = 0, y + place["h"]
        each["id"] = number
        each["gridPos"] = {"x": x, "y": y, **place}
        x += place["w"]
    return {
        "uid": uid,
        "title": title,
        "tags": ["cogvideo-gateway"],
        "timezone": "browser",
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timepicker": {},
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": variables},
        "panels": panels,
    }


def quantile(q: float, metric: str, by: str, where: str = "") -> str:
    rate = f"rate({metric}_bucket{{{where}}}[$__rate_interval])"
    return f"histogram_quantile({q}, sum by (le, {by}) ({rate}))"


ACCOUNTS = 'account=~"$account"'
TEAMS = 'team=~"$team"'
LANE = "max by (account, model)"

OPERATIONS = board(
    "cogvideo-operations",
    "Gateway: operations",
    [
        panel(
            "Slots in use",
            (f"sum({LANE} (gateway_slots_in_use))", ""),
            kind="stat",
            width=4,
            height=4,
        ),
        panel(
            "Slots free",
            (f"sum({LANE} (gateway_slots_effective_limit) - {LANE} (gateway_slots_in_use))", ""),
            kind="stat",
            width=4,
            height=4,
        ),
        panel(
            "Waiting",
            ("sum(max by (team, class) (gateway_queue_tasks)) or vector(0)", ""),
            kind="stat",
            width=4,
            height=4,
        ),
        panel(
            "Unknown outcomes",
            (f"sum({LANE} (gateway_slots_unknown))", ""),
            kind="stat",
            width=4,
            height=4,
        ),
        panel(
            "Slot drift",
            ("max(gateway_slot_drift)", ""),
            kind="stat",
            width=4,
            height=4,
            description="Must be 0.",
        ),
        panel("Store", ("min(gateway_store_up)", ""), kind="stat", width=4, height=4),
        panel(
            "Slots by account",
            (f"{LANE} (gateway_slots_in_use{{{ACCOUNTS}}})", "{{account}} {{model}}"),
            (f"sum({LANE} (gateway_slots_effective_limit{{{ACCOUNTS}}}))", "limit of all"),
        ),
        panel(
            "Accounts that are not active",
            (
                'max by (account, state) (gateway_account_state{state!="active"})',
                "{{account}} {{state}}",
            ),
        ),
        panel(
            "Left alone for",
            ("max by (name) (gateway_rest_seconds) or vector(0)", "{{name}}"),
            unit="s",
        ),
        panel(
            "Queue by team",
            ("sum by (team) (max by (team, class) (gateway_queue_tasks)) or vector(0)", "{{team}}"),
            stacked=True,
        ),
        panel(
            "Oldest that waits",
            ("max by (team) (gateway_queue_oldest_seconds) or vector(0)", "{{team}}"),
            unit="s",
        ),
        panel(
            "Wait for a slot",
            (quantile(0.5, "gateway_queue_wait_seconds", "team"), "{{team}} p50"),
            (quantile(0.95, "gateway_queue_wait_seconds", "team"), "{{team}} p95"),
            unit="s",
        ),
        panel(
            "Submits by outcome",
            ("sum by (outcome) (rate(gateway_submits_total[$__rate_interval]))", "{{outcome}}"),
            unit="reqps",
            stacked=True,
        ),
        panel(
            "Vendors' answers to submits",
            (
                f"sum by (account, answer) (rate(gateway_submissions_total{{{ACCOUNTS}}}[$__rate_interval]))",
                "{{account}} {{answer}}",
            ),
            unit="reqps",
        ),
        panel(
            "Ends",
            (
                "sum by (status, outcome) (rate(gateway_settlements_total[$__rate_interval]))",
                "{{status}} {{outcome}}",
            ),
            unit="reqps",
            stacked=True,
        ),
        panel(
            "How long tasks take",
            (quantile(0.5, "gateway_task_duration_seconds", "provider"), "{{provider}} p50"),
            (quantile(0.95, "gateway_task_duration_seconds", "provider"), "{{provider}} p95"),
            unit="s",
        ),
        panel(
            "An end is known after, at most",
            (quantile(0.5, "gateway_end_to_known_seconds", "provider"), "{{provider}} p50"),
            (quantile(0.95, "gateway_end_to_known_seconds", "provider"), "{{provider}} p95"),
            unit="s",
        ),
        panel(
            "Looks a task",
            (
                "sum by (provider) (rate(gateway_looks_per_task_sum[$__rate_interval])) / sum by (provider) (rate(gateway_looks_per_task_count[$__rate_interval]))",
                "{{provider}}",
            ),
        ),
        panel(
            "Looks by answer",
            ("sum by (answer) (rate(gateway_looks_total[$__rate_interval]))", "{{answer}}"),
            unit="reqps",
            stacked=True,
        ),
        panel(
            "Overdue tasks",
            (f"{LANE} (gateway_tasks_overdue{{{ACCOUNTS}}})", "{{account}} {{model}}"),
        ),
        panel(
            "Requests by code",
            ("sum by (code) (rate(gateway_http_requests_total[$__rate_interval]))", "{{code}}"),
            unit="reqps",
            stacked=True,
        ),
        panel(
            "Time to answer, by route",
            (quantile(0.95, "gateway_http_request_duration_seconds", "route"), "{{route}} p95"),
            unit="s",
        ),
        panel(
            "Store: time to answer",
            (
                quantile(
                    0.5,
                    "gateway_store_request_duration_seconds",
                    "operation",
                    'operation=~"admit|settle|claim_waiting|take_due"',
                ),
                "{{operation}} p50",
            ),
            (
                quantile(
                    0.99,
                    "gateway_store_request_duration_seconds",
                    "operation",
                    'operation=~"admit|settle|claim_waiting|take_due"',
                ),
                "{{operation}} p99",
            ),
            unit="s",
        ),
        panel(
            "Event loop: late by",
            (
                "histogram_quantile(0.99, sum by (le, instance) (rate(gateway_event_loop_lag_seconds_bucket[$__rate_interval])))",
                "{{instance}} p99",
            ),
            unit="s",
        ),
        panel(
            "Background steps",
            (
                "sum by (loop, result) (rate(gateway_background_steps_total[$__rate_interval]))",
                "{{loop}} {{result}}",
            ),
            unit="reqps",
        ),
        panel(
            "Store errors",
            ("sum(rate(gateway_store_errors_total[$__rate_interval]))", "errors"),
            unit="reqps",
        ),
        panel("Versions", ("count by (version) (gateway_build_info)", "{{version}}")),
    ],
    [variable("account", "Account", "gateway_slots_limit")],
)

USAGE = board(
    "cogvideo-usage",
    "Gateway: usage by team",
    [
        panel(
            "Spent in this time",
            (
                f"sum(increase((max by (team) (gateway_spend_fen_total{{{TEAMS}}}))[$__range:])) / 100",
                "",
            ),
            kind="stat",
            unit="currencyCNY",
            width=6,
            height=4,
        ),
        panel(
            "Reserved now",
            (f"sum(max by (team) (gateway_reserved_fen{{{TEAMS}}})) / 100", ""),
            kind="stat",
            unit="currencyCNY",
            width=6,
            height=4,
        ),
        panel(
            "Videos in this time",
            (
                f'sum(increase(gateway_settlements_total{{status="completed", {TEAMS}}}[$__range]))',
                "",
            ),
            kind="stat",
            width=6,
            height=4,
        ),
        panel(
            "Failed in this time",
            (
                f'sum(increase(gateway_settlements_total{{status="failed", {TEAMS}}}[$__range])) or vector(0)',
                "",
            ),
            kind="stat",
            width=6,
            height=4,
        ),
        panel(
            "Spent since ever",
            (f"max by (team) (gateway_spend_fen_total{{{TEAMS}}}) / 100", "{{team}}"),
            unit="currencyCNY",
            width=12,
        ),
        panel(
            "Spent an hour",
            (
                f"sum by (team) (increase((max by (team) (gateway_spend_fen_total{{{TEAMS}}}))[1h:])) / 100",
                "{{team}}",
            ),
            unit="currencyCNY",
            width=12,
            stacked=True,
        ),
        panel(
            "Share of budget taken",
            (
                f"max by (team, period) (gateway_budget_taken_fen{{{TEAMS}}}) / max by (team, period) (gateway_budget_fen{{{TEAMS}}})",
                "{{team}} {{period}}",
            ),
            unit="percentunit",
            width=12,
        ),
        panel(
            "Budget left",
            (
                f"(max by (team, period) (gateway_budget_fen{{{TEAMS}}}) - max by (team, period) (gateway_budget_taken_fen{{{TEAMS}}})) / 100",
                "{{team}} {{period}}",
            ),
            unit="currencyCNY",
            width=12,
        ),
        panel(
            "Ends by team",
            (
                f"sum by (team, status) (rate(gateway_settlements_total{{{TEAMS}}}[$__rate_interval]))",
                "{{team}} {{status}}",
            ),
            unit="reqps",
            stacked=True,
        ),
        panel(
            "Ends by model",
            (
                f"sum by (model) (rate(gateway_settlements_total{{{TEAMS}}}[$__rate_interval]))",
                "{{model}}",
            ),
            unit="reqps",
            stacked=True,
        ),
        panel(
            "Submits by team",
            (
                f"sum by (team, outcome) (rate(gateway_submits_total{{{TEAMS}}}[$__rate_interval]))",
                "{{team}} {{outcome}}",
            ),
            unit="reqps",
        ),
        panel(
            "Queue",
            (
                f"sum by (team) (max by (team, class) (gateway_queue_tasks{{{TEAMS}}})) or vector(0)",
                "{{team}}",
            ),
            stacked=True,
        ),
        panel(
            "Wait for a slot",
            (quantile(0.95, "gateway_queue_wait_seconds", "team", TEAMS), "{{team}} p95"),
            unit="s",
        ),
        panel(
            "Not billed: outcome unknown",
            (
                f'sum by (team) (increase(gateway_settlements_total{{outcome="unknown", {TEAMS}}}[$__range])) or vector(0)',
                "{{team}}",
            ),
        ),
    ],
    [variable("team", "Team", "gateway_submits_total")],
)

BOARDS = {"operations.json": OPERATIONS, "usage.json": USAGE}


def text(content: Panel) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, content in BOARDS.items():
        (FOLDER / name).write_text(text(content))
