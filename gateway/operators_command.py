"""`gateway operators`: what the admin API does, at the keyboard, also while no gateway runs."""

from __future__ import annotations

from typing import Any

import click

from gateway.bootstrap import store_url
from gateway.keyboard import existing_store, operator
from gateway.settings import Settings
from gateway.tenant_desk import open_desk, print_json, print_secret, print_table

_FIELDS = ("id", "name", "role", "team", "hint", "created_at", "expires_at")
_COLUMNS = ("operator", "name", "role", "team", "ends in", "made at", "expires at")


async def show_all(settings: Settings, *, as_json: bool) -> None:
    async with open_desk(existing_store(settings), settings) as desk:
        operators = await desk.views.operators()
    if as_json:
        print_json({"operators": operators})
        return
    print_table(_COLUMNS, ((one[field] for field in _FIELDS) for one in operators))


async def add(settings: Settings, said: dict[str, Any], *, as_json: bool) -> None:
    """Keep a new operator, and print the secret. The store may not be there yet."""
    async with open_desk(store_url(settings), settings) as desk:
        key = await desk.changes.operators.add(said, who=operator())
        told = await desk.views.operator(key.id)
    if as_json:
        print_json({"id": key.id, "key": key.secret} | told)
        return
    of_team = f" of team {told['team']}" if told["team"] else ""
    print_secret(key.secret, f"{told['name']} is {told['role']}{of_team}; the id is {key.id}.")


async def remove(settings: Settings, who: str, reason: str) -> None:
    """Take one out, by name or id."""
    async with open_desk(existing_store(settings), settings) as desk:
        ids = {one["name"]: one["id"] for one in await desk.views.operators()}
        operator_id = ids.get(who, who)
        await desk.changes.operators.remove(operator_id, who=operator(), reason=reason)
    click.echo(f"{who} is removed")
