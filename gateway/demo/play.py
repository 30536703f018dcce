"""The demo's story, from the first request to a video that plays."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import httpx
from rich.console import Console

from gateway.bootstrap import Pool, open_pool, store_url
from gateway.configuration import load_settings
from gateway.demo.screen import Shown, screen
from gateway.demo.stage import LIMIT, DemoFailed, Stage, stage

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
_PATIENCE_SECONDS = 120


def run(*, keep: bool) -> int:
    """Play the demo; return the exit status."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="gateway-demo-") as name, ExitStack() as stack:
        folder = Path(name)
        try:
            on = stack.enter_context(stage(folder, console))
            asyncio.run(_play(on, console))
            _tell_how_to_go_on(on, console, keep=keep)
            if keep:
                on.wait()
        except KeyboardInterrupt:
            console.print("\nstopped")
        except DemoFailed as error:
            console.print(f"[red]the demo failed:[/] {error}")
            console.print(_last_words(folder))
            return 1
    return 0


async def _play(on: Stage, console: Console) -> None:
    headers = {"Authorization": f"Bearer {on.team_key}"}
    async with (
        httpx.AsyncClient(base_url=on.gateway_url, headers=headers, timeout=30) as http,
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
        await _judge(on, console, videos)


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
    with screen(console) as show:
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


async def _judge(on: Stage, console: Console, videos: list[Shown]) -> None:
    """Ask the vendor what it saw, and look at what came back."""
    console.rule("[bold]4. What the vendor counted, and a video that plays")
    async with httpx.AsyncClient(timeout=30) as http:
        stats = (await http.get(f"{on.simulator_url}/simulator/stats")).json()["total"]
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


def _tell_how_to_go_on(on: Stage, console: Console, *, keep: bool) -> None:
    console.rule(
        "[bold]5. Now you"
        if keep
        else f"[bold]5. Now you: `{_command()} demo --keep` leaves it running"
    )
    console.print(
        f"""
curl {on.gateway_url}/v1/videos/generations \\
  -H "Authorization: Bearer {on.team_key}" \\
  -d '{{"model": "cogvideox-3", "prompt": "A cat is playing with a ball."}}'

from zai import ZhipuAiClient
client = ZhipuAiClient(base_url="{on.gateway_url}/v1", api_key="{on.team_key}")
video = client.videos.generations(model="cogvideox-3", prompt="A cat is playing with a ball.")
client.videos.retrieve_videos_result(id=video.id)
""",
        soft_wrap=True,
        markup=False,
    )
    if keep:
        console.print(
            f"Who holds which slot: GATEWAY_CONFIG={on.config} {_command()} slots\n"
            f"Play fate for the vendor: {on.simulator_url}/simulator/docs\nCtrl-C ends it.",
            soft_wrap=True,
        )


def _command() -> str:
    """How this program is called from here."""
    return "gateway" if shutil.which("gateway") else ".venv/bin/gateway"


def _last_words(folder: Path) -> str:
    """The ends of the processes' logs, for whoever has to find out."""
    logs = ((log.name, log.read_text().splitlines()[-15:]) for log in folder.glob("*.log"))
    return "\n".join("\n".join((f"--- {name}", *lines)) for name, lines in logs)
