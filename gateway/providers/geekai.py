"""CogVideoX at geekai.co, a reseller with words of its own.

Requests and answers: https://docs.geekai.co/cn/api/video/generations,
https://docs.geekai.co/cn/api/video/retrieval and https://docs.geekai.co/cn/docs/video/txt2video.
Errors: https://docs.geekai.co/en/docs/error_codes.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from gateway.domain.account import Account, ApiKey
from gateway.domain.provider_answers import (
    Accepted,
    Failed,
    KeyRefused,
    LookAnswer,
    Lost,
    Missing,
    Refused,
    Rest,
    Running,
    SubmitAnswer,
    Succeeded,
)
from gateway.domain.video import VideoRequest
from gateway.providers.http import Answer, BeforeBytes, NoAnswer, NotSent, ProviderHttp
from gateway.providers.reading import against_policy, error_of, failure_of, text, videos_of
from gateway.providers.verdicts import by_status

# "7 days by default", says its handbook of the links on its own file server.
LINKS_LIVE_SECONDS = 7 * 86400.0

# Its list for the CogVideoX family, as far as CogVideoX-3 itself has the size.
_SIZES = ("1024x1024", "1920x1080", "1080x1920", "2048x1080", "3840x2160")


class GeekAI:
    """Fits the port `Provider`."""

    def __init__(self, http: ProviderHttp) -> None:
        self._http = http

    async def submit(
        self,
        account: Account,
        key: ApiKey,
        request_id: str,
        request: VideoRequest,
        before_bytes: BeforeBytes,
    ) -> SubmitAnswer:
        """`request_id` is not sent: this vendor has no such field, nor a place to look it up."""
        url = f"{account.base_url}/videos/generations"
        try:
            answer = await self._http.submit(url, key.secret, request_body(request), before_bytes)
        except NotSent as error:
            return Refused(f"not reached: {error}", Rest.UNREACHABLE)
        except NoAnswer as error:
            return Lost(str(error))
        provider_task_id = text((answer.body or {}).get("task_id"))
        if answer.status == 200 and provider_task_id:
            return Accepted(provider_task_id, text((answer.body or {}).get("model")))
        code, message = error_of(answer.body)
        # It has no codes of its own that could be relied on: told in bigmodel's digits.
        told = "1301" if against_policy(code, message) else code or _CODES.get(answer.status)
        return by_status(answer.status).answer(
            told or f"http_{answer.status}", message or "the vendor gave no reason"
        )

    async def look(self, account: Account, key: ApiKey, provider_task_id: str) -> LookAnswer:
        url = f"{account.base_url}/video/{quote(provider_task_id, safe='')}/result"
        try:
            answer = await self._http.look(url, key.secret)
        except (NotSent, NoAnswer) as error:
            return Running(doubt=str(error))
        if answer.status == 200:
            return read_state(answer.body)
        return _refused_look(answer)


_CODES = {400: "1210", 413: "1210", 415: "1210", 422: "1210"}


def cannot_express(request: VideoRequest) -> str | None:
    """Fits `CannotExpress`: what the vendor's pages do not document is not tried on it."""
    if request.user_id is not None:
        return "user_id"
    if request.size is not None and request.size not in _SIZES:
        return "size"
    if not request.prompt:
        return "prompt"
    if any(not image.startswith("http") for image in request.images):
        return "image"
    return None


def request_body(request: VideoRequest) -> dict[str, Any]:
    """What the vendor gets: what the caller said, and that we do not wait at its door.

    One image goes as a string, two (first and last frame) as an array.
    """
    images: str | list[str] | None = list(request.images) or None
    if len(request.images) == 1:
        images = request.images[0]
    body = {
        "model": request.model,
        "prompt": request.prompt,
        "image": images,
        "quality": request.quality,
        "with_audio": request.with_audio,
        "watermark": request.watermark,
        "size": request.size,
        "fps": request.fps,
        "duration": request.duration_seconds,
        "retries": request.retries,
        "async": True,
    }
    return {name: value for name, value in body.items() if value is not None}


def read_state(body: dict[str, Any] | None) -> LookAnswer:
    """Read a 200. Whatever is not plainly an end means that the task still runs."""
    status = (body or {}).get("task_status")
    if body is None or status is None:
        return Running(doubt="the vendor's answer cannot be read")
    if status in ("pending", "running"):
        return Running()
    if status == "failed":
        return Failed(failure_of(body))
    if status not in ("succeed", "success"):  # the second on older pages
        return Running(doubt=f"unknown task_status {str(status)[:40]!r}")
    videos = videos_of(body, LINKS_LIVE_SECONDS)
    if not videos:
        return Running(doubt=f"{status} without a video")
    return Succeeded(videos, text(body.get("model")))


def _refused_look(answer: Answer) -> LookAnswer:
    _, message = error_of(answer.body)
    reason = f"HTTP {answer.status}: {message}"
    if answer.status == 401:
        return KeyRefused(reason)
    # Balance, rights and rates say nothing of the task.
    if answer.status in (400, 404, 410):
        return Missing(reason)
    return Running(doubt=reason)
