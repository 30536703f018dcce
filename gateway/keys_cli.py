"""`gateway keys`: its words at the command line."""

from __future__ import annotations

from typing import Any

import click

from gateway.account_options import reason_option
from gateway.command_run import perform, quiet_settings
from gateway.tenant_options import json_option, key_options, said_of, seconds_of, unset_option


@click.group()
def keys() -> None:
    """Make, rotate and revoke the keys that teams call with.

    A key is shown once, when it is made: only its digest is kept. It may do what its team may, less
    what is said of the key. Every gateway process knows of a change within seconds. KEY is the id
    that `gateway keys list` shows, not the secret.

    \b
    gateway keys create films
    gateway keys list films
    gateway keys rotate key_9f86d081884c7d65 --overlap 7d
    gateway keys revoke key_9f86d081884c7d65 --reason "it leaked"
    """


@keys.command("list")
@click.argument("team", required=False)
@json_option
def list_keys(team: str | None, as_json: bool) -> None:
    """Show all keys, or a team's: ids and last characters, never a secret."""
    from gateway.keys_command import show_all

    perform(show_all(quiet_settings(), team, as_json=as_json))


@keys.command()
@click.argument("team")
@key_options
@json_option
def create(team: str, as_json: bool, **said: Any) -> None:
    """Make a key of a team, and print it. This is the only time that it is shown.

    The key alone goes to stdout, what else there is to say to stderr.

    \b
    gateway keys create films
    gateway keys create films --name "render farm" --budget-day 5000 --expires-at 2030-01-01
    KEY=$(gateway keys create films)
    """
    from gateway.keys_command import create as run

    settings = quiet_settings()
    perform(run(settings, {"team": team, **said_of(said, settings)}, as_json=as_json))


@keys.command()
@click.argument("key")
@json_option
def show(key: str, as_json: bool) -> None:
    """Show all that is known of one key, with what it has reserved, spent and left."""
    from gateway.keys_command import show_one

    perform(show_one(quiet_settings(), key, as_json=as_json))


@keys.command("set")
@click.argument("key")
@unset_option
@key_options
def change(key: str, **said: Any) -> None:
    """Change what is named, and nothing else.

    \b
    gateway keys set key_9f86d081884c7d65 --budget-day 8000
    gateway keys set key_9f86d081884c7d65 --unset expires-at
    """
    from gateway.keys_command import change as run

    settings = quiet_settings()
    changes = said_of(said, settings)
    if not changes.keys() - {"reason"}:
        raise click.UsageError("say what is to be changed; --help lists it")
    perform(run(settings, key, changes))


@keys.command()
@click.argument("key")
@click.option(
    "--overlap",
    default="24h",
    show_default=True,
    metavar="TIME",
    help="So long the old secret still opens: 0, 30m, 24h, 7d; 30 days at most.",
)
@json_option
@reason_option
def rotate(key: str, overlap: str, as_json: bool, reason: str) -> None:
    """Give a key a new secret, and print it. Its id, and what it may and spent, stays.

    \b
    gateway keys rotate key_9f86d081884c7d65
    gateway keys rotate key_9f86d081884c7d65 --overlap 0 --reason "it leaked"
    """
    from gateway.keys_command import rotate as run

    perform(run(quiet_settings(), key, seconds_of(overlap), reason, as_json=as_json))


@keys.command()
@click.argument("key")
@reason_option
def block(key: str, reason: str) -> None:
    """Let nobody in who shows it, on all processes. See unblock."""
    _set_blocked(key, True, reason)


@keys.command()
@click.argument("key")
@reason_option
def unblock(key: str, reason: str) -> None:
    """Let a blocked key in again."""
    _set_blocked(key, False, reason)


@keys.command()
@click.argument("key")
@reason_option
def revoke(key: str, reason: str) -> None:
    """Take a key out for good."""
    from gateway.keys_command import revoke as run

    perform(run(quiet_settings(), key, reason))


def _set_blocked(key: str, blocked: bool, reason: str) -> None:
    from gateway.keys_command import set_blocked

    perform(set_blocked(quiet_settings(), key, blocked, reason))
