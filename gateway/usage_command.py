"""`gateway usage`: what the admin API tells of usage, at the keyboard; the check of the books."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.api import usage_telling as telling
from gateway.bootstrap import Pool, read_pool
from gateway.domain.reconciling import BadBill, read_bill
from gateway.domain.usage import SUMMED
from gateway.domain.usage_query import month_span, read_month, read_query, read_span, read_zone
from gateway.keyboard import existing_store, print_whole
from gateway.settings import Settings
from gateway.store.ledger_check import LedgerCheck

Said = Mapping[str, str | None]
_MOST_FAULTS = 20


async def show(settings: Settings, said: Said, form: str) -> None:
    """Print sums: a table with a line of totals, or what the API answers."""
    async with _pool(settings) as pool:
        query = read_query(said, pool.usage.zone, datetime.now(UTC))
        rows = await pool.usage.sums(query)
    if form == "json":
        _print_json(telling.sums_told(query, rows))
        return
    told = telling.sums_told(query, rows)
    columns = (*query.group_by, *SUMMED)
    if form == "csv":
        click.echo(telling.table_csv(columns, told["rows"]), nl=False)
        return
    click.echo(_span_line(told))
    total = dict.fromkeys(query.group_by, "") | {query.group_by[0]: "total"} | told["totals"]
    print_whole(Console(), _table(columns, [*told["rows"], total], numbers=SUMMED))


async def entries(settings: Settings, said: Said, form: str) -> None:
    """Write out entries as they are read."""
    async with _pool(settings) as pool:
        query = read_query(said, pool.usage.zone, datetime.now(UTC))
        await pool.usage.check_entries(query)
        write = telling.entries_csv if form == "csv" else telling.entries_jsonl
        async for lines in write(pool.usage.entries(query), query.zone):
            click.echo(lines, nl=False)


async def unknown(settings: Settings, said: Said, form: str) -> None:
    """Print the tasks of unknown outcome."""
    async with _pool(settings) as pool:
        query = read_query(said, pool.usage.zone, datetime.now(UTC))
        await pool.usage.check_entries(query)
        rows = [telling.unknown_told(each, query.zone) for each in await pool.usage.unknown(query)]
    told: dict[str, Any] = {**telling.span_told(query.span, query.zone), "tasks": rows}
    if form == "json":
        _print_json(told)
    elif form == "csv":
        click.echo(telling.table_csv(telling.UNKNOWN_COLUMNS, rows), nl=False)
    else:
        click.echo(_span_line(told))
        if rows:
            table = _table(telling.UNKNOWN_COLUMNS, rows, numbers=("price_fen",))
            print_whole(Console(), table)
        else:
            click.echo("no task of unknown outcome")


async def statement(
    settings: Settings, team: str, month: str | None, time_zone: str | None, form: str
) -> None:
    """Print a team's bill."""
    async with _pool(settings) as pool:
        zone = read_zone(time_zone, pool.usage.zone)
        month = read_month(month, zone, datetime.now(UTC))
        bill = await pool.usage.statement(team, month, zone)
    if form == "json":
        _print_json(telling.statement_told(bill))
    else:
        write = telling.statement_csv if form == "csv" else telling.statement_text
        click.echo(write(bill), nl=False)


async def verify(settings: Settings) -> bool:
    """Print what differs, else one line; whether anything does."""
    async with _pool(settings) as pool:
        verdict = await LedgerCheck(pool.store, pool.ledger_files).run()
    for line in (*verdict.unchecked, *verdict.differences):
        click.echo(line)
    if not verdict.differences:
        click.echo(
            "the ledger and all sums agree: "
            f"{_count(verdict.entries, 'entry', 'entries')} of "
            f"{_count(verdict.days, 'day', 'days')}"
        )
    return bool(verdict.differences)


async def reconcile(settings: Settings, text: str, account: str | None, said: Said) -> bool:
    """Print what of a vendor's bill does not agree, and how much does; whether anything differs.

    Raises:
        ClickException: the bill cannot be read.
    """
    try:
        bill = read_bill(text)
    except BadBill as error:
        faults = error.faults[:_MOST_FAULTS]
        more = len(error.faults) - len(faults)
        faults += [f"and {more} other lines"] if more else []
        raise click.ClickException("\n".join(["nothing was compared:", *faults])) from None
    async with _pool(settings) as pool:
        zone, now = read_zone(said.get("time_zone"), pool.usage.zone), datetime.now(UTC)
        if said.get("from") is None and said.get("to") is None:
            span = month_span(read_month(None, zone, now), zone)
        else:
            span = read_span(said.get("from"), said.get("to"), zone, now)
        done, differences = await pool.usage.reconcile(bill, account, span)
    for difference in differences:
        click.echo(difference)
    click.echo(_span_line(telling.span_told(span, zone)))
    click.echo(
        f"{done.agreed} of {len(bill)} lines agree, {telling.yuan(done.agreed_fen)} yuan; "
        f"{len(differences)} differences"
    )
    if done.without_cost:
        click.echo(
            f"of {done.without_cost} of these nobody said what the vendor charges (costs_fen of "
            "the account), so the amount was taken as it is"
        )
    return bool(differences)


@asynccontextmanager
async def _pool(settings: Settings) -> AsyncIterator[Pool]:
    with existing_store(settings) as url:
        async with read_pool(settings, url) as pool:
            yield pool


def _span_line(told: Mapping[str, Any]) -> str:
    return f"settled from {told['from']} up to {told['to']} ({told['time_zone']})"


def _table(columns: tuple[str, ...], rows: list[dict[str, Any]], numbers: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in numbers else "left"
        table.add_column(column, justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*(escape("" if row[name] is None else str(row[name])) for name in columns))
    return table


def _print_json(told: Any) -> None:
    click.echo(json.dumps(told, ensure_ascii=False, indent=2))


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
