"""`gateway prices`: what the admin API does, at the keyboard, also while no gateway runs."""

from __future__ import annotations

from typing import Any

import click

from gateway.bootstrap import store_url
from gateway.keyboard import existing_store, operator
from gateway.settings import Settings
from gateway.tenant_desk import open_desk, print_json, print_table, print_unfit

_FIELDS = ("id", "model", "price_fen", "team", "size", "quality", "duration", "starts_at")
_COLUMNS = ("price", "model", "fen", "team", "size", "quality", "seconds", "starts at")


async def show_all(settings: Settings, *, as_json: bool) -> None:
    """Print the price book; those of the settings have no id."""
    async with open_desk(existing_store(settings), settings) as desk:
        prices, unfit = await desk.views.prices(), desk.views.unfit("price")
    if as_json:
        print_json({"prices": prices, "unfit": unfit})
        return
    rows = ((price[field] for field in _FIELDS) for price in prices)
    print_table(_COLUMNS, ((first or "settings", *rest) for first, *rest in rows))
    print_unfit("price", unfit)


async def add(settings: Settings, said: dict[str, Any]) -> None:
    """Keep a new line. It may be the first: a store that is not there yet is made."""
    async with open_desk(store_url(settings), settings) as desk:
        price_id = await desk.changes.prices.add(said, who=operator())
    click.echo(f"{price_id} is in the price book")


async def remove(settings: Settings, price_id: str, reason: str) -> None:
    async with open_desk(existing_store(settings), settings) as desk:
        await desk.changes.prices.remove(price_id, who=operator(), reason=reason)
    click.echo(f"{price_id} is removed")
