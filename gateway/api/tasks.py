"""Ask for a video, list, delete and cancel videos: one handler each, for all dialects."""

from __future__ import annotations

import logging

from fastapi.responses import JSONResponse
from starlette.requests import Request

from gateway.api.deps import Services, caller, own_task
from gateway.api.preferences import wait_preferred
from gateway.dialects.contract import Dialect
from gateway.domain.errors import InvalidField, NotSupported, TaskEnded
from gateway.domain.task import Status

log = logging.getLogger(__name__)

_PAGE_TASKS, _LARGEST_PAGE_TASKS = 20, 100


async def retrieve(
    services: Services, dialect: Dialect, request: Request, task_id: str
) -> JSONResponse:
    task = await own_task(services, request, task_id)
    headers = {}
    seconds = wait_preferred(request)
    if seconds is not None:
        task = await services.waiting.until_ended(task, min(seconds, services.longest_wait_seconds))
        headers["Preference-Applied"] = "wait"
    place = None
    if task.status is Status.QUEUED:
        place = await services.tasks.place(task_id)
        headers |= services.telling.queue_headers(task, place)
    headers |= services.telling.poll_headers(task, place)
    return JSONResponse(dialect.task(services.telling.told(request, task)), headers=headers)


async def page(services: Services, dialect: Dialect, request: Request) -> JSONResponse:
    """Some of the team's tasks: `limit` of them that come `after` one, in this `order`."""
    team = caller(request, services.directory).team
    query = request.query_params
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise InvalidField("order must be asc or desc", param="order")
    found = await services.tasks.page(
        team.name,
        after=query.get("after") or None,
        newest_first=order == "desc",
        most=_limit(query.get("limit", str(_PAGE_TASKS))),
    )
    if found is None:
        raise InvalidField("after must be the id of one of your videos", param="after")
    told = [services.telling.told(request, task) for task in found.tasks]
    return JSONResponse(dialect.page(told, more=found.more))


async def delete(
    services: Services, dialect: Dialect, request: Request, task_id: str
) -> JSONResponse:
    """Forget a task that is over. One that waits is cancelled first; one that the vendor has can
    only be marked, and is there until it ends."""
    task = await own_task(services, request, task_id)
    if not task.ended:
        task = await services.admission.cancel(task)
    if task.ended:
        await services.tasks.forget(task.id)
    log.info("task %s was deleted by its caller; it is %s", task.id, task.status)
    return JSONResponse(dialect.deleted(task.id))


async def cancel(
    services: Services, dialect: Dialect, request: Request, task_id: str
) -> JSONResponse:
    """End a task that has not been sent, mark one that has; say what it costs either way."""
    before = await own_task(services, request, task_id)
    task = await services.admission.cancel(before)
    if task.cancel_asked_ms is None:
        raise TaskEnded(f"the task is over already: {task.status}")
    log.info("task %s is to be cancelled; it is %s", task.id, task.status)
    body = dialect.task(services.telling.told(request, task))
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


async def refuse(services: Services, request: Request, what: str) -> JSONResponse:
    """What other models can do at such a path. Keys come first, as everywhere."""
    caller(request, services.directory)
    offered = ", ".join(spec.name for spec in services.admission.offered()) or "any model"
    raise NotSupported(f"{what}: not supported by the models here ({offered})")


def _limit(text: str) -> int:
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST_PAGE_TASKS))
    if not digits or not 1 <= int(text) <= _LARGEST_PAGE_TASKS:
        raise InvalidField(f"limit must be 1 to {_LARGEST_PAGE_TASKS}", param="limit")
    return int(text)
