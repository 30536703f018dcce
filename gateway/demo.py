"""`gateway demo`: the whole way on one machine, told as it happens.

Real processes and real HTTP: a simulated vendor, a gateway with its embedded store, and a caller
who knows only the gateway's address and a key. It exits 0 only if every video was made.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.bootstrap import Pool, open_pool, store_url
from gateway.settings import load_settings

# The vendor's own three examples (docs.bigmodel.cn, CogVideoX-3).
EXAMPLES: Mapping[str, Mapping[str, object]] = {
    "text": {"prompt": "A cat is playing with a ball."},
    "one image": {
        "prompt": "让画面动起来",
        "image_url": "https://img.iplaysoft.com/wp-content/uploads/2019/free-images/"
        "free_stock_photo.jpg",
    },
    "first + last frame": {
        "prompt": "让画面动起来",
        "image_url": [
            "https://gd-hbimg.huaban.com/ccee58d77afe8f5e17a572246b1994f7e027657fe9e6-qD66In_fw1200webp",
            "https://gd-hbimg.huaban.com/cc2601d568a72d18d90b2cc7f1065b16b2d693f7fa3f7-hDAwNq_fw1200webp",
        ],
    },
}
COMMON = {
    "model": "cogvideox-3",
    "quality": "quality",
    "with_audio": True,
    "size": "1920x1080",
    "fps": 30,
}
AT_ONCE = 12
LIMIT = 5  # tier V0
_PATIENCE_SECONDS = 120


class DemoFailed(Exception):
    """The demo did not go as it must; one line says what."""


@dataclass
class Shown:
    """One video as the screen shows it."""

    what: str
    task_id: str
    status: str = "PROCESSING"
    seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)
    video_url: str = ""


def run(*, keep: bool) -> int:
    """Play the demo; return the exit status."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="gateway-demo-") as name, ExitStack() as stack:
        folder = Path(name)
        try:
            stage = stack.enter_context(_stage(folder, console))
            asyncio.run(_play(stage, console))
            _tell_how_to_go_on(stage, console, keep=keep)
            if keep:
                stage.wait()
        except KeyboardInterrupt:
            console.print("\nstopped")
        except DemoFailed as error:
            console.print(f"[red]the demo failed:[/] {error}")
            console.print(_last_words(folder))
            return 1
    return 0


@dataclass(frozen=True)
class Stage:
    """What is running, and what a caller needs to know of it."""

    gateway_url: str
    simulator_url: str
    team_key: str
    config: Path
    processes: tuple[subprocess.Popen[str], ...]

    def wait(self) -> None:
        """Until one of the processes ends, or Ctrl-C."""
        while all(process.poll() is None for process in self.processes):
            time.sleep(0.5)
        raise DemoFailed("one of the processes ended")


@contextmanager
def _stage(folder: Path, console: Console) -> Iterator[Stage]:
    """Start the simulator and a gateway on free ports, with settings of their own."""
    # Whatever gateway is configured on this machine, the demo has nothing to do with it.
    for name in [name for name in os.environ if name.startswith(("GATEWAY_", "SIMULATOR_"))]:
        del os.environ[name]
    console.rule("[bold]1. A vendor and a gateway, in processes of their own")
    with ExitStack() as stack:
        vendor_key = f"{secrets.token_hex(16)}.{secrets.token_hex(8)}"
        accounts = f'[{{"name": "demo", "tier": "V0", "api_keys": ["{vendor_key}"]}}]'
        options = ["--port", "0", "--duration", "3-6", "--accounts", accounts]
        simulator, simulator_url = stack.enter_context(
            _process(folder / "simulator.log", "simulator", *options)
        )
        team_key = f"sk-{secrets.token_hex(24)}"
        config = folder / "gateway.yaml"
        config.write_text(yaml.safe_dump(_settings(folder, simulator_url, vendor_key, team_key)))
        os.environ["GATEWAY_CONFIG"] = str(config)
        gateway, gateway_url = stack.enter_context(_process(folder / "gateway.log", "serve"))
        console.print(
            f"  vendor   {simulator_url}   simulated; one account of tier V0: {LIMIT} at once"
        )
        console.print(f"  gateway  {gateway_url}   its store is a Valkey of its own")
        console.print("  team     [bold]films[/] has a key for it")
        yield Stage(gateway_url, simulator_url, team_key, config, (simulator, gateway))


def _settings(
    folder: Path, simulator_url: str, vendor_key: str, team_key: str
) -> dict[str, object]:
    account = {
        "name": "demo",
        "provider": "bigmodel",
        "base_url": f"{simulator_url}/api/paas/v4",
        "tier": "V0",
        "api_keys": [vendor_key],
    }
    return {
        "port": 0,
        "data_dir": str(folder / "data"),
        "accounts": [account],
        "teams": [{"name": "films", "tier": "V3", "keys": [team_key]}],
        "first_look_seconds": 1,
        "longest_look_seconds": 2,
    }


@contextmanager
def _process(log: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command of this program, up to the line that tells its address."""
    with log.open("w") as errors:
        process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "gateway", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is ours to hand on, in order
        )
    try:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        for line in process.stdout:
            if found := re.search(r"listening on (http://\S+)", line):
                yield process, found[1]
                return
        raise DemoFailed(f"`gateway {arguments[0]}` did not start")
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


async def _play(stage: Stage, console: Console) -> None:
    headers = {"Authorization": f"Bearer {stage.team_key}"}
    async with (
        httpx.AsyncClient(base_url=stage.gateway_url, headers=headers, timeout=30) as http,
        _pool() as pool,
    ):
        console.rule("[bold]2. The vendor's three examples: POST /v1/videos/generations")
        videos = [await _submit(http, what, example) for what, example in EXAMPLES.items()]
        await _watch(http, pool, console, videos)

        console.rule(f"[bold]3. {AT_ONCE} at once: {LIMIT} go, the others wait for a slot")
        wishes = [
            {"prompt": f"花瓣被风吹起，不断的旋转变成一个人 · {i}"} for i in range(1, AT_ONCE + 1)
        ]
        videos = list(
            await asyncio.gather(
                *(_submit(http, f"number {i}", w) for i, w in enumerate(wishes, 1))
            )
        )
        await _watch(http, pool, console, videos)
        await _judge(stage, console, videos)


@asynccontextmanager
async def _pool() -> AsyncIterator[Pool]:
    """The gateway's own book of slots, which a caller does not see."""
    settings = load_settings()
    with store_url(settings) as url:
        async with open_pool(settings, url) as pool:
            yield pool


async def _submit(http: httpx.AsyncClient, what: str, fields: Mapping[str, object]) -> Shown:
    answer = await http.post("/v1/videos/generations", json=COMMON | dict(fields))
    if answer.status_code != 200:
        raise DemoFailed(f"{what}: HTTP {answer.status_code}: {answer.text}")
    return Shown(what, answer.json()["id"])


async def _watch(
    http: httpx.AsyncClient, pool: Pool, console: Console, videos: list[Shown]
) -> None:
    """Ask for all of them until all are done, and show it live."""
    give_up = time.monotonic() + _PATIENCE_SECONDS
    with _screen(console) as show:
        while True:
            in_flight = await _in_flight(pool)
            await asyncio.gather(*(_ask(http, video) for video in videos))
            show(videos, in_flight)
            if all(video.status != "PROCESSING" for video in videos):
                break
            if time.monotonic() > give_up:
                raise DemoFailed("not all videos were done in time")
            await asyncio.sleep(0.2)
    failed = [video.what for video in videos if video.status != "SUCCESS"]
    if failed:
        raise DemoFailed(f"the vendor could not make: {', '.join(failed)}")


@contextmanager
def _screen(console: Console) -> Iterator[Callable[[list[Shown], dict[str, str]], None]]:
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


async def _in_flight(pool: Pool) -> dict[str, str]:
    """Statuses inside, by the id of each task that holds a slot."""
    holdings = await pool.slots.holdings()
    return {task.id: task.status.value for holding in holdings for task in holding.tasks}


async def _ask(http: httpx.AsyncClient, video: Shown) -> None:
    if video.status != "PROCESSING":
        return
    answer = (await http.get(f"/v1/async-result/{video.task_id}")).json()
    video.status = answer["task_status"]
    video.seconds = time.monotonic() - video.began
    if video.status == "SUCCESS":
        video.video_url = answer["video_result"][0]["url"]


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


async def _judge(stage: Stage, console: Console, videos: list[Shown]) -> None:
    """Ask the vendor what it saw, and look at what came back."""
    console.rule("[bold]4. What the vendor counted, and a video that plays")
    async with httpx.AsyncClient(timeout=30) as http:
        stats = (await http.get(f"{stage.simulator_url}/simulator/stats")).json()["total"]
        movie = (await http.get(videos[0].video_url)).content
    console.print(
        f"  {stats['accepted']} accepted, most in flight at once {stats['peak_in_flight']} of "
        f"{LIMIT}, refused {stats['refused_over_limit']}, made twice {stats['duplicates']}",
        soft_wrap=True,
    )
    expected = (len(EXAMPLES) + AT_ONCE, LIMIT, 0, 0)
    counted = ("accepted", "peak_in_flight", "refused_over_limit", "duplicates")
    if tuple(stats[name] for name in counted) != expected:
        raise DemoFailed("the vendor's own count is not what it must be")
    if movie[4:8] != b"ftyp":
        raise DemoFailed("what came back is no MP4")
    with tempfile.NamedTemporaryFile(prefix="gateway-demo-", suffix=".mp4", delete=False) as saved:
        saved.write(movie)
    console.print(f"  an MP4 of {len(movie):,} bytes, saved as {saved.name}")


def _tell_how_to_go_on(stage: Stage, console: Console, *, keep: bool) -> None:
    console.rule(
        "[bold]5. Now you"
        if keep
        else f"[bold]5. Now you: `{_command()} demo --keep` leaves it running"
    )
    console.print(
        f"""
curl {stage.gateway_url}/v1/videos/generations \\
  -H "Authorization: Bearer {stage.team_key}" \\
  -d '{{"model": "cogvideox-3", "prompt": "A cat is playing with a ball."}}'

from zai import ZhipuAiClient
client = ZhipuAiClient(base_url="{stage.gateway_url}/v1", api_key="{stage.team_key}")
video = client.videos.generations(model="cogvideox-3", prompt="A cat is playing with a ball.")
client.videos.retrieve_videos_result(id=video.id)
""",
        soft_wrap=True,
        markup=False,
    )
    if keep:
        console.print(
            f"Who holds which slot: GATEWAY_CONFIG={stage.config} {_command()} slots\n"
            f"Play fate for the vendor: {stage.simulator_url}/simulator/docs\nCtrl-C ends it.",
            soft_wrap=True,
        )


def _command() -> str:
    """How this program is called from here."""
    return "gateway" if shutil.which("gateway") else ".venv/bin/gateway"


def _last_words(folder: Path) -> str:
    """The ends of the processes' logs, for whoever has to find out."""
    logs = ((log.name, log.read_text().splitlines()[-15:]) for log in folder.glob("*.log"))
    return "\n".join("\n".join((f"--- {name}", *lines)) for name, lines in logs)
