"""Create a video and ask for it, mounted once per dialect; and cancel it."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import replace

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.requests import Request

from gateway.api.deps import Services, caller, read_body
from gateway.dialects import UNIFIED, Dialect
from gateway.domain.errors import (
    InvalidField,
    NotFound,
    RefusedByProvider,
    StoreUnavailable,
    TaskEnded,
)
from gateway.domain.ports import Admitted
from gateway.domain.submission import Overflow, QueuePlace, Submission
from gateway.domain.task import Status, Task
from gateway.domain.team import Team

log = logging.getLogger(__name__)

# From here on a body holds images, and decoding those would hold up everybody else's requests.
_PARSE_IN_THREAD_BYTES = 128 * 1024
_LONGEST_TASK_ID = 64
_IDEMPOTENCY_KEY = re.compile(r"[ -~]{1,255}")


def router(dialect: Dialect, services: Services) -> APIRouter:
    """The two routes of one dialect."""
    routes = APIRouter()

    @routes.post(dialect.create_path, name=f"{dialect.name}: create a video")
    async def create(request: Request) -> JSONResponse:
        request.state.dialect = dialect
        team = caller(request, services.directory)
        body = await read_body(request, services.max_body_bytes)
        submission = _with_terms(await _parse(dialect, body), request, team)
        admitted = await services.admission.admit(team, submission)
        task = admitted.task
        log.info("request %s became task %s", request.state.request_id, task.id)
        # From here on every answer says which task it is about, an error's as well.
        headers = {"x-task-id": task.id, "x-cost-fen": str(task.price_fen)}
        if admitted.replayed:
            headers["Idempotent-Replayed"] = "true"
        request.state.headers = headers
        task = await _outcome(services, admitted)
        headers |= await _queue_headers(services, task, admitted.place)
        return JSONResponse(dialect.created(task.as_told()), headers=headers)

    @routes.get(dialect.retrieve_path, name=f"{dialect.name}: retrieve a video")
    async def retrieve(request: Request, task_id: str) -> JSONResponse:
        request.state.dialect = dialect
        task = await _own_task(services, caller(request, services.directory), task_id)
        headers = {}
        if task.status is Status.QUEUED:
            headers = await _queue_headers(services, task, await services.tasks.place(task_id))
        return JSONResponse(dialect.retrieved(task.as_told()), headers=headers)

    return routes


def cancel_router(services: Services) -> APIRouter:
    """Ours alone: no vendor documents a way to cancel."""
    routes = APIRouter()

    @routes.post("/v1/videos/{task_id}/cancel", name="cancel a video")
    async def cancel(request: Request, task_id: str) -> JSONResponse:
        request.state.dialect = UNIFIED
        team = caller(request, services.directory)
        before = await _own_task(services, team, task_id)
        task = await services.admission.cancel(before)
        if task.cancel_asked_ms is None:
            raise TaskEnded(f"the task is over already: {task.status}")
        log.info("task %s is to be cancelled; it is %s", task.id, task.status)
        body = UNIFIED.retrieved(task.as_told())
        if task.status is Status.CANCELLED:
            return JSONResponse(body | {"cost_fen": 0}, headers={"x-cost-fen": "0"})
        note = (
            "the vendor has it, or may have it, and cannot be stopped: "
            "it keeps its slot until it is over, and costs this much if it is made"
        )
        return JSONResponse(
            body | {"cost_fen": task.price_fen, "message": note},
            200 if task.ended else 202,
            {"x-cost-fen": str(task.price_fen)},
        )

    return routes


async def _parse(dialect: Dialect, body: bytes) -> Submission:
    if len(body) < _PARSE_IN_THREAD_BYTES:
        return dialect.parse(body)
    return await asyncio.to_thread(dialect.parse, body)


def _with_terms(submission: Submission, request: Request, team: Team) -> Submission:
    """What the header and the team's settings say beside the body.

    Raises:
        InvalidField: an idempotency key that is none.
    """
    key = request.headers.get("idempotency-key")
    if key is not None:
        if not _IDEMPOTENCY_KEY.fullmatch(key):
            raise InvalidField(
                "the header Idempotency-Key must have 1 to 255 printable ASCII characters",
                param="Idempotency-Key",
            )
        submission = replace(submission, idempotency_key=f"header {key}")
    if submission.overflow is None and team.rejects_overflow:
        submission = replace(submission, overflow=Overflow.REJECT)
    return submission


async def _own_task(services: Services, team: Team, task_id: str) -> Task:
    """The one way to a task: another team's and none at all are the same.

    Raises:
        NotFound: there is no such task of this team.
    """
    task = await services.tasks.get(task_id) if len(task_id) <= _LONGEST_TASK_ID else None
    if task is None or task.team != team.name:
        raise NotFound("there is no such task")
    return task


async def _outcome(services: Services, admitted: Admitted) -> Task:
    """Where a slot was free, wait a moment for what the vendor says.

    Raises:
        RefusedByProvider: the vendor judged at once that the request is wrong.
    """
    task = admitted.task
    if task.id in {claim.task_id for claim in admitted.claims}:
        await services.dispatcher.wait(task.id, services.submit_wait_seconds)
        try:
            task = await services.tasks.get(task.id) or task
        except StoreUnavailable:
            return task  # it is durable, and its outcome will be found by asking for it
    if task.error is not None and task.error.caller_at_fault:
        raise RefusedByProvider(task.error.message, code=task.error.code)
    return task


async def _queue_headers(
    services: Services, task: Task, place: QueuePlace | None
) -> dict[str, str]:
    """Where it stands; 0 when it waits for nothing. What nobody can estimate is left out."""
    if task.status is not Status.QUEUED:
        return {"x-queue-position": "0", "x-estimated-start-seconds": "0"}
    if place is None:
        return {}
    headers = {"x-queue-position": str(place.position)}
    seconds = services.admission.starts_in_seconds(task, place)
    if seconds is not None:
        headers["x-estimated-start-seconds"] = str(seconds)
    return headers
