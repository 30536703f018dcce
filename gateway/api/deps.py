"""What a route may ask for: who calls, what the body holds, and the services behind it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from starlette.requests import Request

from gateway.api.telling import Telling
from gateway.domain.errors import AuthenticationFailed, BodyTooLarge, MissingApiKey, NotFound
from gateway.domain.operators import ROOT, Operator
from gateway.domain.ports import Directory, KnowsOperators, Tasks
from gateway.domain.submission import QueueBounds
from gateway.domain.task import Task
from gateway.domain.team import Caller
from gateway.lifecycle.admission import Admission
from gateway.lifecycle.content import Content
from gateway.lifecycle.dispatcher import Dispatcher
from gateway.lifecycle.waiting import Waiting

_LONGEST_TASK_ID = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of the gateway that the client plane uses."""

    directory: Directory
    admission: Admission
    dispatcher: Dispatcher
    waiting: Waiting
    content: Content
    tasks: Tasks
    telling: Telling
    queue_bounds: QueueBounds
    submit_wait_seconds: float
    longest_wait_seconds: float
    """For callers who wait for the end: below what common clients and proxies have patience for."""
    max_body_bytes: int


def bearer(request: Request) -> str:
    """The secret that the caller shows.

    Raises:
        MissingApiKey: there is none.
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise MissingApiKey("send your API key as: Authorization: Bearer sk-...")
    if key.startswith("$"):
        # Single quotes in a shell keep "$KEY" as it is; published curl examples have them.
        raise AuthenticationFailed(
            "this looks like a shell variable that was not replaced: "
            'put the Authorization header in double quotes (")'
        )
    if key.startswith("eyJ") and key.count(".") == 2:
        # Keys are kept as digests, so nothing that was signed with one could be checked.
        raise AuthenticationFailed(
            "this is a signed token; send the API key itself "
            "(zai-sdk, zhipuai: leave disable_token_cache at its default)"
        )
    return key


def caller(request: Request, directory: Directory) -> Caller:
    """The team that calls, and the key that it shows.

    Raises:
        AuthenticationFailed: no key, one that nobody owns, or one that has expired.
        Blocked: an operator blocked the key or its team.
    """
    return directory.authenticate(bearer(request))


async def own_task(services: Services, request: Request, task_id: str) -> Task:
    """The one way to a task: another team's and none at all are the same.

    Raises:
        AuthenticationFailed: no key, or one that nobody owns.
        NotFound: there is no such task of the caller's team.
    """
    team = caller(request, services.directory).team
    task = await services.tasks.get(task_id) if len(task_id) <= _LONGEST_TASK_ID else None
    if task is None or task.team != team.name:
        raise NotFound("there is no such task")
    return task


def operator_by_key(request: Request, admin_key: str, operators: KnowsOperators) -> Operator:
    """Who shows an admin key; teams' keys open nothing here.

    Raises:
        AuthenticationFailed: no key, or one that is no operator's.
    """
    operator = operator_with(bearer(request), admin_key, operators)
    if operator is None:
        raise AuthenticationFailed("this is not an admin key")
    return operator


def operator_with(key: str, admin_key: str, operators: KnowsOperators) -> Operator | None:
    """Whose admin key it is; None if it is nobody's."""
    if hmac.compare_digest(key.encode(), admin_key.encode()):
        return ROOT
    return operators.operator_of(key)


async def read_body(request: Request, most: int) -> bytes:
    """The whole body, refused as soon as it is known to be too large.

    FastAPI's own `max_body_size` would do, but answers in plain text (0.165).

    Raises:
        BodyTooLarge: over `most` bytes, whatever the Content-Length says.
    """
    too_large = BodyTooLarge(f"the body has more than {most} bytes")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise too_large
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)
