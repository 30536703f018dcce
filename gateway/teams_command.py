"""`gateway teams`: what the admin API does, at the keyboard, also while no gateway runs."""

from __future__ import annotations

from typing import Any

import click

from gateway.bootstrap import store_url
from gateway.keyboard import existing_store, operator
from gateway.settings import Settings
from gateway.tenant_desk import (
    Desk,
    open_desk,
    print_alerts,
    print_fields,
    print_json,
    print_table,
    print_unfit,
)

_BUDGETS = {"day": "a day", "month": "a month", "total": "in all"}
_COLUMNS = ("team", "kept in", "state", "tier", "in flight at most", "weight")
_MONEY = ("fen this month", "of")


async def show_all(settings: Settings, *, as_json: bool) -> None:
    """Print a table of all teams, and below it what needs a person."""
    async with open_desk(existing_store(settings), settings) as desk:
        teams, unfit = await desk.views.teams(), desk.views.unfit("team")
    if as_json:
        print_json({"teams": teams, "unfit": unfit})
        return
    print_table((*_COLUMNS, *_MONEY), map(_row, teams))
    for team in teams:
        print_alerts(f"team {team['name']}", team)
    print_unfit("team", unfit)


async def show_one(settings: Settings, name: str, *, as_json: bool) -> None:
    """Print one team, field by field."""
    async with open_desk(existing_store(settings), settings) as desk:
        team = await desk.views.team(name)
    (print_json if as_json else print_fields)(team)


async def add(settings: Settings, said: dict[str, Any]) -> None:
    """Keep a new team. It may be the first: a store that is not there yet is made."""
    async with open_desk(store_url(settings), settings) as desk:
        name = await desk.changes.teams.add(said, who=operator())
        await _tell(desk, name)
    click.echo(f"make it a key with: gateway keys create {name}")


async def change(settings: Settings, name: str, changes: dict[str, Any]) -> None:
    async with open_desk(existing_store(settings), settings) as desk:
        await desk.changes.teams.change(name, changes, who=operator())
        await _tell(desk, name)


async def set_blocked(settings: Settings, name: str, blocked: bool, reason: str) -> None:
    async with open_desk(existing_store(settings), settings) as desk:
        await desk.changes.teams.set_blocked(name, blocked, who=operator(), reason=reason)
        await _tell(desk, name)


async def remove(settings: Settings, name: str, reason: str) -> None:
    async with open_desk(existing_store(settings), settings) as desk:
        keys = await desk.changes.teams.remove(name, who=operator(), reason=reason)
    click.echo(f"team {name} is removed, and {keys} {'key' if keys == 1 else 'keys'} with it")


async def _tell(desk: Desk, name: str) -> None:
    """What became of it, in a few words."""
    team = await desk.views.team(name)
    budgets = [
        f", {team[f'budget_{period}_fen']} fen {words}"
        for period, words in _BUDGETS.items()
        if team[f"budget_{period}_fen"] is not None
    ]
    click.echo(
        f"team {name} is {team['state']}: {team['cap']} tasks in flight at most{''.join(budgets)}"
    )


def _row(team: dict[str, Any]) -> tuple[object, ...]:
    month = team["spending"]["month"]
    taken = month["reserved_fen"] + month["spent_fen"]
    columns = ("name", "source", "state", "tier", "cap", "weight")
    return (*(team[column] for column in columns), taken, month["budget_fen"])
