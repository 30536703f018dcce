"""`gateway operators`: its words at the command line."""

from __future__ import annotations

from typing import Any

import click

from gateway.account_options import reason_option
from gateway.command_run import perform, quiet_settings
from gateway.tenant_options import expires_option, json_option, said_of


@click.group()
def operators() -> None:
    """Say who may use the admin plane (/admin), each with a key of their own.

    Whoever has GATEWAY_ADMIN_KEY may do everything there. An admin may too; a viewer looks and
    changes nothing; a viewer with a team sees that team and its keys, and nothing else. The audit
    names who did what (gateway audit).

    \b
    gateway operators add li.wei --role admin
    gateway operators add auditor
    gateway operators add films-lead --team films
    gateway operators remove auditor
    """


@operators.command("list")
@json_option
def list_operators(as_json: bool) -> None:
    """Show everybody who has such a key."""
    from gateway.operators_command import show_all

    perform(show_all(quiet_settings(), as_json=as_json))


@operators.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["admin", "viewer"]),
    default="viewer",
    show_default=True,
    help="Change everything, or look at it.",
)
@click.option("--team", help="A viewer of this team alone.")
@expires_option
@json_option
@reason_option
def add(as_json: bool, **said: Any) -> None:
    """Let somebody in, and print the key. This is the only time that it is shown."""
    from gateway.operators_command import add as run

    settings = quiet_settings()
    perform(run(settings, said_of(said, settings), as_json=as_json))


@operators.command()
@click.argument("who", metavar="NAME")
@reason_option
def remove(who: str, reason: str) -> None:
    """Take somebody out, by name or id: the key opens nothing, browser sessions end."""
    from gateway.operators_command import remove as run

    perform(run(quiet_settings(), who, reason))
