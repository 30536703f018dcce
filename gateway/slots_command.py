"""`gateway slots`: who holds what, and whether the ledger agrees with itself."""

from __future__ import annotations

import time
from typing import Literal

from rich.console import Console
from rich.table import Table

from gateway.bootstrap import open_ledger, store_url
from gateway.domain.task import Status, Task
from gateway.settings import Settings
from gateway.store.slots import Holding


async def show(settings: Settings) -> None:
    """Print every account's slots, and how many tasks wait."""
    with store_url(settings) as url:
        async with open_ledger(settings, url) as ledger:
            holdings = await ledger.slots.holdings()
            waiting = await ledger.slots.waiting()
    console, table = Console(), _table(holdings, settings.max_age_seconds)
    # As wide as it needs to be: ids are there to be copied, so they are never cut short.
    console.width = max(console.width, _width(console, table))
    console.print(table)
    for task_class, count in waiting.items():
        console.print(f"{count} waiting for {task_class}", highlight=False)


async def verify_slots(settings: Settings) -> list[str]:
    """The differences between slots and records, one account at a time."""
    with store_url(settings) as url:
        async with open_ledger(settings, url) as ledger:
            return await ledger.slots.verify(ledger.teams)


def _table(holdings: list[Holding], max_age_seconds: float) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("account", "model", "in use", "task", "team", "status", "since"):
        justify: Literal["left", "right"] = "right" if column in ("in use", "since") else "left"
        table.add_column(column, justify=justify, no_wrap=True)
    for holding in holdings:
        in_use = f"{len(holding.tasks)}/{holding.limit}"
        if not holding.tasks:
            table.add_row(holding.account, holding.model, in_use)
        for i, task in enumerate(holding.tasks):
            head = (holding.account, holding.model, in_use) if i == 0 else ("", "", "")
            table.add_row(*head, task.id, task.team, _status(task, max_age_seconds), _age(task))
    return table


def _status(task: Task, max_age_seconds: float) -> str:
    if task.status is Status.UNKNOWN:
        return "[yellow]unknown[/]"
    overdue = task.submitted_ms and time.time() - task.submitted_ms / 1000 > max_age_seconds
    return "[red]overdue[/]" if overdue else task.status.value


def _age(task: Task) -> str:
    seconds = max(0, round(time.time() - (task.submitted_ms or task.created_ms) / 1000))
    return f"{seconds // 60}:{seconds % 60:02d}"


def _width(console: Console, table: Table) -> int:
    """What the table needs if nothing bounds it."""
    return console.measure(table, options=console.options.update(width=1000)).maximum
