"""`gateway accounts` and `gateway secrets`: their words at the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gateway.account_options import form_options, read_keys, read_text, reason_option, said_of
from gateway.command_run import perform, quiet_settings

_KEY_FILE = "Keys, one a line ('-': stdin). On a terminal they are asked for if it is not given."


@click.group()
def accounts() -> None:
    """Look at the accounts and change them while the gateway runs.

    What is made here is kept in the store, its keys encrypted; accounts of the settings are shown,
    tested, paused and drained here, and changed there. API keys are never given as arguments, where
    every user of the machine could read them.

    \b
    gateway accounts list
    gateway accounts add films --tier V1 --key-file key.txt
    gateway accounts set films --tier V2 --reason upgraded
    gateway accounts drain films && gateway accounts remove films
    """


@accounts.command("list")
@click.option("--json", "as_json", is_flag=True, help="As GET /admin/accounts answers.")
def list_accounts(as_json: bool) -> None:
    """Show every account: its slots, its keys, and what keeps it from taking tasks."""
    from gateway.accounts_command import show_all

    perform(show_all(quiet_settings(), as_json=as_json))


@accounts.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As GET /admin/accounts/NAME answers.")
def show(name: str, as_json: bool) -> None:
    """Show all that is known of one account."""
    from gateway.accounts_command import show_one

    perform(show_one(quiet_settings(), name, as_json=as_json))


@accounts.command()
@click.argument("name")
@click.option("--provider", help="bigmodel (unless said otherwise) or geekai.")
@click.option("--key-file", type=click.Path(path_type=Path, allow_dash=True), help=_KEY_FILE)
@form_options
def add(name: str, key_file: Path | None, **said: Any) -> None:
    """Make an account. It takes tasks at once, in every process.

    This may be the first thing that is done: where there is no store yet, it is made.

    \b
    gateway accounts add films --tier V1                     # asks for the key
    gateway accounts add second --provider geekai --limit 5 --key-file keys.txt
    pass show geekai | gateway accounts add third --provider geekai --tier V0 --key-file -
    """
    from gateway.accounts_command import add as run

    perform(run(quiet_settings(), {"name": name, **said_of(said), "api_keys": read_keys(key_file)}))


@accounts.command("set")
@click.argument("name")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Its keys from now on, one a line ('-': stdin), in place of all that it has.",
)
@click.option(
    "--add-key-file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Keys beside those that it has.",
)
@click.option("--remove-key", "remove_keys", metavar="ID", multiple=True, help="One that it has.")
@form_options
def change(
    name: str,
    key_file: Path | None,
    add_key_file: Path | None,
    remove_keys: tuple[str, ...],
    **said: Any,
) -> None:
    """Change what is named, and nothing else. A tier and a limit take the place of one another.

    \b
    gateway accounts set films --tier V2 --reason upgraded
    gateway accounts set films --limits cogvideox-3=3 --weight 0.5
    gateway accounts set films --add-key-file new.txt --remove-key 3f1b0c62a9de
    """
    from gateway.accounts_command import change as run

    changes = said_of(said)
    if key_file is not None:
        changes["api_keys"] = read_keys(key_file)
    if add_key_file is not None:
        changes["add_keys"] = read_keys(add_key_file)
    if remove_keys:
        changes["remove_keys"] = list(remove_keys)
    if not changes.keys() - {"reason"}:
        raise click.UsageError("say what is to be changed; --help lists it")
    perform(run(quiet_settings(), name, changes))


@accounts.command()
@click.argument("name")
@reason_option
def pause(name: str, reason: str) -> None:
    """Give it no new tasks for a while; those that run on it are looked after."""
    _set_state(name, "pause", reason)


@accounts.command()
@click.argument("name")
@reason_option
def drain(name: str, reason: str) -> None:
    """Give it no new tasks, to take it out when those that run have ended."""
    _set_state(name, "drain", reason)


@accounts.command()
@click.argument("name")
@reason_option
def resume(name: str, reason: str) -> None:
    """Let it go on, and try at once whatever it was left alone for."""
    _set_state(name, "resume", reason)


@accounts.command()
@click.argument("name")
@reason_option
def remove(name: str, reason: str) -> None:
    """Take an account out that has no tasks any more."""
    from gateway.accounts_command import remove as run

    perform(run(quiet_settings(), name, reason))


@accounts.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
def test(names: tuple[str, ...]) -> None:
    """Ask the vendor whether keys work, of all accounts unless some are named.

    It costs nothing: the question is about a task that cannot exist. Exits with 1 if a key is
    refused.
    """
    from gateway.accounts_command import test as run

    if perform(run(quiet_settings(), names)):
        sys.exit(1)


@accounts.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--into", metavar="NAME", help="All keys go into this one account, new or there.")
@click.option("--prefix", metavar="TEXT", help="An account each, numbered; else: account-.")
@click.option("--provider", help="bigmodel (unless said otherwise) or geekai.")
@form_options
def import_file(file: Path, into: str | None, prefix: str | None, **said: Any) -> None:
    """Make accounts of many keys: a line each, `KEY` or `NAME KEY`; '-' reads stdin.

    Blank lines and those with # in front are skipped, and so are keys that are there already. One
    bad line, and nothing is made.

    \b
    gateway accounts import keys.txt --tier V0
    gateway accounts import keys.txt --prefix march- --provider geekai --limit 5
    gateway accounts import more.txt --into films
    """
    from gateway.accounts_command import import_lines as run

    if into is not None and prefix is not None:
        raise click.UsageError("give either --into or --prefix")
    perform(run(quiet_settings(), read_text(file), said_of(said), into=into, prefix=prefix))


@click.group()
def secrets() -> None:
    """What account keys in the store are encrypted with."""


@secrets.command()
def rotate() -> None:
    """Encrypt every kept key anew with the first secret of GATEWAY_SECRET_KEY.

    Where the secret is the data directory's own file (secret.key), a new one is made first, and the
    old one is taken out at the end; if this is interrupted, run it again.

    \b
    1. add the new secret behind the old one (OLD,NEW) everywhere, and restart
    2. put it in front (NEW,OLD) everywhere, restart, and run: gateway secrets rotate
    3. take the old one out (NEW), and restart
    """
    from gateway.secrets_command import rotate as run

    click.echo(perform(run(quiet_settings())))


def _set_state(name: str, word: str, reason: str) -> None:
    from gateway.accounts_command import set_state

    perform(set_state(quiet_settings(), name, word, reason))
