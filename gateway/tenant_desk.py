"""What the commands about teams, keys, prices and operators work with, and how they print."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.api.admin.tenant_views import TenantViews
from gateway.bootstrap import read_pool
from gateway.keyboard import print_whole
from gateway.lifecycle.tenant_changes import TenantChanges
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Desk:
    """What there is, and what can be done to it."""

    changes: TenantChanges
    views: TenantViews


@asynccontextmanager
async def open_desk(store: AbstractContextManager[str], settings: Settings) -> AsyncIterator[Desk]:
    with store as url:
        async with read_pool(settings, url) as pool:
            yield Desk(TenantChanges(pool.tenants), TenantViews(pool.tenants, pool.spending))


def print_json(told: object) -> None:
    click.echo(json.dumps(told, ensure_ascii=False, indent=2))


def print_table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Ids are there to be copied, so none is cut short; None is left blank."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*("" if value is None else escape(str(value)) for value in row))
    print_whole(Console(), table)


def print_fields(told: Mapping[str, Any]) -> None:
    """One thing, field by field, without those that say nothing; spending in a line a period."""
    for field, value in told.items():
        if field == "spending":
            for name, period in value.items():
                click.echo(f"spending {name}: {_spending(period)}")
        elif value not in (None, {}, [], ""):
            click.echo(f"{field}: {_shown(value)}")


def print_unfit(what: str, unfit: Iterable[Mapping[str, str]]) -> None:
    """What is kept and not in use."""
    for each in unfit:
        click.echo(f"{what} {each['name']} is kept, and not in use: {each['reason']}")


def print_alerts(what: str, told: Mapping[str, Any]) -> None:
    """The budgets of a team or a key that run out."""
    for name, period in told["spending"].items():
        if period["alert"]:
            click.echo(f"{what}: the budget runs out: {name}, {_spending(period)}")


def print_secret(secret: str, told: str) -> None:
    """A secret to stdout, where a script takes it from; what else there is to say to stderr."""
    click.echo(secret)
    click.echo(f"\nThis is shown only now: nothing but its digest is kept. {told}", err=True)


def _spending(period: Mapping[str, Any]) -> str:
    told = f"{period['spent_fen']} fen spent and {period['reserved_fen']} reserved"
    if period["budget_fen"] is not None:
        told += f" of {period['budget_fen']}, {period['left_fen']} left"
    return f"{told} ({period['period']})" if period["period"] != "all" else told


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={text}" for name, text in value.items())
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return str(value)
