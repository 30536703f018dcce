"""`/admin/teams`: what each may do, what it spent, and one handler for each change."""

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


def router(services: AdminServices) -> APIRouter:
    """A team's own viewer sees its team; to it there are no others."""
    routes = APIRouter(prefix="/admin/teams", dependencies=[Depends(guard_for_teams(services))])
    _add_looks(routes, services)
    _add_changes(routes, services)
    return routes


def _add_looks(routes: APIRouter, services: AdminServices) -> None:
    @routes.get("", **documented.LIST_TEAMS)
    async def teams(request: Request) -> JSONResponse:
        told = await services.tenants.teams(partial(visible, request))
        unfit = services.tenants.unfit("team") if operator(request).team is None else []
        return JSONResponse({"teams": told, "unfit": unfit})

    @routes.get("/{team}", **documented.SHOW_TEAM)
    async def show(request: Request, team: str) -> JSONResponse:
        return JSONResponse(await services.tenants.team(team, partial(visible, request)))


def _add_changes(routes: APIRouter, services: AdminServices) -> None:
    changes = services.tenant_changes.teams

    @routes.post("", **documented.ADD_TEAM)
    async def add(request: Request) -> JSONResponse:
        name = await changes.add(await read_object(services, request), who=who(request))
        return JSONResponse(await services.tenants.team(name), 201)

    @routes.patch("/{team}", **documented.CHANGE_TEAM)
    async def change(request: Request, team: str) -> JSONResponse:
        await changes.change(team, await read_object(services, request), who=who(request))
        return JSONResponse(await services.tenants.team(team))

    @routes.delete("/{team}", **documented.REMOVE_TEAM)
    async def remove(request: Request, team: str) -> JSONResponse:
        reason = request.query_params.get("reason", "")
        keys = await changes.remove(team, who=who(request), reason=reason)
        return JSONResponse({"name": team, "removed": True, "keys": keys})

    def add_state(word: str, blocked: bool) -> None:
        @routes.post(f"/{{team}}/{word}", **documented.TEAM_STATES[word])
        async def set_blocked(request: Request, team: str) -> JSONResponse:
            said = await read_object(services, request)
            only(said, "reason")
            await changes.set_blocked(team, blocked, who=who(request), reason=said.get("reason"))
            return JSONResponse(await services.tenants.team(team))

    add_state("block", True)
    add_state("unblock", False)
