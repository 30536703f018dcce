"""What the command line says of teams, keys, prices and operators, as the admin API takes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from gateway.account_options import reason_option
from gateway.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[Any], Any]
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LISTS = ("models", "sizes", "qualities")
json_option = click.option("--json", "as_json", is_flag=True, help="As the admin API answers.")
expires_option = click.option(
    "--expires-at",
    metavar="WHEN",
    help="2030-01-01 or 2030-01-01T18:00, in GATEWAY_TIME_ZONE unless it says another zone.",
)
_TEAM = (
    click.option("--tier", help="Tasks in flight: V0 (5) to V3 (20), or another of GATEWAY_TIERS."),
    click.option("--limit", type=int, help="Tasks in flight, in place of a tier."),
    click.option("--weight", type=float, help="Its share of slots while others wait too (1)."),
    click.option("--queue-tasks", type=int, help="So many of its tasks may wait for a slot."),
)
_PERMIT = (
    click.option(
        "--budget-day", "budget_day_fen", type=int, metavar="FEN", help="To spend in a day."
    ),
    click.option(
        "--budget-month", "budget_month_fen", type=int, metavar="FEN", help="To spend in a month."
    ),
    click.option(
        "--budget-total", "budget_total_fen", type=int, metavar="FEN", help="To spend in all."
    ),
    click.option("--submits-per-minute", type=int, metavar="N", help="So many at most."),
    click.option("--model", "models", multiple=True, help="One that it may ask for; else all."),
    click.option("--size", "sizes", multiple=True, help="One that it may ask for; else all."),
    click.option(
        "--quality", "qualities", multiple=True, help="One that it may ask for; else all."
    ),
    click.option(
        "--overflow",
        type=click.Choice(["queue", "reject"]),
        help="Wait when no slot is free, or be refused.",
    ),
    expires_option,
    click.option("--metadata", metavar="NAME=TEXT", multiple=True, help="What to remember of it."),
)
_UNSETTABLE = (
    *("weight", "limit", "queue-tasks", "budget-day", "budget-month", "budget-total"),
    *("submits-per-minute", "model", "size", "quality", "overflow", "expires-at", "metadata"),
)
_FIELDS = {
    **{f"budget-{period}": f"budget_{period}_fen" for period in ("day", "month", "total")},
    **dict(zip(("model", "size", "quality"), _LISTS, strict=True)),
}


def team_options(command: F) -> F:
    """The options that say what a team is and may do."""
    return _with(command, (*_TEAM, *_PERMIT, reason_option))


def key_options(command: F) -> F:
    """The options that say what a key may do."""
    name = click.option("--name", help="What to call it, for whoever reads the list.")
    return _with(command, (name, *_PERMIT, reason_option))


def unset_option(command: F) -> F:
    """What goes back to its default."""
    return click.option(
        "--unset",
        type=click.Choice(_UNSETTABLE),
        multiple=True,
        metavar="OPTION",
        help="Take an option back to its default: --unset budget-day.",
    )(command)


def said_of(options: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """What was given of a form, as the admin API takes it."""
    said = {name: value for name, value in options.items() if value not in (None, (), "")}
    for field in _LISTS:
        if field in said:
            said[field] = list(said[field])
    if "metadata" in said:
        said["metadata"] = dict(_pair(text) for text in said["metadata"])
    for field in ("expires_at", "starts_at"):
        if field in said:
            said[field] = _moment(field, said[field], ZoneInfo(settings.time_zone))
    for option in said.pop("unset", ()):
        said.setdefault(_FIELDS.get(option, option.replace("-", "_")), None)
    return said


def seconds_of(text: str) -> int:
    """A length of time like 90, 30m, 24h or 7d."""
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if found is None:
        raise click.UsageError("--overlap must be like 0, 30m, 24h or 7d")
    return int(found[1]) * _SECONDS[found[2]]


def _with(command: F, options: tuple[Option, ...]) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise click.UsageError("--metadata must be like cost_centre=4711")
    return name, value


def _moment(field: str, text: str, zone: ZoneInfo) -> str:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        option = field.replace("_", "-")
        raise click.UsageError(f"--{option} must be like 2030-01-01 or 2030-01-01T18:00") from None
    return (when if when.tzinfo else when.replace(tzinfo=zone)).isoformat()
