"""`gateway slots`: who holds what, and whether slots and records agree."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.bootstrap import open_pool, store_url
from gateway.domain.task import Status, Task
from gateway.settings import Settings, WrongSettings
from gateway.store.slots import Holding


async def show(settings: Settings) -> None:
    """Print every account's slots, how many tasks wait, and what is left alone and why."""
    with _existing_store(settings) as url:
        async with open_pool(settings, url) as pool:
            holdings = await pool.slots.holdings()
            waiting = await pool.slots.waiting()
            resting = await pool.slots.resting()
    console, table = Console(), _table(holdings, settings.max_age_seconds)
    # As wide as it needs to be: ids are there to be copied, so they are never cut short.
    console.width = max(console.width, _width(console, table))
    console.print(table)
    for task_class, count in waiting.items():
        console.print(f"{count} waiting for {task_class}", highlight=False)
    for rest in resting:
        told = f"{rest.name} is left alone for another {rest.seconds_left:.0f} s: {rest.reason}"
        console.print(told, highlight=False, markup=False, soft_wrap=True)


async def verify_slots(settings: Settings) -> list[str]:
    """The differences between slots and records, one account at a time."""
    with _existing_store(settings) as url:
        async with open_pool(settings, url) as pool:
            return await pool.slots.verify(pool.teams)


def _existing_store(settings: Settings) -> AbstractContextManager[str]:
    """The store's URL; a look into an empty folder must not make a store there."""
    if settings.redis_url is None and not (settings.data_dir / "store.lock").exists():
        raise WrongSettings(
            f"GATEWAY_DATA_DIR: there is no store in {settings.data_dir.absolute()}; "
            "is this the folder, and are these the settings, that `gateway serve` has?"
        )
    return store_url(settings)


def _table(holdings: list[Holding], max_age_seconds: float) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("account", "model", "in use", "task", "team", "status", "since"):
        justify: Literal["left", "right"] = "right" if column in ("in use", "since") else "left"
        table.add_column(column, justify=justify, no_wrap=True)
    for holding in holdings:
        limit = "not in the settings" if holding.limit is None else str(holding.limit)
        in_use = f"{len(holding.tasks)}/{limit}"
        if not holding.tasks:
            table.add_row(holding.account, holding.model, in_use)
        for i, task in enumerate(holding.tasks):
            head = (holding.account, holding.model, in_use) if i == 0 else ("", "", "")
            table.add_row(*head, task.id, task.team, _status(task, max_age_seconds), _age(task))
    return table


def _status(task: Task, max_age_seconds: float) -> str:
    if task.status is Status.UNKNOWN:
        return f"[yellow]unknown[/]: {escape(task.last_reason or '')}"
    return "[red]overdue[/]" if task.overdue(time.time(), max_age_seconds) else task.status.value


def _age(task: Task) -> str:
    seconds = max(0, round(time.time() - (task.submitted_ms or task.created_ms) / 1000))
    return f"{seconds // 60}:{seconds % 60:02d}"


def _width(console: Console, table: Table) -> int:
    """What the table needs if nothing bounds it."""
    return console.measure(table, options=console.options.update(width=1000)).maximum
