"""`/admin/prices`: the price book, line by line."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from starlette.requests import Request

from gateway.api.admin import documented_tenants as documented
from gateway.api.admin.deps import AdminServices, guard, read_object, who


def router(services: AdminServices) -> APIRouter:
    routes = APIRouter(prefix="/admin/prices", dependencies=[Depends(guard(services))])
    changes = services.tenant_changes.prices

    @routes.get("", **documented.LIST_PRICES)
    async def prices(request: Request) -> JSONResponse:
        told = await services.tenants.prices()
        return JSONResponse({"prices": told, "unfit": services.tenants.unfit("price")})

    @routes.post("", **documented.ADD_PRICE)
    async def add(request: Request) -> JSONResponse:
        price_id = await changes.add(await read_object(services, request), who=who(request))
        return JSONResponse(await services.tenants.price(price_id), 201)

    @routes.delete("/{price_id}", **documented.REMOVE_PRICE)
    async def remove(request: Request, price_id: str) -> JSONResponse:
        reason = request.query_params.get("reason", "")
        await changes.remove(price_id, who=who(request), reason=reason)
        return JSONResponse({"id": price_id, "removed": True})

    return routes
