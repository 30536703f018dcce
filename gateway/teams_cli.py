"""`gateway teams`: its words at the command line."""

from __future__ import annotations

from typing import Any

import click

from gateway.account_options import reason_option
from gateway.command_run import perform, quiet_settings
from gateway.tenant_options import json_option, said_of, team_options, unset_option


@click.group()
def teams() -> None:
    """Make the teams that may call the gateway, and say what each may do and spend.

    A team has a share of the slots and, if you like, budgets in fen (1/100 yuan); it calls with its
    keys (gateway keys create TEAM). What is made here is kept in the store, and every gateway
    process knows it at once. Teams of the settings are shown here, and changed there.

    \b
    gateway teams add films
    gateway teams add adverts --tier V1 --budget-month 100000 --overflow reject
    gateway teams set adverts --tier V2 --unset budget-month --reason "more work"
    gateway teams list
    """


@teams.command("list")
@json_option
def list_teams(as_json: bool) -> None:
    """Show every team: what it may do, and what it spent this month."""
    from gateway.teams_command import show_all

    perform(show_all(quiet_settings(), as_json=as_json))


@teams.command()
@click.argument("team")
@json_option
def show(team: str, as_json: bool) -> None:
    """Show all that is known of one team, with what it has reserved, spent and left."""
    from gateway.teams_command import show_one

    perform(show_one(quiet_settings(), team, as_json=as_json))


@teams.command()
@click.argument("name")
@team_options
def add(name: str, **said: Any) -> None:
    """Make a team. Then make it a key: gateway keys create NAME.

    This may be the first thing that is done: where there is no store yet, it is made. All options
    may be left out: then it is of tier V0, and may ask for everything.

    \b
    gateway teams add films
    gateway teams add adverts --tier V1 --budget-day 10000 --budget-month 100000
    gateway teams add trial --limit 1 --size 1920x1080 --quality speed --expires-at 2030-01-01
    """
    from gateway.teams_command import add as run

    settings = quiet_settings()
    perform(run(settings, {"name": name, **said_of(said, settings)}))


@teams.command("set")
@click.argument("team")
@unset_option
@team_options
def change(team: str, **said: Any) -> None:
    """Change what is named, and nothing else. A tier takes the place of a limit.

    \b
    gateway teams set films --tier V2 --reason "more work"
    gateway teams set films --budget-month 200000 --unset budget-day
    gateway teams set films --size 1920x1080 --size 1080x1920
    """
    from gateway.teams_command import change as run

    settings = quiet_settings()
    changes = said_of(said, settings)
    if not changes.keys() - {"reason"}:
        raise click.UsageError("say what is to be changed; --help lists it")
    perform(run(settings, team, changes))


@teams.command()
@click.argument("team")
@reason_option
def block(team: str, reason: str) -> None:
    """Let nobody of the team in, on all processes; its tasks go on. See unblock."""
    _set_blocked(team, True, reason)


@teams.command()
@click.argument("team")
@reason_option
def unblock(team: str, reason: str) -> None:
    """Let a blocked team in again."""
    _set_blocked(team, False, reason)


@teams.command()
@click.argument("team")
@reason_option
def remove(team: str, reason: str) -> None:
    """Take a team out that has no tasks under way, and its keys, viewers and prices with it.

    Its ended tasks stay as long as all do, and what it spent stays in the ledger: a team that is
    made later under the same name has them too.
    """
    from gateway.teams_command import remove as run

    perform(run(quiet_settings(), team, reason))


def _set_blocked(team: str, blocked: bool, reason: str) -> None:
    from gateway.teams_command import set_blocked

    perform(set_blocked(quiet_settings(), team, blocked, reason))
