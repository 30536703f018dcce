"""The files behind a result's links: real videos and covers, by Range, until they expire."""

import time
from pathlib import Path
from urllib.parse import parse_qs

from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.simulator.state import Simulator
from gateway.simulator.tasks import Task

ASSETS = Path(__file__).parent / "assets"
MEDIA_TYPES = {"mp4": "video/mp4", "png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
COVER_FORMATS = ("png", "jpg", "webp")


def routes(simulator: Simulator) -> list[Route]:
    return [Route("/media/{id}.{ending}", Media(simulator), methods=["GET"])]


def links(simulator: Simulator, task: Task, base: str) -> dict[str, object]:
    """bigmodel's entry of `video_result`, signed as far as a time to live goes."""
    settings = simulator.settings
    base = (settings.public_url or base).rstrip("/")
    expires = _expiry(simulator, task)
    cover = settings.cover_format or COVER_FORMATS[task.number % len(COVER_FORMATS)]
    return {
        "url": f"{base}/media/{task.id}.mp4?Expires={expires}",
        "cover_image_url": f"{base}/media/{task.id}.{cover}?Expires={expires}",
    }


def _expiry(simulator: Simulator, task: Task) -> int:
    settings = simulator.settings
    if task.links_expire_at is None or settings.resign_links:
        lifetime = (
            settings.geekai_url_lifetime_seconds
            if task.vendor == "geekai"
            else settings.url_lifetime_seconds
        )
        signed_at = simulator.now() if settings.resign_links else task.ends_at
        task.links_expire_at = int(simulator.epoch(signed_at) + lifetime)
    return task.links_expire_at


class Media:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._stats = {path: path.stat() for path in ASSETS.iterdir()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._response(scope)(scope, receive, send)

    def _response(self, scope: Scope) -> Response:
        task_id, ending = scope["path_params"]["id"], scope["path_params"]["ending"]
        task = self._simulator.vendor.find(task_id, self._simulator.now())
        if task is None or task.status != "SUCCESS" or ending not in MEDIA_TYPES:
            return PlainTextResponse("no such file", 404)
        expires = parse_qs(scope["query_string"].decode("latin-1")).get("Expires", [""])[0]
        if not expires.isdecimal() or int(expires) <= time.time():
            return PlainTextResponse("link without Expires, or expired", 403)
        path = ASSETS / f"{_orientation(task.order.body.get('size'))}.{ending}"
        return FileResponse(path, media_type=MEDIA_TYPES[ending], stat_result=self._stats[path])


def _orientation(size: object) -> str:
    width, _, height = str(size or "1920x1080").partition("x")
    if int(width) == int(height):
        return "square"
    return "landscape" if int(width) > int(height) else "portrait"
