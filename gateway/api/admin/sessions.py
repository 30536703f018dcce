"""`/admin/session`: a browser signs in with an admin key, asks who it is, and signs out."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from starlette.requests import Request

from gateway.api.admin import documented_tenants as documented
from gateway.api.admin.browser import (
    drop_session,
    refuse_foreign_pages,
    session_secret,
    session_value,
    set_session,
)
from gateway.api.admin.deps import AdminServices, guard_for_all, only, operator, read_object
from gateway.api.admin.keys import UNKEPT
from gateway.api.deps import operator_with
from gateway.dialects import OPENAI
from gateway.domain.errors import AuthenticationFailed, MissingField
from gateway.domain.operators import Operator

_WRONG_KEY_SECONDS = 0.5
"""A wrong key is answered so late, whoever sends it: nobody is kept out for another's guesses."""


def router(services: AdminServices) -> APIRouter:
    routes = APIRouter(prefix="/admin/session")
    _add_sign_in(routes, services)
    known = [Depends(guard_for_all(services))]

    @routes.get("", dependencies=known, **documented.SESSION)
    async def who_am_i(request: Request) -> JSONResponse:
        return JSONResponse(_told(operator(request)), headers=UNKEPT)

    @routes.delete("", dependencies=known, **documented.SIGN_OUT)
    async def sign_out(request: Request) -> JSONResponse:
        if secret := session_secret(request):
            await services.sessions.end(secret)
        answer = JSONResponse({"signed_out": True})
        drop_session(request, answer)
        return answer

    return routes


def _add_sign_in(routes: APIRouter, services: AdminServices) -> None:
    @routes.post("", **documented.SIGN_IN)
    async def sign_in(request: Request) -> JSONResponse:
        request.state.dialect = OPENAI
        # A foreign page could sign the browser in as somebody who then watches what is done.
        refuse_foreign_pages(request, unsaid=True)
        said = await read_object(services, request)
        only(said, "key")
        key = said.get("key")
        if not isinstance(key, str):
            raise MissingField("key is missing: an admin key, sk-...", param="key")
        one = operator_with(key.strip(), services.admin_key, services.operators)
        if one is None:
            await asyncio.sleep(_WRONG_KEY_SECONDS)
            raise AuthenticationFailed("this is not an admin key")
        if before := session_secret(request):
            await services.sessions.end(before)  # the browser forgets it, so nobody would end it
        secret = await services.sessions.begin(session_value(one, services.admin_key))
        answer = JSONResponse(_told(one), headers=UNKEPT)
        set_session(request, answer, secret)
        return answer


def _told(one: Operator) -> dict[str, str | None]:
    return {"id": one.id, "name": one.name, "role": one.role, "team": one.team}
