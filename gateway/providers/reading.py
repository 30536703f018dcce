"""Reading what a vendor answers: strict about what matters, tolerant about how it is wrapped."""

from __future__ import annotations

import time
from typing import Any

from gateway.domain.task import TaskError
from gateway.domain.video import Video
from gateway.providers.links import expiry

_CONTENT_POLICY_CODE = "1301"
_CONTENT_POLICY_WORDS = ("sensitive", "unsafe", "敏感", "不安全")


def text(value: object) -> str | None:
    """An id or a code: digits may come as a number, but never as anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)[:256] or None


def error_of(body: dict[str, Any] | None) -> tuple[str | None, str | None]:
    """Code and message, nested or flat, the code as a string or a number."""
    if body is None:
        return None, None
    error = body.get("error") or body
    if isinstance(error, str):
        return text(body.get("code")), error[:500]
    if not isinstance(error, dict):
        return None, None
    message = error.get("message", body.get("message"))
    return text(error.get("code")), message[:500] if isinstance(message, str) else None


def against_policy(code: str | None, message: str | None) -> bool:
    """Whether the vendor refused what was asked for because of its content."""
    words = (message or "").lower()
    return code == _CONTENT_POLICY_CODE or any(word in words for word in _CONTENT_POLICY_WORDS)


def failure_of(body: dict[str, Any]) -> TaskError:
    """Why a task failed: no vendor documents the shape; these are those seen in the wild."""
    code, message = error_of(body)
    if against_policy(code, message):
        why = message or "blocked by the vendor's content policy"
        return TaskError(code=_CONTENT_POLICY_CODE, message=why, caller_at_fault=True)
    why = message or "the vendor could not make the video and gave no reason"
    return TaskError(code=code or "generation_failed", message=why)


def videos_of(body: dict[str, Any], usual_seconds: float) -> tuple[Video, ...]:
    """The documented array; an object or a bare `video_url`, as some relays answer, will do.

    `usual_seconds` is how long the vendor's links live where they do not say it themselves.
    """
    results = body.get("video_result")
    if isinstance(results, dict):
        results = [results]
    if not isinstance(results, list):
        results = [{"url": body.get("video_url")}]
    return tuple(
        Video(
            url=url,
            cover_url=_link(result.get("cover_image_url")),
            expires_at=expiry(url, time.time(), usual_seconds),
        )
        for result in results
        if isinstance(result, dict) and (url := _link(result.get("url")))
    )


def only_said(body: dict[str, Any]) -> dict[str, Any]:
    """A body without what was not said: a vendor's own default applies, and never gets a null."""
    return {name: value for name, value in body.items() if value is not None}


def one_or_several(images: tuple[str, ...]) -> str | list[str] | None:
    """One image as a string, two as an array: the vendors' schemas know arrays of two only."""
    return images[0] if len(images) == 1 else list(images) or None


def _link(value: object) -> str | None:
    if isinstance(value, str) and value.startswith(("https://", "http://")):
        return value
    return None
