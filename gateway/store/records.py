"""How a task is written into its hash, and read back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from gateway.domain.task import Status, Step, Task, TaskError
from gateway.domain.video import Video, VideoRequest


def request_to_json(request: VideoRequest) -> str:
    """Everything that was said, without the images (kept apart) and without what was not said."""
    said = {k: v for k, v in asdict(request).items() if v is not None and k != "images"}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def ending_fields(ending: tuple[Video, ...] | TaskError) -> list[str]:
    """Name and value of the fields that tell how a task ended."""
    if isinstance(ending, TaskError):
        fields = ["error_code", ending.code, "error_message", ending.message]
        return [*fields, "caller_at_fault", "1"] if ending.caller_at_fault else fields
    return ["videos", videos_to_json(ending)]


def videos_to_json(videos: tuple[Video, ...]) -> str:
    listed = [asdict(video) for video in videos]
    return json.dumps(listed, ensure_ascii=False, separators=(",", ":"))


def task_from_record(task_id: str, record: dict[str, str]) -> Task:
    """Read a task from the fields of its hash."""
    return Task(
        id=task_id,
        team=record["team"],
        status=Status(record["status"]),
        request=VideoRequest(**json.loads(record["request"])),
        price_fen=int(record["price_fen"]),
        created_ms=int(record["created_ms"]),
        claim_number=int(record["claim"]),
        account=record.get("account"),
        provider=record.get("provider"),
        api_key_id=record.get("api_key_id"),
        provider_task_id=record.get("provider_task_id"),
        served_model=record.get("served_model") or None,
        submitted_ms=_int(record.get("submitted_ms")),
        ended_ms=_int(record.get("ended_ms")),
        looks=int(record["looks"]),
        cancel_asked_ms=_int(record.get("cancel_asked_ms")),
        last_reason=record.get("last_reason"),
        videos=tuple(Video(**video) for video in json.loads(record.get("videos", "[]"))),
        error=_error(record),
        key_id=record.get("key_id") or None,
        running_ms=int(record.get("running_ms", 0)),
    )


def step_from_text(text: str) -> Step:
    """Read a step as pool.lua writes it."""
    at_ms, name, process, note = text.split(" ", 3)
    return Step(int(at_ms), name, process, note)


def pairs(flat: list[str]) -> dict[str, str]:
    """A hash as a script returns it, name after value, as a dict."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _int(value: str | None) -> int | None:
    return None if value is None else int(value)


def _error(record: dict[str, Any]) -> TaskError | None:
    if "error_code" not in record:
        return None
    return TaskError(
        code=record["error_code"],
        message=record["error_message"],
        caller_at_fault=record.get("caller_at_fault") == "1",
    )
