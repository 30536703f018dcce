"""Create a video and ask for it, mounted once per dialect."""

from __future__ import annotations

import asyncio
import logging

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.requests import Request

from gateway.api.deps import Services, caller, read_body
from gateway.dialects import Dialect
from gateway.domain.errors import NotFound, RefusedByProvider, StoreUnavailable
from gateway.domain.task import Task
from gateway.domain.team import Team
from gateway.domain.video import VideoRequest

log = logging.getLogger(__name__)

# From here on a body holds images, and decoding those would hold up everybody else's requests.
_PARSE_IN_THREAD_BYTES = 128 * 1024
_LONGEST_TASK_ID = 64


def router(dialect: Dialect, services: Services) -> APIRouter:
    """The two routes of one dialect."""
    routes = APIRouter()

    @routes.post(dialect.create_path, name=f"{dialect.name}: create a video")
    async def create(request: Request) -> JSONResponse:
        request.state.dialect = dialect
        team = caller(request, services.directory)
        body = await read_body(request, services.max_body_bytes)
        task = await _submit(services, team, await _parse(dialect, body))
        log.info("request %s became task %s", request.state.request_id, task.id)
        headers = {"x-task-id": task.id, "x-cost-fen": str(task.price_fen)}
        return JSONResponse(dialect.created(task), headers=headers)

    @routes.get(dialect.retrieve_path, name=f"{dialect.name}: retrieve a video")
    async def retrieve(request: Request, task_id: str) -> JSONResponse:
        request.state.dialect = dialect
        team = caller(request, services.directory)
        task = await services.tasks.get(task_id) if len(task_id) <= _LONGEST_TASK_ID else None
        if task is None or task.team != team.name:
            raise NotFound("there is no such task")
        return JSONResponse(dialect.retrieved(task))

    return routes


async def _parse(dialect: Dialect, body: bytes) -> VideoRequest:
    if len(body) < _PARSE_IN_THREAD_BYTES:
        return dialect.parse(body)
    return await asyncio.to_thread(dialect.parse, body)


async def _submit(services: Services, team: Team, request: VideoRequest) -> Task:
    """Admit, and where a slot was free wait a moment for what the vendor says.

    Raises:
        RefusedByProvider: the vendor judged at once that the request is wrong.
    """
    task, claims = await services.admission.admit(team, request)
    services.dispatcher.dispatch(claims, known={task.id: request})
    if task.id not in {claim.task_id for claim in claims}:
        return task
    await services.dispatcher.wait(task.id, services.submit_wait_seconds)
    try:
        task = await services.tasks.get(task.id) or task
    except StoreUnavailable:
        return task  # it is durable, and its outcome will be found by asking for it
    if task.error is not None and task.error.caller_at_fault:
        raise RefusedByProvider(task.error.message, code=task.error.code)
    return task
