"""The command: `python -m tests.soak --tasks 600`."""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import click

from tests.soak.events import Events
from tests.soak.report import details, table
from tests.soak.run import Plan, soak
from tests.soak.stage import Holds


def _span(context: click.Context, option: click.Parameter, text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split("-"))
    except ValueError:
        raise click.BadParameter("must be two numbers of seconds, like 0.5-2") from None
    if not 0 < low <= high:
        raise click.BadParameter("the shorter time comes first")
    return low, high


@click.command()
@click.option("--tasks", default=600, show_default=True, type=click.IntRange(1))
@click.option("--seed", type=int, help="Of tasks, faults and chaos. Default: another each time.")
@click.option("--minutes", default=90.0, show_default=True, help="No task begins later than this.")
@click.option("--replicas", default=4, show_default=True, type=click.IntRange(2))
@click.option("--outstanding", default=300, show_default=True, help="Tasks under way at one time.")
@click.option(
    "--strike-every",
    default="0.5-2",
    show_default=True,
    callback=_span,
    help="Seconds from one killed, stopped or paused replica to the next.",
)
@click.option(
    "--wave-every",
    default=40.0,
    show_default=True,
    type=click.FloatRange(10),
    help="Seconds from one wave of 240 tasks to the next.",
)
@click.option(
    "--hold",
    default=Holds.unknown_hold_seconds,
    show_default=True,
    help="Of unknown outcomes. One that is far too short must make violations.",
)
@click.option("--folder", type=click.Path(path_type=Path), help="For logs. Default: a new one.")
def main(
    tasks: int,
    seed: int | None,
    minutes: float,
    replicas: int,
    outstanding: int,
    strike_every: tuple[float, float],
    wave_every: float,
    hold: float,
    folder: Path | None,
) -> None:
    """Run the gateway through chaos, and count what was lost, doubled, overbooked or leaked."""
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    folder = folder or Path(tempfile.mkdtemp(prefix="gateway-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    plan = Plan(tasks, seed, minutes, replicas, outstanding, strike_every, wave_every, hold)
    with closing(Events(folder / "events.jsonl")) as events:
        click.echo(f"seed {seed}, events in {events.path}")
        events.tell("begin", **vars(plan))
        outcome = asyncio.run(soak(plan, folder, events, click.echo))
        click.echo(f"\n{table(outcome)}\n")
        for line in details(outcome, events, sorted(folder.glob("replica-*.log"))):
            click.echo(line)
            events.tell("verdict", line=line)
        click.echo(f"seed {seed}, events in {events.path}")
    if outcome.violations:
        sys.exit(1)
    shutil.rmtree(folder / "store")


if __name__ == "__main__":
    main()
