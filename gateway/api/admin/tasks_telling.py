"""How tasks are told to operators: times in ISO 8601 (UTC), money in whole fen, no images."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from gateway.api.admin.telling import time_told
from gateway.domain.ports import FoundTasks
from gateway.domain.submission import QueuePlace
from gateway.domain.task import Claim, Step, Task

_PROMPT_CHARACTERS = 200


def found_told(found: FoundTasks, max_age_seconds: float) -> dict[str, Any]:
    return {
        "tasks": [task_told(task, max_age_seconds) for task in found.tasks],
        "cursor": None if found.after is None else str(found.after),
        "searched": found.read,
    }


def task_told(task: Task, max_age_seconds: float) -> dict[str, Any]:
    request, error = task.request, task.error
    return {
        "id": task.id,
        "team": task.team,
        "key_id": task.key_id,
        "model": request.model,
        "status": task.status,
        "outcome": task.outcome,
        "account": task.account,
        "provider": task.provider,
        "provider_task_id": task.provider_task_id,
        "created_at": time_told(task.created_ms),
        "submitted_at": time_told(task.submitted_ms),
        "ended_at": time_told(task.ended_ms),
        "price_fen": task.price_fen,
        "size": request.size,
        "quality": request.quality,
        "duration": request.duration_seconds,
        "prompt": (request.prompt or "")[:_PROMPT_CHARACTERS],
        "error": None if error is None else {"code": error.code, "message": error.message},
        "looks": task.looks,
        "cancel_asked_at": time_told(task.cancel_asked_ms),
        "overdue": task.overdue(time.time(), max_age_seconds),
    }


def whole_task_told(
    task: Task, steps: tuple[Step, ...], place: QueuePlace | None, max_age_seconds: float
) -> dict[str, Any]:
    """All that is known of it; `place` where it waits."""
    request = {k: v for k, v in asdict(task.request).items() if v is not None and k != "images"}
    # What the vendor has it under, once a claim could have been sent.
    claim = Claim(task.id, task.claim_number, task.account or "", "")
    return task_told(task, max_age_seconds) | {
        "request": request,
        "served_model": task.served_model,
        "last_reason": task.last_reason,
        "claim_number": task.claim_number,
        "request_id": claim.request_id if task.claim_number else None,
        "videos": len(task.videos),
        "covers": sum(video.cover_url is not None for video in task.videos),
        "position": None if place is None else place.position,
        "steps": [
            {
                "at": time_told(step.at_ms),
                "step": step.name,
                "process": step.process,
                "note": step.note,
            }
            for step in steps
        ],
    }
