"""What the command line says of an account, in the words of the admin API.

Keys come from files, from stdin or from whoever is asked: never from an argument, which every user
of the machine could read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
reason_option = click.option("--reason", default="", metavar="WHY", help="Why; kept in the audit.")


def form_options(command: F) -> F:
    """The options that say what an account is."""
    options = (
        click.option("--tier", help="V0 to V3, or another of GATEWAY_TIERS."),
        click.option("--limit", type=int, help="Tasks in flight by model, in place of a tier."),
        click.option("--limits", metavar="MODEL=N", multiple=True, help="The same of one model."),
        click.option("--model", "models", multiple=True, help="One that it may make; else all."),
        click.option("--weight", type=float, help="Its share of free slots counts so many times."),
        click.option("--cost", "costs_fen", metavar="MODEL=FEN", multiple=True, help="Its price."),
        click.option("--base-url", help="Where its API stands, if not where the vendor's does."),
        reason_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def said_of(options: dict[str, Any]) -> dict[str, Any]:
    """What was given of the form, as the admin API takes it."""
    said = {name: value for name, value in options.items() if value not in (None, (), "")}
    for field in ("limits", "costs_fen"):
        if field in said:
            said[field] = dict(_pair(field, text) for text in said[field])
    if "models" in said:
        said["models"] = list(said["models"])
    return said


def _pair(field: str, text: str) -> tuple[str, int]:
    model, _, number = text.partition("=")
    if not number.isdecimal():
        option = {"limits": "--limits", "costs_fen": "--cost"}[field]
        raise click.UsageError(f"{option} must be like cogvideox-3=5")
    return model, int(number)


def read_keys(path: Path | None) -> list[str]:
    """The keys of a file, of stdin, or of whoever sits at the terminal."""
    if path is not None:
        lines = (line.strip() for line in read_text(path).splitlines())
        return [line for line in lines if line and not line.startswith("#")]
    if not sys.stdin.isatty():
        raise click.UsageError("give the API key with --key-file PATH, or --key-file - for stdin")
    return [click.prompt("API key", hide_input=True).strip()]


def read_text(path: Path) -> str:
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read().decode("utf-8-sig")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{path} is not a text file") from None
