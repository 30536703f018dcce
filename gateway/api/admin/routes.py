"""`/admin/accounts` and `/admin/slots`: one handler for each thing that an operator can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from starlette.requests import Request

from gateway.api.admin import documented
from gateway.api.admin.deps import AdminServices, guard, only, read_object, who
from gateway.api.admin.telling import account_told, imported_told, slots_told, test_told
from gateway.domain.account import AccountState
from gateway.domain.errors import InvalidField, MissingField, NotFound
from gateway.lifecycle.account_import import PREFIX

_STATES = {"pause": AccountState.PAUSED, "drain": AccountState.DRAINING, "resume": None}


def router(services: AdminServices) -> APIRouter:
    """All routes. The key is asked for before anything else."""
    routes = APIRouter(prefix="/admin", dependencies=[Depends(guard(services))])
    _add_looks(routes, services)
    _add_changes(routes, services)
    _add_states(routes, services)
    return routes


def _add_looks(routes: APIRouter, services: AdminServices) -> None:
    @routes.get("/accounts", **documented.LIST)
    async def accounts(request: Request) -> JSONResponse:
        capacity = await services.capacity.read()
        return JSONResponse({"accounts": [account_told(each) for each in capacity.accounts]})

    @routes.get("/accounts/{name}", **documented.SHOW)
    async def account(request: Request, name: str) -> JSONResponse:
        return await _told(services, name)

    @routes.get("/slots", **documented.SLOTS)
    async def slots(request: Request) -> JSONResponse:
        return JSONResponse(slots_told(await services.capacity.read()))


def _add_changes(routes: APIRouter, services: AdminServices) -> None:
    @routes.post("/accounts", **documented.ADD)
    async def add(request: Request) -> JSONResponse:
        said = await read_object(services, request)
        name = await services.changes.add(said, who=who(request))
        return await _told(services, name, 201)

    @routes.post("/accounts/import", **documented.IMPORT)
    async def import_lines(request: Request) -> JSONResponse:
        said = await read_object(services, request)
        lines = _text(said, "lines")
        if lines is None:
            raise MissingField("lines is missing: a key a line", param="lines")
        into, prefix = _text(said, "into"), _text(said, "prefix")
        if into is not None and prefix is not None:
            raise InvalidField("give either into or prefix", param="into")
        for field, instead in (("name", "into or prefix"), ("api_keys", "lines")):
            if field in said:
                raise InvalidField(f"{field}: here it is {instead} that says it", param=field)
        form = {k: v for k, v in said.items() if k not in ("lines", "into", "prefix")}
        imported = await services.imports.run(
            lines, form, into=into, prefix=prefix or PREFIX, who=who(request)
        )
        return JSONResponse(imported_told(imported), 201 if imported.made else 200)

    @routes.patch("/accounts/{name}", **documented.CHANGE)
    async def change(request: Request, name: str) -> JSONResponse:
        changes = await read_object(services, request)
        await services.changes.change(name, changes, who=who(request))
        return await _told(services, name)

    @routes.delete("/accounts/{name}", **documented.REMOVE)
    async def remove(request: Request, name: str) -> JSONResponse:
        reason = request.query_params.get("reason", "")
        await services.changes.remove(name, who=who(request), reason=reason)
        return JSONResponse({"name": name, "removed": True})


def _add_states(routes: APIRouter, services: AdminServices) -> None:
    def add_state(word: str, state: AccountState | None) -> None:
        @routes.post(f"/accounts/{{name}}/{word}", **documented.STATES[word])
        async def set_state(request: Request, name: str) -> JSONResponse:
            said = await read_object(services, request)
            only(said, "reason")
            reason = _text(said, "reason") or ""
            await services.changes.set_state(name, state, who=who(request), reason=reason)
            return await _told(services, name)

    for word, state in _STATES.items():
        add_state(word, state)

    @routes.post("/accounts/{name}/test", **documented.TEST)
    async def test(request: Request, name: str) -> JSONResponse:
        return JSONResponse(test_told(name, await services.key_test.run(name)))


async def _told(services: AdminServices, name: str, status: int = 200) -> JSONResponse:
    account = (await services.capacity.read()).account(name)
    if account is None:
        raise NotFound("there is no such account")
    return JSONResponse(account_told(account), status)


def _text(said: Mapping[str, Any], field: str) -> str | None:
    value = said.get(field)
    if value is not None and not isinstance(value, str):
        raise InvalidField(f"{field} must be a string", param=field)
    return value
