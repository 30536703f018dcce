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
    Failed,
    KeyRefused,
    LookAnswer,
    Missing,
    Running,
    SubmitAnswer,
    Succeeded,
)
from gateway.domain.video import VideoRequest
from gateway.providers.asking import looked, submitted
from gateway.providers.http import Answer, BeforeBytes, ProviderHttp
from gateway.providers.reading import (
    against_policy,
    error_of,
    failure_of,
    one_or_several,
    only_said,
    text,
    videos_of,
)
from gateway.providers.verdicts import by_status

# "7 days by default", says its handbook of the links on its own file server.
LINKS_LIVE_SECONDS = 7 * 86400.0

# Its list for the CogVideoX family; which of these a model has is the catalogue's to say.
_SIZES = (
    "720x480",
    "1024x1024",
    "1280x960",
    "960x1280",
    "1920x1080",
    "1080x1920",
    "2048x1080",
    "3840x2160",
)

# Its errors have no codes that are documented. Callers are told in bigmodel's digits, whose models
# these are.
_CODES_BY_STATUS = {400: "1210", 413: "1210", 415: "1210", 422: "1210"}


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
        return await submitted(
            self._http,
            f"{account.base_url}/videos/generations",
            key.secret,
            request_body(request),
            before_bytes,
            id_field="task_id",
            refusal=_refused_submit,
        )

    async def look(self, account: Account, key: ApiKey, provider_task_id: str) -> LookAnswer:
        return await looked(
            self._http,
            f"{account.base_url}/video/{quote(provider_task_id, safe='')}/result",
            key.secret,
            state=read_state,
            refusal=_refused_look,
        )


def cannot_express(request: VideoRequest) -> str | None:
    """Fits `CannotExpress`: what the vendor's pages do not document is not tried on it."""
    if request.user_id is not None:
        return "user_id"
    if request.size is not None and request.size not in _SIZES:
        return "size"
    if not request.prompt:
        return "prompt"
    if any(image.startswith("data:") for image in request.images):
        return "image"
    return None


def request_body(request: VideoRequest) -> dict[str, Any]:
    """What the vendor gets: what the caller said, and that we do not wait at its door."""
    return only_said(
        {
            "model": request.model,
            "prompt": request.prompt,
            "image": one_or_several(request.images),
            "quality": request.quality,
            "with_audio": request.with_audio,
            "watermark": request.watermark,
            "size": request.size,
            "fps": request.fps,
            "duration": request.duration_seconds,
            "retries": request.retries,
            "async": True,
        }
    )


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


def _refused_submit(answer: Answer) -> SubmitAnswer:
    code, message = error_of(answer.body)
    told = _CODES_BY_STATUS.get(answer.status, f"http_{answer.status}")
    if against_policy(code, message):
        told = "1301"
    return by_status(answer.status).answer(told, message or "the vendor gave no reason")


def _refused_look(answer: Answer) -> LookAnswer:
    _, message = error_of(answer.body)
    reason = f"HTTP {answer.status}: {message}"
    if answer.status == 401:
        return KeyRefused(reason)
    # Balance, rights and rates say nothing of the task; nor does a page of somebody else's.
    if answer.body is not None and answer.status in (400, 404, 410):
        return Missing(reason)
    return Running(doubt=reason)
