"""What an admin route may ask for: the admin key, a body, and the services behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from gateway.api.deps import operator_by_key, read_body
from gateway.dialects import OPENAI
from gateway.domain.errors import MalformedBody, NotAllowed
from gateway.domain.operators import Operator, Role
from gateway.domain.ports import KnowsOperators, ReadsCapacity
from gateway.lifecycle.account_changes import AccountChanges
from gateway.lifecycle.account_import import AccountImport
from gateway.lifecycle.key_test import KeyTest

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminServices:
    """The parts of the gateway that the admin plane uses."""

    admin_key: str
    operators: KnowsOperators
    capacity: ReadsCapacity
    changes: AccountChanges
    imports: AccountImport
    key_test: KeyTest
    max_body_bytes: int


def guard(services: AdminServices) -> Callable[[Request], Awaitable[None]]:
    """What stands before most routes: nobody passes who is no operator, a viewer changes nothing,
    and a team's own viewer has no business here. Errors have words for codes, as OpenAI's have."""
    check_any = guard_for_teams(services)

    async def check(request: Request) -> None:
        await check_any(request)
        if operator(request).team is not None:
            raise NotAllowed("this key shows one team's own figures, and nothing else")

    return check


def guard_for_teams(services: AdminServices) -> Callable[[Request], Awaitable[None]]:
    """The same, before routes where a team's viewer sees what is its team's; see `visible`."""

    async def check(request: Request) -> None:
        request.state.dialect = OPENAI
        one = operator_by_key(request, services.admin_key, services.operators)
        request.state.operator = one
        if one.role is not Role.ADMIN and request.method not in _SAFE_METHODS:
            raise NotAllowed("this key may look at everything here and change nothing")

    return check


def operator(request: Request) -> Operator:
    """Who calls, once a guard has let the request pass."""
    one: Operator = request.state.operator
    return one


def visible(request: Request, team: str) -> bool:
    """Whether the operator may know of this team; else it is as if there were none."""
    own = operator(request).team
    return own is None or own == team


def who(request: Request) -> str:
    """Whom the audit names: keys are passed around, so the request is what tells more."""
    return f"{operator(request).who} (request {request.state.request_id})"


async def read_object(services: AdminServices, request: Request) -> dict[str, Any]:
    """The JSON object of the body; an empty body is an empty one.

    Raises:
        MalformedBody: it is something else; nothing of it is quoted, since it may hold secrets.
        BodyTooLarge: over the limit of all bodies.
    """
    content = await read_body(request, services.max_body_bytes)
    if not content.strip():
        return {}
    try:
        said = from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedBody(f"the body is not valid JSON: {error}") from None
    if not isinstance(said, dict):
        raise MalformedBody("the body must be a JSON object")
    return said
