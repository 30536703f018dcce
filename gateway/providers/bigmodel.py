"""CogVideoX at bigmodel.cn, and at z.ai, whose API is the same.

Requests and answers: https://docs.bigmodel.cn/api-reference/模型-api/视频生成异步 and
https://docs.bigmodel.cn/api-reference/模型-api/查询异步结果.
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
from gateway.domain.task import TaskError
from gateway.domain.video import Video, VideoRequest
from gateway.providers.bigmodel_errors import BY_CODE, verdict_on
from gateway.providers.http import Answer, BeforeBytes, NoAnswer, NotSent, ProviderHttp

_CONTENT_POLICY = ("1301", "sensitive", "unsafe", "敏感", "不安全")


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
        url = f"{account.base_url}/videos/generations"
        body = request_body(request, request_id)
        try:
            answer = await self._http.submit(url, key.secret, body, before_bytes)
        except NotSent as error:
            return Refused(f"not reached: {error}", Rest.UNREACHABLE)
        except NoAnswer as error:
            return Lost(str(error))
        provider_task_id = _text((answer.body or {}).get("id"))
        if answer.status == 200 and provider_task_id:
            return Accepted(provider_task_id, _text((answer.body or {}).get("model")))
        code, message = _error(answer.body)
        return verdict_on(answer.status, code).answer(
            code or f"http_{answer.status}", message or "the vendor gave no reason"
        )

    async def look(self, account: Account, key: ApiKey, provider_task_id: str) -> LookAnswer:
        url = f"{account.base_url}/async-result/{quote(provider_task_id, safe='')}"
        try:
            answer = await self._http.look(url, key.secret)
        except (NotSent, NoAnswer) as error:
            return Running(doubt=str(error))
        if answer.status == 200:
            return read_state(answer.body)
        return _refused_look(answer)


def request_body(request: VideoRequest, request_id: str) -> dict[str, Any]:
    """What the vendor gets: what the caller said and nothing else, so never a null.

    One image goes as a string, two as an array: the vendor's schema knows arrays of two only.
    """
    images: str | list[str] | None = list(request.images) or None
    if len(request.images) == 1:
        images = request.images[0]
    body = {
        "model": request.model,
        "prompt": request.prompt,
        "image_url": images,
        "quality": request.quality,
        "with_audio": request.with_audio,
        "watermark_enabled": request.watermark,
        "size": request.size,
        "fps": request.fps,
        "duration": request.duration_seconds,
        "request_id": request_id,
        "user_id": request.user_id,
    }
    return {name: value for name, value in body.items() if value is not None}


def read_state(body: dict[str, Any] | None) -> LookAnswer:
    """Read a 200. Whatever is not plainly an end means that the task still runs."""
    status = (body or {}).get("task_status")
    if body is None or status is None:
        return Running(doubt="the vendor's answer cannot be read")
    if status == "PROCESSING":
        return Running()
    if status == "FAIL":
        return Failed(_failure(body))
    if status != "SUCCESS":
        return Running(doubt=f"unknown task_status {str(status)[:40]!r}")
    videos = _videos(body)
    if not videos:
        return Running(doubt="SUCCESS without a video")
    return Succeeded(videos, _text(body.get("model")))


def _videos(body: dict[str, Any]) -> tuple[Video, ...]:
    """The documented array; an object or a bare `video_url`, as some relays answer, will do."""
    results = body.get("video_result")
    if isinstance(results, dict):
        results = [results]
    if not isinstance(results, list):
        results = [{"url": body.get("video_url")}]
    return tuple(
        Video(url=url, cover_url=_link(result.get("cover_image_url")))
        for result in results
        if isinstance(result, dict) and (url := _link(result.get("url")))
    )


def _failure(body: dict[str, Any]) -> TaskError:
    """The documents define no reason of a FAIL; these are the shapes seen in the wild."""
    code, message = _error(body)
    words = f"{code} {message}".lower()
    if any(hint in words for hint in _CONTENT_POLICY):
        why = message or "blocked by the vendor's content policy"
        return TaskError(code="1301", message=why, caller_at_fault=True)
    why = message or "the vendor could not make the video and gave no reason"
    return TaskError(code=code or "generation_failed", message=why)


def _refused_look(answer: Answer) -> LookAnswer:
    code, message = _error(answer.body)
    reason = f"HTTP {answer.status}, {code}: {message}"
    if answer.status == 401 or (code is not None and "1000" <= code <= "1004"):
        return KeyRefused(reason)
    # A known trouble of the account says nothing of the task, whatever status it comes with.
    if code is not None and code in BY_CODE and BY_CODE[code].rest is not None:
        return Running(doubt=reason)
    # Undocumented what an unknown id gets; a 4xx that is no matter of keys, rights or rates.
    if 400 <= answer.status < 500 and answer.status not in (403, 408, 425, 429, 434):
        return Missing(reason)
    return Running(doubt=reason)


def _error(body: dict[str, Any] | None) -> tuple[str | None, str | None]:
    """Code and message, nested or flat, the code as a string or a number."""
    if body is None:
        return None, None
    error = body.get("error", body)
    if isinstance(error, str):
        return _text(body.get("code")), error[:500]
    if not isinstance(error, dict):
        return None, None
    message = error.get("message", body.get("message"))
    return _text(error.get("code")), message[:500] if isinstance(message, str) else None


def _text(value: object) -> str | None:
    """An id or a code: digits may come as a number, but never as anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)[:256] or None


def _link(value: object) -> str | None:
    if isinstance(value, str) and value.startswith(("https://", "http://")):
        return value
    return None
