"""`gateway slots` and `gateway audit`: who holds what, whether slots and records agree, what an
operator did about it."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Literal

from click import ClickException
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.bootstrap import read_pool
from gateway.domain.capacity import Held
from gateway.domain.task import Status, Task
from gateway.keyboard import existing_store, operator, print_whole
from gateway.settings import Settings
from gateway.store.slots import Holding


async def show(settings: Settings) -> None:
    """Print every account's slots, how many tasks wait, and what is left alone and why."""
    with existing_store(settings) as url:
        async with read_pool(settings, url) as pool:
            holdings = await pool.slots.holdings()
            waiting = await pool.slots.waiting()
            resting = await pool.slots.resting()
    console = Console()
    print_whole(console, _table(holdings, settings.max_age_seconds))
    for task_class, count in waiting.items():
        console.print(f"{count} waiting for {task_class}", highlight=False)
    for rest in resting:
        told = f"{rest.name} is left alone for another {rest.seconds_left:.0f} s: {rest.reason}"
        console.print(told, highlight=False, markup=False, soft_wrap=True)


async def verify_slots(settings: Settings) -> list[str]:
    """The differences between slots and records, one account at a time."""
    with existing_store(settings) as url:
        async with read_pool(settings, url) as pool:
            return await pool.slots.verify(pool.tenants.teams.values())


async def release(settings: Settings, task_id: str, reason: str, *, force: bool) -> str:
    """Free a task's slot by hand; return what was done, as a sentence.

    Raises:
        ClickException: there is no such task, it holds no slot that may be released, or not yet.
    """
    with existing_store(settings) as url:
        async with read_pool(settings, url) as pool:
            task = await pool.tasks.get(task_id)
            if task is None:
                raise ClickException(f"there is no task {task_id}")
            if task.status not in (Status.UNKNOWN, Status.IN_PROGRESS):
                raise ClickException(
                    f"{task_id} is {task.status}: only a task that is unknown or in_progress "
                    "has a slot to release"
                )
            overdue = task.overdue(time.time(), settings.max_age_seconds)
            if task.status is Status.IN_PROGRESS and not overdue and not force:
                raise ClickException(
                    f"{task_id} runs since {_age(task)} and is not overdue "
                    "(GATEWAY_MAX_AGE_SECONDS); --force releases it all the same"
                )
            if not await pool.tasks.release(task, operator(), reason.strip()):
                raise ClickException(f"{task_id} is no longer {task.status}; look again")
            return f"released the slot of {task_id} on {task.account}; it was {task.status}"


async def show_audit(settings: Settings, last: int) -> None:
    """Print the latest entries of the audit, oldest first."""
    with existing_store(settings) as url:
        async with read_pool(settings, url) as pool:
            entries = await pool.tasks.audit(last)
    table = Table(box=None, pad_edge=False)
    for column in ("at", "who", "action", "on", "before", "after", "reason"):
        table.add_column(column, no_wrap=True)
    for entry in entries:
        at = datetime.fromtimestamp(entry.at_ms / 1000).astimezone().isoformat(timespec="seconds")
        row = (entry.who, entry.action, entry.on, entry.before, entry.after, entry.reason)
        table.add_row(at, *map(escape, row))
    print_whole(Console(), table)


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


def _status(task: Held, max_age_seconds: float) -> str:
    if task.status is Status.UNKNOWN:
        return f"[yellow]unknown[/]: {escape(task.last_reason or '')}"
    return "[red]overdue[/]" if task.overdue(time.time(), max_age_seconds) else task.status.value


def _age(task: Held | Task) -> str:
    seconds = max(0, round(time.time() - (task.submitted_ms or task.created_ms) / 1000))
    return f"{seconds // 60}:{seconds % 60:02d}"
