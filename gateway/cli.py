"""The command `gateway`: serve, worker, simulator, demo, slots, accounts, secrets, teams, keys,
prices, operators, usage, audit."""

from __future__ import annotations

import asyncio
import sys

import click

from gateway import __version__
from gateway.accounts_cli import accounts, secrets
from gateway.configuration import load_settings
from gateway.keys_cli import keys
from gateway.logs import configure_logging
from gateway.operators_cli import operators
from gateway.prices_cli import prices
from gateway.settings import Settings, WrongSettings
from gateway.simulator.command import simulator
from gateway.teams_cli import teams
from gateway.usage_cli import usage


def main() -> None:
    """Run the command; a person's mistake ends in one line, not in a traceback."""
    # Imported here like every command's own parts: `gateway --help` need not load a web server.
    from gateway.domain.errors import StoreUnavailable
    from gateway.store.embedded import EmbeddedStoreError

    try:
        cli()
    except WrongSettings as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except EmbeddedStoreError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except StoreUnavailable as error:
        click.echo(f"error: the store does not answer: {error.__cause__ or error}", err=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="cogvideo-gateway")
def cli() -> None:
    """A self-hosted gateway for asynchronous video generation.

    Settings come from the environment (GATEWAY_...) and from gateway.yaml. From nothing to a first
    video:

    \b
    gateway accounts add main --tier V0    # an account at the vendor; asks for its API key
    gateway teams add films                # a team that may call
    gateway keys create films              # its key, and a first call to try
    gateway serve
    """


cli.add_command(simulator)
cli.add_command(accounts)
cli.add_command(secrets)
cli.add_command(teams)
cli.add_command(keys)
cli.add_command(prices)
cli.add_command(operators)
cli.add_command(usage)


@cli.command()
@click.option("--no-worker", is_flag=True, help="Leave looks, sweeps and the queue to workers.")
def serve(no_worker: bool) -> None:
    """Run the API, and the background work unless told otherwise."""
    from gateway.server import serve as run

    run(_settings(), with_worker=not no_worker, announce=click.echo)


@cli.command()
def worker() -> None:
    """Run the background work alone, beside any number of others."""
    from gateway.server import work

    work(_settings(), announce=click.echo)


@cli.command()
@click.option("--keep", is_flag=True, help="Leave everything running afterwards, until Ctrl-C.")
def demo(keep: bool) -> None:
    """Make videos through the whole way on this machine, against the simulator."""
    from gateway.demo.play import run

    sys.exit(run(keep=keep))


@cli.group(invoke_without_command=True)
@click.option("--verify", is_flag=True, help="Compare slots with records; exit 1 on a difference.")
@click.pass_context
def slots(context: click.Context, verify: bool) -> None:
    """Show who holds which slots of which account; release one by hand."""
    from gateway.slots_command import show, verify_slots

    if context.invoked_subcommand is not None:
        return
    settings = _settings(log_level="warning")
    if not verify:
        asyncio.run(show(settings))
        return
    differences = asyncio.run(verify_slots(settings))
    for difference in differences:
        click.echo(difference)
    if differences:
        sys.exit(1)
    click.echo("slots and records agree")


@slots.command("release")
@click.argument("task_id", metavar="TASK")
@click.option("--reason", required=True, help="Why; kept in the audit.")
@click.option("--force", is_flag=True, help="Also a task that runs and is not overdue.")
def release_slot(task_id: str, reason: str, force: bool) -> None:
    """Free the slot of a task that is overdue, or whose outcome is unknown.

    The task fails and is not billed. Nothing proves that the vendor is done with it: if it is not,
    the account will be over its limit until then.
    """
    from gateway.slots_command import release

    click.echo(asyncio.run(release(_settings(log_level="warning"), task_id, reason, force=force)))


@cli.command()
@click.option("--last", default=50, show_default=True, help="So many entries, the latest.")
def audit(last: int) -> None:
    """Show what operators did, and why."""
    from gateway.slots_command import show_audit

    asyncio.run(show_audit(_settings(log_level="warning"), last))


def _settings(log_level: str | None = None) -> Settings:
    settings = load_settings()
    configure_logging(log_level or settings.log_level, settings.log_format)
    return settings
