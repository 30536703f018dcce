"""`gateway keys`: what the admin API does, at the keyboard, also while no gateway runs."""

from __future__ import annotations

from typing import Any

import click

from gateway.bootstrap import store_url
from gateway.keyboard import existing_store, operator
from gateway.lifecycle.key_changes import NewKey
from gateway.settings import Settings
from gateway.tenant_desk import (
    Desk,
    open_desk,
    print_alerts,
    print_fields,
    print_json,
    print_secret,
    print_table,
    print_unfit,
)

_COLUMNS = ("key", "team", "name", "ends in", "kept in", "state", "made at", "expires at")


async def show_all(settings: Settings, team: str | None, *, as_json: bool) -> None:
    """Print a table of all keys, or a team's, and below it what needs a person."""
    async with open_desk(existing_store(settings), settings) as desk:
        if team is not None:
            await desk.views.team(team)
        keys, unfit = await desk.views.keys(team), desk.views.unfit("key")
    if as_json:
        print_json({"keys": keys, "unfit": unfit})
        return
    print_table(_COLUMNS, map(_row, keys))
    for key in keys:
        print_alerts(f"key {key['id']}", key)
    print_unfit("key", unfit)


async def show_one(settings: Settings, key_id: str, *, as_json: bool) -> None:
    """Print one key, field by field."""
    async with open_desk(existing_store(settings), settings) as desk:
        key = await desk.views.key(key_id)
    (print_json if as_json else print_fields)(key)


async def create(settings: Settings, said: dict[str, Any], *, as_json: bool) -> None:
    """Keep a new key, and print its secret. Teams of the settings may have no store yet."""
    async with open_desk(store_url(settings), settings) as desk:
        key = await desk.changes.keys.create(said, who=operator())
        await _tell_secret(desk, key, settings, as_json)


async def change(settings: Settings, key_id: str, changes: dict[str, Any]) -> None:
    async with open_desk(existing_store(settings), settings) as desk:
        await desk.changes.keys.change(key_id, changes, who=operator())
        await _tell(desk, key_id)


async def rotate(
    settings: Settings, key_id: str, overlap_seconds: int, reason: str, *, as_json: bool
) -> None:
    async with open_desk(existing_store(settings), settings) as desk:
        key = await desk.changes.keys.rotate(key_id, overlap_seconds, who=operator(), reason=reason)
        await _tell_secret(desk, key, settings, as_json)


async def set_blocked(settings: Settings, key_id: str, blocked: bool, reason: str) -> None:
    async with open_desk(existing_store(settings), settings) as desk:
        await desk.changes.keys.set_blocked(key_id, blocked, who=operator(), reason=reason)
        await _tell(desk, key_id)


async def revoke(settings: Settings, key_id: str, reason: str) -> None:
    async with open_desk(existing_store(settings), settings) as desk:
        await desk.changes.keys.revoke(key_id, who=operator(), reason=reason)
    click.echo(f"key {key_id} is revoked")


async def _tell(desk: Desk, key_id: str) -> None:
    key = await desk.views.key(key_id)
    click.echo(f"key {key_id} of team {key['team']} is {key['state']}")


async def _tell_secret(desk: Desk, key: NewKey, settings: Settings, as_json: bool) -> None:
    told = await desk.views.key(key.id)
    if as_json:
        print_json({"id": key.id, "key": key.secret} | told)
        return
    words = f"Its id is {key.id}, its team {told['team']}."
    for older in told["older"]:
        words += f" The one that ends in {older['hint']} still opens until {older['until']}."
    print_secret(
        key.secret, f"{words}\nTo try it while `gateway serve` runs:\n{_curl(settings, key)}"
    )


def _curl(settings: Settings, key: NewKey) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = settings.public_url or f"http://{host}:{settings.port}"
    return (
        f"\ncurl {url}/v1/videos/generations \\\n"
        f'  -H "Authorization: Bearer {key.secret}" \\\n'
        '  -d \'{"model": "cogvideox-3", "prompt": "A cat is playing with a ball."}\''
    )


def _row(key: dict[str, Any]) -> tuple[object, ...]:
    blocked_team = key["team_state"] != "active" and key["state"] == "active"
    state = f"team {key['team_state']}" if blocked_team else key["state"]
    return (
        *(key[column] for column in ("id", "team", "name", "hint", "source")),
        state,
        key["created_at"],
        key["expires_at"],
    )
