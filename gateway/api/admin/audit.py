"""`/admin/audit`: what operators did, and why."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from starlette.requests import Request

from gateway.api.admin import documented_tenants as documented
from gateway.api.admin.deps import AdminServices, guard
from gateway.api.admin.tenants_telling import audit_told
from gateway.domain.errors import InvalidField

_USUAL, _MOST = "50", 1000


def router(services: AdminServices) -> APIRouter:
    routes = APIRouter(prefix="/admin/audit", dependencies=[Depends(guard(services))])

    @routes.get("", **documented.AUDIT)
    async def audit(request: Request) -> JSONResponse:
        last = request.query_params.get("last", _USUAL)
        if not (last.isascii() and last.isdecimal() and 1 <= int(last[:9]) <= _MOST):
            raise InvalidField(f"last must be a whole number from 1 to {_MOST}", param="last")
        entries = await services.audit.audit(int(last[:9]))
        return JSONResponse({"entries": [audit_told(entry) for entry in entries]})

    return routes
