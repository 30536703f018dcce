"""`/admin/keys`: the keys that teams call with. A secret is told once, when it is made."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from starlette.requests import Request

from gateway.api.admin import documented_tenants as documented
from gateway.api.admin.deps import (
    AdminServices,
    guard_for_teams,
    only,
    operator,
    read_object,
    visible,
    who,
)
from gateway.lifecycle.key_changes import NewKey

UNKEPT = {"Cache-Control": "no-store"}
"""For answers that hold a secret: nobody on the way may keep them."""


def router(services: AdminServices) -> APIRouter:
    """A team's own viewer sees its team's keys; to it there are no others."""
    routes = APIRouter(prefix="/admin/keys", dependencies=[Depends(guard_for_teams(services))])
    _add_looks(routes, services)
    _add_makings(routes, services)
    _add_changes(routes, services)
    return routes


def _add_looks(routes: APIRouter, services: AdminServices) -> None:
    @routes.get("", **documented.LIST_KEYS)
    async def keys(request: Request) -> JSONResponse:
        team = request.query_params.get("team")
        told = await services.tenants.keys(team, partial(visible, request))
        unfit = services.tenants.unfit("key") if operator(request).team is None else []
        return JSONResponse({"keys": told, "unfit": unfit})

    @routes.get("/{key_id}", **documented.SHOW_KEY)
    async def show(request: Request, key_id: str) -> JSONResponse:
        return JSONResponse(await services.tenants.key(key_id, partial(visible, request)))


def _add_makings(routes: APIRouter, services: AdminServices) -> None:
    changes = services.tenant_changes.keys

    @routes.post("", **documented.CREATE_KEY)
    async def create(request: Request) -> JSONResponse:
        key = await changes.create(await read_object(services, request), who=who(request))
        return await told_once(key, 201)

    @routes.post("/{key_id}/rotate", **documented.ROTATE_KEY)
    async def rotate(request: Request, key_id: str) -> JSONResponse:
        said = await read_object(services, request)
        only(said, "overlap_seconds", "reason")
        key = await changes.rotate(
            key_id, said.get("overlap_seconds"), who=who(request), reason=said.get("reason")
        )
        return await told_once(key, 200)

    async def told_once(key: NewKey, status: int) -> JSONResponse:
        told = await services.tenants.key(key.id)
        return JSONResponse({"id": key.id, "key": key.secret} | told, status, UNKEPT)


def _add_changes(routes: APIRouter, services: AdminServices) -> None:
    changes = services.tenant_changes.keys

    @routes.patch("/{key_id}", **documented.CHANGE_KEY)
    async def change(request: Request, key_id: str) -> JSONResponse:
        await changes.change(key_id, await read_object(services, request), who=who(request))
        return JSONResponse(await services.tenants.key(key_id))

    @routes.delete("/{key_id}", **documented.REVOKE_KEY)
    async def revoke(request: Request, key_id: str) -> JSONResponse:
        reason = request.query_params.get("reason", "")
        await changes.revoke(key_id, who=who(request), reason=reason)
        return JSONResponse({"id": key_id, "revoked": True})

    def add_state(word: str, blocked: bool) -> None:
        @routes.post(f"/{{key_id}}/{word}", **documented.KEY_STATES[word])
        async def set_blocked(request: Request, key_id: str) -> JSONResponse:
            said = await read_object(services, request)
            only(said, "reason")
            await changes.set_blocked(key_id, blocked, who=who(request), reason=said.get("reason"))
            return JSONResponse(await services.tenants.key(key_id))

    add_state("block", True)
    add_state("unblock", False)
