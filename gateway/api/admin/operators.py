"""`/admin/operators`: who may use the admin plane. A secret is told once, when it is made."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from starlette.requests import Request

from gateway.api.admin import documented_tenants as documented
from gateway.api.admin.deps import AdminServices, guard, read_object, who
from gateway.api.admin.keys import UNKEPT


def router(services: AdminServices) -> APIRouter:
    routes = APIRouter(prefix="/admin/operators", dependencies=[Depends(guard(services))])
    changes = services.tenant_changes.operators

    @routes.get("", **documented.LIST_OPERATORS)
    async def operators(request: Request) -> JSONResponse:
        return JSONResponse({"operators": await services.tenants.operators()})

    @routes.post("", **documented.ADD_OPERATOR)
    async def add(request: Request) -> JSONResponse:
        key = await changes.add(await read_object(services, request), who=who(request))
        told = await services.tenants.operator(key.id)
        return JSONResponse({"id": key.id, "key": key.secret} | told, 201, UNKEPT)

    @routes.delete("/{operator_id}", **documented.REMOVE_OPERATOR)
    async def remove(request: Request, operator_id: str) -> JSONResponse:
        reason = request.query_params.get("reason", "")
        await changes.remove(operator_id, who=who(request), reason=reason)
        return JSONResponse({"id": operator_id, "removed": True})

    return routes
