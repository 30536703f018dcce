"""`gateway prices`: its words at the command line."""

from __future__ import annotations

from typing import Any

import click

from gateway.account_options import reason_option
from gateway.command_run import perform, quiet_settings
from gateway.tenant_options import json_option, said_of


@click.group()
def prices() -> None:
    """Say what a video costs the teams: by model, size, quality, length, team, and from when on.

    Of all lines about a request, one for its team goes before all others, then the one that says
    most about the video, then the one that starts last. Without any, the model's own price holds. A
    task keeps the price that it was admitted with. Prices are in fen (1/100 yuan).

    \b
    gateway prices add cogvideox-3 120 --duration 10
    gateway prices add cogvideox-3 80 --team films --starts-at 2030-01-01
    gateway prices list
    """


@prices.command("list")
@json_option
def list_prices(as_json: bool) -> None:
    """Show the price book, line by line."""
    from gateway.prices_command import show_all

    perform(show_all(quiet_settings(), as_json=as_json))


@prices.command()
@click.argument("model")
@click.argument("price_fen", metavar="FEN", type=int)
@click.option("--team", help="For this team alone.")
@click.option("--size", help="For this size alone, like 1920x1080.")
@click.option("--quality", help="For this quality alone.")
@click.option("--duration", type=int, help="For videos of so many seconds alone.")
@click.option("--starts-at", metavar="WHEN", help="From then on: 2030-01-01 or 2030-01-01T18:00.")
@reason_option
def add(**said: Any) -> None:
    """Add a line. A line is never changed: to change a price, add one that starts then.

    \b
    gateway prices add cogvideox-3 120
    gateway prices add cogvideox-3 80 --team films --quality speed --duration 5
    gateway prices add cogvideox-3 90 --starts-at 2030-01-01 --reason "the vendor's new price"
    """
    from gateway.prices_command import add as run

    settings = quiet_settings()
    perform(run(settings, said_of(said, settings)))


@prices.command()
@click.argument("price")
@reason_option
def remove(price: str, reason: str) -> None:
    """Take a line out; PRICE is its id. What was admitted keeps its price."""
    from gateway.prices_command import remove as run

    perform(run(quiet_settings(), price, reason))
