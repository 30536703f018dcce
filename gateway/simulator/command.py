"""The command line: `gateway simulator`, or `python -m gateway.simulator`."""

import re
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError

from gateway.simulator.accounts import Account, Accounts
from gateway.simulator.settings import Settings

DEMO = '[{"name": "demo", "tier": "V0", "api_keys": ["demo-key.one", "demo-key.two"]}]'

_ACCOUNTS = TypeAdapter(list[Account])


class _Complaint(click.ClickException):
    exit_code = 2


class _OneLineErrors(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _Complaint(" ".join(error.format_message().split())) from None


def _duration(ctx: click.Context, option: click.Parameter, text: str) -> object:
    number = r"(\d+(?:\.\d+)?)"
    if not (match := re.fullmatch(rf"{number}(?:-{number})?", text.strip())):
        raise click.BadParameter(f"{text!r} is neither seconds ('5') nor a span of them ('2-6')")
    shortest, longest = float(match[1]), float(match[2] or match[1])
    if shortest > longest:
        raise click.BadParameter(f"{text!r}: the shorter time comes first")
    return (shortest, longest) if match[2] else shortest


def _accounts(ctx: click.Context, option: click.Parameter, text: str) -> list[Account]:
    try:
        accounts = _ACCOUNTS.validate_json(text)
        Accounts(accounts)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise click.BadParameter(f"{place}: {message}" if place else message) from None
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return accounts


@click.command(cls=_OneLineErrors)
@click.option("--host", default="127.0.0.1", show_default=True, envvar="SIMULATOR_HOST")
@click.option(
    "--port",
    default=9000,
    show_default=True,
    type=click.IntRange(0, 65535),
    envvar="SIMULATOR_PORT",
    help="0: any free port; the line on stdout tells which.",
)
@click.option(
    "--accounts",
    default=DEMO,
    callback=_accounts,
    envvar="SIMULATOR_ACCOUNTS",
    help='JSON: [{"name", "tier" or "limit", "api_keys": [...]}], and "vendor": "geekai" for an '
    "account there in place of bigmodel. Default: one V0 account of bigmodel, demo.",
)
@click.option(
    "--duration",
    default="5",
    show_default=True,
    callback=_duration,
    envvar="SIMULATOR_DURATION",
    help="Seconds that a task runs, or a span: 2-6.",
)
@click.option(
    "--seed", type=int, envvar="SIMULATOR_SEED", help="Makes durations and faults repeatable."
)
@click.option(
    "--public-url", envvar="SIMULATOR_PUBLIC_URL", help="Base of links, in place of the Host."
)
def simulator(
    host: str,
    port: int,
    accounts: list[Account],
    duration: Any,
    seed: int | None,
    public_url: str | None,
) -> None:
    """Run a vendor's server: bigmodel's API and geekai's, with limits, playable videos and faults.

    Without --accounts it has one, of tier V0, with the API keys demo-key.one and demo-key.two. A
    gateway's account there has the base_url http://HOST:PORT/api/paas/v4, one of geekai's
    http://HOST:PORT/api/v1. What can be asked and set while it runs stands at
    http://HOST:PORT/simulator/docs.
    """
    # Here, so that whoever only asks for --help need not wait for a web framework.
    from gateway.simulator.server import serve
    from gateway.simulator.state import Simulator

    settings = Settings(duration=duration, public_url=public_url)
    try:
        serve(Simulator(accounts, settings, seed), host, port)
    except OSError as error:
        reason = error.strerror or error
        raise _Complaint(f"--host {host} --port {port}: cannot listen: {reason}") from None
