"""CogVideoX at bigmodel.cn, and at z.ai, whose API is the same.

Requests and answers: https://docs.bigmodel.cn/api-reference/模型-api/视频生成异步 and
https://docs.bigmodel.cn/api-reference/模型-api/查询异步结果.
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
from gateway.providers.bigmodel_errors import BY_CODE, verdict_on
from gateway.providers.http import Answer, BeforeBytes, ProviderHttp
from gateway.providers.reading import (
    error_of,
    failure_of,
    one_or_several,
    only_said,
    text,
    videos_of,
)
from gateway.providers.verdicts import KEY

# Undocumented; the signed links seen so far carry an Expires of a day after the video was made.
LINKS_LIVE_SECONDS = 86400.0


class BigModel:
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
        return await submitted(
            self._http,
            f"{account.base_url}/videos/generations",
            key.secret,
            request_body(request, request_id),
            before_bytes,
            id_field="id",
            refusal=_refused_submit,
        )

    async def look(self, account: Account, key: ApiKey, provider_task_id: str) -> LookAnswer:
        return await looked(
            self._http,
            f"{account.base_url}/async-result/{quote(provider_task_id, safe='')}",
            key.secret,
            state=read_state,
            refusal=_refused_look,
        )


def cannot_express(request: VideoRequest) -> str | None:
    """Fits `CannotExpress`: the vendor makes no further tries by itself."""
    return "retries" if request.retries else None


def request_body(request: VideoRequest, request_id: str) -> dict[str, Any]:
    """What the vendor gets: what the caller said and nothing else."""
    return only_said(
        {
            "model": request.model,
            "prompt": request.prompt,
            "image_url": one_or_several(request.images),
            "quality": request.quality,
            "with_audio": request.with_audio,
            "watermark_enabled": request.watermark,
            "size": request.size,
            "fps": request.fps,
            "duration": request.duration_seconds,
            "request_id": request_id,
            "user_id": request.user_id,
        }
    )


def read_state(body: dict[str, Any] | None) -> LookAnswer:
    """Read a 200. Whatever is not plainly an end means that the task still runs."""
    status = (body or {}).get("task_status")
    if body is None or status is None:
        return Running(doubt="the vendor's answer cannot be read")
    if status == "PROCESSING":
        return Running()
    if status == "FAIL":
        return Failed(failure_of(body))
    if status != "SUCCESS":
        return Running(doubt=f"unknown task_status {str(status)[:40]!r}")
    videos = videos_of(body, LINKS_LIVE_SECONDS)
    if not videos:
        return Running(doubt="SUCCESS without a video")
    return Succeeded(videos, text(body.get("model")))


def _refused_submit(answer: Answer) -> SubmitAnswer:
    code, message = error_of(answer.body)
    return verdict_on(answer.status, code).answer(
        code or f"http_{answer.status}", message or "the vendor gave no reason"
    )


def _refused_look(answer: Answer) -> LookAnswer:
    code, message = error_of(answer.body)
    reason = f"HTTP {answer.status}, {code}: {message}"
    known = BY_CODE.get(code or "")
    if known is KEY or (known is None and answer.status == 401):
        return KeyRefused(reason)
    # A known trouble of the account says nothing of the task, whatever status it comes with.
    if known is not None and known.rest is not None:
        return Running(doubt=reason)
    # Undocumented what an unknown id gets: a 4xx that is no matter of keys, rights or rates. But in
    # the vendor's own form; a page that says 404 is of somebody else, at a wrong address.
    of_task = 400 <= answer.status < 500 and answer.status not in (403, 408, 425, 429, 434)
    if answer.body is not None and of_task:
        return Missing(reason)
    return Running(doubt=reason)
