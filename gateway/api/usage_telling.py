"""Usage as people and programs read it: JSON, CSV, and a bill as text; times of a named zone."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from datetime import datetime, tzinfo
from typing import Any

from gateway.domain.statement import Line, Statement
from gateway.domain.usage import SUMMED, Entry, Sums
from gateway.domain.usage_query import Query, Span
from gateway.lifecycle.usage_reports import BudgetState, Rows

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the first four in full width, which some editions take for the same."""
_LINES_AT_ONCE = 200
_KIND = ("model", "size", "quality", "seconds")


def moment(at_ms: int, zone: tzinfo) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, zone)
    return at.isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds")


def span_told(span: Span, zone: tzinfo) -> dict[str, str]:
    """From when, up to and without when, by whose calendar."""
    return {
        "from": moment(span.from_ms, zone),
        "to": moment(span.to_ms, zone),
        "time_zone": str(zone),
    }


def sums_told(query: Query, rows: Rows) -> dict[str, Any]:
    totals = Sums()
    for _, sums in rows:
        for name in SUMMED:
            setattr(totals, name, getattr(totals, name) + getattr(sums, name))
    return {
        **span_told(query.span, query.zone),
        "group_by": list(query.group_by),
        "rows": [row_told(query, group, sums) for group, sums in rows],
        "totals": asdict(totals),
    }


def row_told(query: Query, group: tuple[str, ...], sums: Sums) -> dict[str, Any]:
    return dict(zip(query.group_by, group, strict=True)) | asdict(sums)


def own_told(by_status: Rows) -> dict[str, Any]:
    """A team's or a key's usage as itself may see it: nothing of what the vendor charges."""
    return {
        "tasks": sum(sums.tasks for _, sums in by_status),
        "charged_fen": sum(sums.charged_fen for _, sums in by_status),
        "by_status": {
            group[0]: {"tasks": sums.tasks, "charged_fen": sums.charged_fen}
            for group, sums in by_status
        },
    }


def budget_told(budget: BudgetState) -> dict[str, Any]:
    return {
        "period": budget.name,
        "budget_fen": budget.budget_fen,
        "reserved_fen": budget.reserved_fen,
        "spent_fen": budget.spent_fen,
        "left_fen": budget.left_fen,
    }


def entry_told(entry: Entry, zone: tzinfo) -> dict[str, Any]:
    size, quality, seconds = entry.kind
    return {
        "settled_at": moment(entry.at_ms, zone),
        "task": entry.task,
        "request_id": entry.request_id if entry.claim else None,
        "team": entry.team,
        "key": entry.key or None,
        "model": entry.model,
        "size": None if size == "-" else size,
        "quality": None if quality == "-" else quality,
        "seconds": None if seconds == "-" else int(seconds),
        "provider": entry.provider or None,
        "account": entry.account or None,
        "provider_task": entry.provider_task or None,
        "status": entry.told_status,
        "price_fen": entry.price_fen,
        "charged_fen": entry.charged_fen,
        "cost_fen": entry.cost_fen,
        "admitted_at": moment(entry.created_ms, zone),
    }


ENTRY_COLUMNS = (
    *("settled_at", "task", "request_id", "team", "key", "model", "size", "quality", "seconds"),
    *("provider", "account", "provider_task", "status", "price_fen", "charged_fen", "cost_fen"),
    "admitted_at",
)
UNKNOWN_COLUMNS = (
    *("request_id", "settled_at", "admitted_at", "team", "account", "provider", "provider_task"),
    *("model", "price_fen"),
)


def unknown_told(entry: Entry, zone: tzinfo) -> dict[str, Any]:
    """What a ticket at the vendor's support needs, and whose video it would have been."""
    told = entry_told(entry, zone)
    return {name: told[name] for name in UNKNOWN_COLUMNS}


async def entries_csv(entries: AsyncGenerator[Entry, None], zone: tzinfo) -> AsyncIterator[str]:
    yield csv_text([ENTRY_COLUMNS])
    async for some in _some(entries):
        yield csv_text(entry_told(entry, zone).values() for entry in some)


async def entries_jsonl(entries: AsyncGenerator[Entry, None], zone: tzinfo) -> AsyncIterator[str]:
    async for some in _some(entries):
        lines = (json.dumps(entry_told(entry, zone), ensure_ascii=False) for entry in some)
        yield "".join(f"{line}\n" for line in lines)


async def _some(entries: AsyncGenerator[Entry, None]) -> AsyncIterator[list[Entry]]:
    """A few at a time: a chunk of an answer each would be as much work again."""
    some: list[Entry] = []
    async with aclosing(entries) as opened:
        async for entry in opened:
            some.append(entry)
            if len(some) == _LINES_AT_ONCE:
                yield some
                some = []
    if some:
        yield some


def table_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    return csv_text([columns, *([row[name] for name in columns] for row in rows)])


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows that are safe to open: a spreadsheet would run what begins like a formula."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(
        [_cell(value) for value in row] for row in rows
    )
    return text.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


# The statement ---------------------------------------------------------------------------------


def statement_told(statement: Statement) -> dict[str, Any]:
    return {
        "team": statement.team,
        "month": statement.month,
        **span_told(statement.span, statement.zone),
        "lines": [_line(line) for line in statement.lines],
        "videos": statement.videos,
        "total_fen": statement.total_fen,
        "not_billed": {
            "unknown": [_line(line) for line in statement.unknown],
            "failed": statement.failed,
            "cancelled": statement.cancelled,
        },
    }


def _line(line: Line) -> dict[str, Any]:
    kind = {name: None if (v := getattr(line, name)) == "-" else v for name in _KIND}
    if kind["seconds"] is not None:
        kind["seconds"] = int(kind["seconds"])
    return {
        **kind,
        "count": line.count,
        "unit_price_fen": line.unit_price_fen,
        "amount_fen": line.amount_fen,
    }


def statement_csv(statement: Statement) -> str:
    """A row a line, a last one with the total; what is unknown is billed nothing."""
    told = statement_told(statement)
    columns = (*_KIND, "billed", "count", "unit_price_fen", "amount_fen")
    rows = [{**line, "billed": "yes"} for line in told["lines"]]
    rows += [
        {**line, "billed": "no: outcome unknown", "amount_fen": 0}
        for line in told["not_billed"]["unknown"]
    ]
    last = dict.fromkeys(columns) | {
        "model": "total",
        "count": statement.videos,
        "amount_fen": statement.total_fen,
    }
    return table_csv(columns, [*rows, last])


def statement_text(statement: Statement) -> str:
    """A bill to read, in yuan."""
    span = span_told(statement.span, statement.zone)
    out = [
        f"Statement of {statement.team} for {statement.month}",
        f"videos settled from {span['from']} up to {span['to']} ({span['time_zone']})",
        "",
        *_lines_text(statement.lines),
        f"{'total':<56}{statement.videos:>7}{'':>12}{yuan(statement.total_fen):>14}",
    ]
    if statement.unknown:
        out += ["", "not billed, because their outcome is unknown:"]
        out += _lines_text(statement.unknown)
    if statement.failed or statement.cancelled:
        out += ["", f"free: {statement.failed} failed, {statement.cancelled} cancelled"]
    return "\n".join(out) + "\n"


def _lines_text(lines: Iterable[Line]) -> list[str]:
    head = f"{'model':<20}{'size':<14}{'quality':<12}{'seconds':<10}{'videos':>7}"
    return [
        f"{head}{'each':>12}{'yuan':>14}",
        *(
            f"{line.model:<20}{line.size:<14}{line.quality:<12}{line.seconds:<10}{line.count:>7}"
            f"{yuan(line.unit_price_fen):>12}{yuan(line.amount_fen):>14}"
            for line in lines
        ),
    ]


def yuan(fen: int) -> str:
    """An amount in yuan, to the fen."""
    return f"{fen // 100}.{fen % 100:02d}"
