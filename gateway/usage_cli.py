"""`gateway usage`: its words at the command line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from gateway.configuration import load_settings
from gateway.logs import configure_logging
from gateway.settings import Settings

_Command = Callable[..., Any]


def _settings() -> Settings:
    settings = load_settings()
    configure_logging("warning")
    return settings


def _which(command: _Command) -> _Command:
    """The options that say which tasks are meant."""
    for option in reversed(
        (
            click.option(
                "--from", "from_", metavar="WHEN", help="A day like 2026-03-01, or a time."
            ),
            click.option("--to", metavar="WHEN", help="The same; it is not itself meant."),
            click.option("--team", metavar="NAME", help="Of this team alone."),
            click.option("--key", metavar="ID", help="Asked for with this key."),
            click.option("--model", metavar="NAME", help="Of this model."),
            click.option("--account", metavar="NAME", help="Made with this account."),
            _zone,
        )
    ):
        command = option(command)
    return command


_zone = click.option(
    "--time-zone", metavar="ZONE", help="Whose days and months; GATEWAY_TIME_ZONE unless said."
)
_status = click.option(
    "--status", metavar="WORD", help="One of completed, failed, cancelled, unknown."
)


@click.group()
def usage() -> None:
    """What teams used and owe, and whether the books are right.

    A task is in the books once it has ended, under the moment of its end: completed (it is billed),
    failed or cancelled (free), or unknown: the vendor may have made it and nobody saw it, so it is
    shown apart and not billed. Money is in fen (1/100 yuan), unless it says yuan.

    \b
    gateway usage show                           # this month, by team
    gateway usage statement films                # the bill of last month
    gateway usage unknown                        # for a ticket at the vendor's support
    gateway usage verify                         # do all sums agree with the ledger?
    gateway usage reconcile vendor-march.csv     # does the vendor bill what we charged?
    """


@usage.command()
@_which
@_status
@click.option(
    "--by",
    "--group-by",
    "by",
    metavar="WHAT",
    help="Some of team, key, model, account, status, day, hour, with commas between; else: team.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
)
def show(form: str, by: str | None, **said: str | None) -> None:
    """Show how many tasks and how much money, this month unless said otherwise.

    `cost` is what the vendor charges us for what was charged, where that is known (costs_fen).

    \b
    gateway usage show --by team,model
    gateway usage show --team films --by day --from 2026-03-01 --to 2026-03-15
    gateway usage show --by account,status --format csv > accounts.csv
    """
    from gateway.usage_command import show as run

    _run(run(_settings(), {**_said(said), "group_by": by}, form))


@usage.command()
@_which
@_status
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True
)
def entries(form: str, **said: str | None) -> None:
    """Write out the ledger itself, an entry a task; this month unless said otherwise.

    \b
    gateway usage entries --team films > films.csv
    gateway usage entries --from 2026-03-01 --to 2026-04-01 --format jsonl | gzip > march.jsonl.gz
    """
    from gateway.usage_command import entries as run

    _run(run(_settings(), _said(said), form))


@usage.command()
@_which
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
)
def unknown(form: str, **said: str | None) -> None:
    """List the tasks of unknown outcome, which nobody is billed for.

    The vendor may have made these and nobody saw it. He knows them by the request_id: ask his
    support about it, or hold his bill against the ledger with `gateway usage reconcile`.
    """
    from gateway.usage_command import unknown as run

    _run(run(_settings(), _said(said), form))


@usage.command()
@click.argument("team")
@click.option("--month", metavar="YYYY-MM", help="The last one that is over unless said.")
@_zone
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    show_default=True,
)
def statement(team: str, month: str | None, time_zone: str | None, form: str) -> None:
    """Print a team's bill of a month: last month's unless said otherwise.

    A task is on the bill of the month in which it was settled. (Its budget had counted it in the
    month in which it was asked for.)

    \b
    gateway usage statement films
    gateway usage statement films --month 2026-03 --format csv > films-2026-03.csv
    """
    from gateway.usage_command import statement as run

    _run(run(_settings(), team, month, time_zone, form))


@usage.command()
def verify() -> None:
    """Recompute every sum from the ledger; exit 1 and say what differs, if anything does.

    It may run at any time, also while the gateway works. Days that are files (GATEWAY_LEDGER_DIR)
    are checked by their hash where the files are on this machine.
    """
    from gateway.usage_command import verify as run

    if _run(run(_settings())):
        sys.exit(1)


@usage.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--account", metavar="NAME", help="Whose bill it is; that of all accounts if not said."
)
@click.option(
    "--from", "from_", metavar="WHEN", help="Begin of the bill; last month's if not said."
)
@click.option("--to", metavar="WHEN", help="Its end, which is not itself meant.")
@_zone
def reconcile(file: Path, account: str | None, **said: str | None) -> None:
    """Hold the vendor's bill against what was charged; exit 1 if anything differs.

    FILE ('-': stdin) is CSV in UTF-8, a line each: request_id,amount_fen. What was settled in the
    time of the bill (last month) and is not on it is told; what is on the bill is looked for in all
    times.

    \b
    gateway usage reconcile vendor-march.csv --account main --from 2026-03-01 --to 2026-04-01
    """
    from gateway.account_options import read_text
    from gateway.usage_command import reconcile as run

    if _run(run(_settings(), read_text(file), account, _said(said))):
        sys.exit(1)


def _said(options: dict[str, str | None]) -> dict[str, str | None]:
    """By the names that the API has."""
    return {name.removesuffix("_"): value for name, value in options.items()}


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Do it; what is refused becomes one line."""
    from gateway.domain.errors import GatewayError, StoreUnavailable

    try:
        return asyncio.run(work)
    except StoreUnavailable:
        raise
    except GatewayError as error:
        raise click.ClickException(error.message) from None
