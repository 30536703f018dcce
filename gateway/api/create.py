"""Create a video: one handler for all dialects."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from dataclasses import replace

from fastapi.responses import JSONResponse
from starlette.requests import Request

from gateway.api.deps import Services, caller, read_body
from gateway.api.preferences import wait_preferred
from gateway.dialects.contract import Body, Dialect
from gateway.domain.errors import GatewayError, InvalidField, RefusedByProvider, StoreUnavailable
from gateway.domain.ports import Admitted
from gateway.domain.submission import Overflow, QueuePlace, Submission
from gateway.domain.task import Status, Task
from gateway.domain.team import Caller

log = logging.getLogger(__name__)

# From here on a body holds images, and decoding those would hold up everybody else's requests.
_PARSE_IN_THREAD_BYTES = 128 * 1024
_IDEMPOTENCY_KEY = re.compile(r"[ -~]{1,255}")


async def create(services: Services, dialect: Dialect, request: Request) -> JSONResponse:
    """Admit what the body asks for, and answer when the caller wants to be answered."""
    calling = caller(request, services.directory)
    return await create_as(services, dialect, request, calling)


async def create_as(
    services: Services,
    dialect: Dialect,
    request: Request,
    calling: Caller,
    body: Body | None = None,
) -> JSONResponse:
    """The same for a caller that is known already; `body` stands in for the request's own."""
    preferred = wait_preferred(request)
    try:
        submission, words = await _parse(dialect, body or await _body(services, request))
        request.state.dialect = words
        submission = _with_terms(submission, request, calling)
    except GatewayError as error:
        services.admission.refused(calling, error)
        raise
    admitted = await services.admission.admit(calling, submission)
    task = admitted.task
    log.info("request %s became task %s", request.state.request_id, task.id)
    # From here on every answer says which task it is about, an error's as well.
    headers = {"x-task-id": task.id, "x-cost-fen": str(task.price_fen)}
    if admitted.budget_left_fen is not None:
        headers["x-budget-left-fen"] = str(admitted.budget_left_fen)
    if admitted.replayed:
        headers["Idempotent-Replayed"] = "true"
    request.state.headers = headers
    task = await _outcome(services, admitted)
    place = admitted.place
    seconds = services.longest_wait_seconds if submission.waits else 0.0
    if preferred is not None:
        seconds = min(preferred, services.longest_wait_seconds)
        headers["Preference-Applied"] = "wait"
    if seconds and not task.ended:
        task = await services.waiting.until_ended(task, seconds)
        place = await _place(services, task)
    headers |= services.telling.queue_headers(task, place)
    headers |= services.telling.poll_headers(task, place)
    return JSONResponse(words.task(services.telling.told(request, task)), headers=headers)


async def _body(services: Services, request: Request) -> Body:
    content = await read_body(request, services.max_body_bytes)
    return Body(content, request.headers.get("content-type", ""))


async def _parse(dialect: Dialect, body: Body) -> tuple[Submission, Dialect]:
    if len(body.content) < _PARSE_IN_THREAD_BYTES:
        return dialect.parse(body)
    return await asyncio.to_thread(dialect.parse, body)


def _with_terms(submission: Submission, request: Request, calling: Caller) -> Submission:
    """What the header, the key and the team say beside the body.

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
    if submission.overflow is None and calling.rejects_overflow:
        submission = replace(submission, overflow=Overflow.REJECT)
    return submission


async def _place(services: Services, task: Task) -> QueuePlace | None:
    """Where it stands after a wait, if it still does. The task is made: no reason to fail."""
    if task.status is not Status.QUEUED:
        return None
    with contextlib.suppress(StoreUnavailable):
        return await services.tasks.place(task.id)
    return None


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
