"""How the demo shows what happens: live where there is a terminal, else a line a change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.demo.stage import LIMIT


@dataclass
class Shown:
    """One video as the screen shows it."""

    what: str
    task_id: str
    status: str = "PROCESSING"
    seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)
    video_url: str = ""


@contextmanager
def screen(console: Console) -> Iterator[Callable[[list[Shown], dict[str, str]], None]]:
    """A picture that changes in place; where there is no terminal, a line for each change."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            yield lambda videos, in_flight: live.update(_picture(videos, in_flight), refresh=True)
        return
    last = ""
    shown: tuple[list[Shown], dict[str, str]] = ([], {})

    def show(videos: list[Shown], in_flight: dict[str, str]) -> None:
        nonlocal last, shown
        shown = videos, in_flight
        if (now := _slots(videos, in_flight).plain) != last:
            console.print(now)
            last = now

    yield show
    console.print(_table(*shown))


def _picture(videos: list[Shown], in_flight: dict[str, str]) -> Group:
    return Group(_slots(videos, in_flight), _table(videos, in_flight))


def _slots(videos: list[Shown], in_flight: dict[str, str]) -> Text:
    used = min(len(in_flight), LIMIT)
    waiting = sum(v.status == "PROCESSING" and v.task_id not in in_flight for v in videos)
    done = sum(v.status != "PROCESSING" for v in videos)
    slots = Text("  slots  ")
    slots.append("■ " * used, style="green").append("□ " * (LIMIT - used), style="dim")
    return slots.append(f"  {used} in flight, {waiting} waiting, {done} done")


def _table(videos: list[Shown], in_flight: dict[str, str]) -> Table:
    table = Table(box=None, padding=(0, 2), show_header=False)
    for video in videos:
        table.add_row(video.what, f"[dim]{video.task_id}[/]", *_state(video, in_flight))
    return table


def _state(video: Shown, in_flight: dict[str, str]) -> tuple[str, str]:
    seconds = f"{video.seconds:.1f} s"
    if video.status == "SUCCESS":
        return "[green]done[/]", seconds
    if video.status == "FAIL":
        return "[red]failed[/]", seconds
    if video.task_id in in_flight:
        return f"[cyan]{in_flight[video.task_id]}[/]", seconds
    return "[yellow]queued[/]", seconds
