"""What an admin route may ask for: who calls, a body, and the services behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from gateway.api.admin.browser import (
    SAFE_METHODS,
    refuse_foreign_pages,
    session_secret,
    session_value,
)
from gateway.api.admin.live import Live
from gateway.api.admin.tenant_views import TenantViews
from gateway.api.deps import Services, operator_by_key, read_body
from gateway.dialects import OPENAI
from gateway.domain.account_form import told_field
from gateway.domain.errors import AuthenticationFailed, InvalidField, MalformedBody, NotAllowed
from gateway.domain.operators import ROOT, Operator, Role
from gateway.domain.ports import (
    FindsTasks,
    KnowsOperators,
    OverseesTasks,
    ReadsAudit,
    ReadsCapacity,
    Sessions,
)
from gateway.lifecycle.account_changes import AccountChanges
from gateway.lifecycle.account_import import AccountImport
from gateway.lifecycle.key_test import KeyTest
from gateway.lifecycle.tenant_changes import TenantChanges
from gateway.lifecycle.usage_reports import UsageReports


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminServices:
    """The parts of the gateway that the admin plane uses."""

    admin_key: str
    operators: KnowsOperators
    sessions: Sessions
    capacity: ReadsCapacity
    changes: AccountChanges
    imports: AccountImport
    key_test: KeyTest
    tenants: TenantViews
    tenant_changes: TenantChanges
    audit: ReadsAudit
    usage: UsageReports
    tasks: OverseesTasks
    search: FindsTasks
    client: Services
    """What teams have, for what is done in their place."""
    live: Live
    max_age_seconds: float
    max_body_bytes: int


def guard(services: AdminServices) -> Callable[[Request], Awaitable[None]]:
    """What stands before most routes: nobody passes who is no operator, a viewer changes nothing,
    and a team's own viewer has no business here. Errors have words for codes, as OpenAI's have."""
    check_any = guard_for_teams(services)

    async def check(request: Request) -> None:
        await check_any(request)
        refuse_teams_own(operator(request))

    return check


def guard_for_teams(services: AdminServices) -> Callable[[Request], Awaitable[None]]:
    """The same, before routes where a team's viewer sees what is its team's; see `visible`."""
    check_any = guard_for_all(services)

    async def check(request: Request) -> None:
        await check_any(request)
        if operator(request).role is not Role.ADMIN and request.method not in SAFE_METHODS:
            raise NotAllowed("this key may look at everything here and change nothing")

    return check


def guard_for_all(services: AdminServices) -> Callable[[Request], Awaitable[None]]:
    """The same, before routes that are about whoever calls: any operator passes, with a key or in
    a browser that has signed in."""

    async def check(request: Request) -> None:
        request.state.dialect = OPENAI
        request.state.operator = await _caller(services, request)

    return check


async def _caller(services: AdminServices, request: Request) -> Operator:
    """By the key that is shown; only without one, by the browser's session."""
    secret = session_secret(request)
    if secret is None or "authorization" in request.headers:
        return operator_by_key(request, services.admin_key, services.operators)
    refuse_foreign_pages(request)
    value = await services.sessions.value_of(secret)
    if value == session_value(ROOT, services.admin_key):
        return ROOT
    one = services.operators.operator(value or "")
    if one is None:
        raise AuthenticationFailed("this session is over: sign in again")
    return one


def refuse_teams_own(one: Operator) -> None:
    """Refuse a team's own viewer, where what is told is everybody's.

    Raises:
        NotAllowed: it is one.
    """
    if one.team is not None:
        raise NotAllowed("this key shows one team's own figures, and nothing else")


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


def only(said: Mapping[str, Any], *fields: str) -> None:
    """Refuse what is more than these fields.

    Raises:
        InvalidField: naming the first that is too many.
    """
    for field in said:
        if field not in fields:
            told = told_field(field)
            listed = " and ".join(fields)
            raise InvalidField(f"{told}: {listed} is all that can be said here", param=told)
