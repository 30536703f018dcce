"""`/admin/tasks`: find any task, see its life and its video, cancel it, release its slot. A team's
own viewer sees its team's, and of others nothing but that there is no such task."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response
from starlette.requests import Request

from gateway.api.admin.deps import (
    AdminServices,
    guard,
    guard_for_teams,
    only,
    operator,
    read_object,
    visible,
    who,
)
from gateway.api.admin.tasks_documented import CANCEL, CONTENT, LIST, RELEASE, SHOW
from gateway.api.admin.tasks_telling import found_told, whole_task_told
from gateway.api.content import content_of
from gateway.api.usage_params import params
from gateway.domain.errors import Conflict, InvalidField, MissingField, NotFound, TaskEnded
from gateway.domain.task import Status, Task
from gateway.domain.task_query import read_task_query
from gateway.domain.usage_query import read_span

_LONGEST_TASK_ID = 64
_RELEASABLE = (Status.UNKNOWN, Status.IN_PROGRESS)


def router(services: AdminServices) -> APIRouter:
    routes = APIRouter(prefix="/admin/tasks")
    _add_looks(routes, services)
    _add_changes(routes, services)
    return routes


def _add_looks(routes: APIRouter, services: AdminServices) -> None:
    seen = [Depends(guard_for_teams(services))]

    @routes.get("", dependencies=seen, **LIST.route)
    async def tasks(request: Request) -> JSONResponse:
        said = params(request, LIST.parameters)
        own = operator(request).team
        team = said.get("team", own)
        if team is not None and not visible(request, team):
            raise NotFound("there is no such team")
        from_ms = to_ms = None
        if "from" in said or "to" in said:
            now, zone = datetime.now(UTC), services.usage.zone
            span = read_span(said.get("from"), said.get("to"), zone, now)
            from_ms, to_ms = span.from_ms, span.to_ms
        found = await services.search.find(read_task_query(said, from_ms, to_ms, team))
        return JSONResponse(found_told(found, services.max_age_seconds))

    @routes.get("/{task_id}", dependencies=seen, **SHOW)
    async def task(request: Request, task_id: str) -> JSONResponse:
        return await _told(services, await _seen(services, request, task_id))

    @routes.get("/{task_id}/content", dependencies=seen, **CONTENT)
    async def content(request: Request, task_id: str) -> Response:
        found = await _seen(services, request, task_id)
        return await content_of(services.client, request, found)


def _add_changes(routes: APIRouter, services: AdminServices) -> None:
    guarded = [Depends(guard(services))]

    @routes.post("/{task_id}/cancel", dependencies=guarded, **CANCEL)
    async def cancel(request: Request, task_id: str) -> JSONResponse:
        reason = await _reason(services, request)
        before = await _seen(services, request, task_id)
        if before.ended:
            raise TaskEnded(f"the task is over already: {before.status}")
        after = await services.client.admission.cancel(before)
        if after.cancel_asked_ms is None:
            raise TaskEnded(f"the task is over already: {after.status}")
        await services.tasks.note(
            *(who(request), "tasks.cancel", task_id),
            before=before.status,
            after=after.status,
            reason=reason,
        )
        return await _told(services, after)

    @routes.post("/{task_id}/release", dependencies=guarded, **RELEASE)
    async def release(request: Request, task_id: str) -> JSONResponse:
        reason = await _reason(services, request)
        if not reason.strip():
            raise MissingField("reason is missing: the audit must say why", param="reason")
        before = await _seen(services, request, task_id)
        if before.status not in _RELEASABLE:
            raise Conflict(
                f"the task is {before.status}: only one that is unknown or in_progress has a slot "
                "to release"
            )
        if not await services.tasks.release(before, who(request), reason):
            raise Conflict("the task is no longer as it was just now: look at it again")
        return await _told(services, await _seen(services, request, task_id))


async def _seen(services: AdminServices, request: Request, task_id: str) -> Task:
    """The task, if there is one that this operator may know of.

    Raises:
        NotFound: none, or another team's.
    """
    task = None
    if len(task_id) <= _LONGEST_TASK_ID:
        task = await services.client.tasks.get(task_id)
    if task is None or not visible(request, task.team):
        raise NotFound("there is no such task")
    return task


async def _told(services: AdminServices, task: Task) -> JSONResponse:
    steps = await services.tasks.history(task.id)
    place = None
    if task.status is Status.QUEUED:
        place = await services.client.tasks.place(task.id)
    return JSONResponse(whole_task_told(task, steps, place, services.max_age_seconds))


async def _reason(services: AdminServices, request: Request) -> str:
    said = await read_object(services, request)
    only(said, "reason")
    reason = said.get("reason", "")
    if not isinstance(reason, str):
        raise InvalidField("reason must be a string", param="reason")
    return reason
