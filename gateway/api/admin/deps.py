"""What an admin route may ask for: the admin key, a body, and the services behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from gateway.api.deps import read_body, require_admin
from gateway.dialects import OPENAI
from gateway.domain.errors import MalformedBody
from gateway.domain.ports import ReadsCapacity
from gateway.lifecycle.account_changes import AccountChanges
from gateway.lifecycle.account_import import AccountImport
from gateway.lifecycle.key_test import KeyTest


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminServices:
    """The parts of the gateway that the admin plane uses."""

    admin_key: str
    capacity: ReadsCapacity
    changes: AccountChanges
    imports: AccountImport
    key_test: KeyTest
    max_body_bytes: int


def guard(admin_key: str) -> Callable[[Request], Awaitable[None]]:
    """What stands before every route: nobody passes without the admin key, and errors have words
    for codes, as OpenAI's have."""

    async def check(request: Request) -> None:
        request.state.dialect = OPENAI
        require_admin(request, admin_key)

    return check


def who(request: Request) -> str:
    """Whom the audit names: there is one admin key, so the request is what tells more."""
    return f"admin key (request {request.state.request_id})"


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
