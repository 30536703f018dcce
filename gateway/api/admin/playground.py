"""`/admin/playground`: make a video as a team, by its rules, on its bill, without a key of it."""

from __future__ import annotations

import json
import time

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from starlette.requests import Request

from gateway.api.admin.deps import AdminServices, guard, read_object, who
from gateway.api.admin.tasks_documented import CHOICES, PLAYGROUND
from gateway.api.create import create_as
from gateway.api.models import model_told
from gateway.dialects import OPENAI, UNIFIED
from gateway.dialects.contract import Body
from gateway.domain.errors import Blocked, InvalidField, MissingField
from gateway.domain.team import Caller, Standing, TeamKey

_KEY_ID = "playground"
"""Stands in usage and ledger for the key that there is none of."""


def router(services: AdminServices) -> APIRouter:
    routes = APIRouter(prefix="/admin/playground", dependencies=[Depends(guard(services))])

    @routes.get("", **CHOICES)
    async def choices(request: Request) -> JSONResponse:
        """What can be asked for, and in whose place."""
        offered = services.client.admission.offered()
        return JSONResponse(
            {
                "teams": sorted(services.client.directory.teams),
                "models": [model_told(spec) for spec in offered],
            }
        )

    @routes.post("", **PLAYGROUND)
    async def make(request: Request) -> JSONResponse:
        said = await read_object(services, request)
        calling = _caller(services, said.pop("team", None))
        body = Body(json.dumps(said, ensure_ascii=False).encode(), "application/json")
        try:
            answer = await create_as(services.client, UNIFIED, request, calling, body)
        finally:
            request.state.dialect = OPENAI  # an error is told in the words of this plane
        task_id = answer.headers["x-task-id"]
        await services.tasks.note(
            who(request), "playground", f"team {calling.team.name}", after=task_id
        )
        return answer

    return routes


def _caller(services: AdminServices, team: object) -> Caller:
    """The team as if it called itself.

    Raises:
        MissingField, InvalidField: no team, or none that there is.
        Blocked: it may not do anything at the moment.
    """
    if team is None:
        raise MissingField("team is missing: whose video is it?", param="team")
    found = services.client.directory.teams.get(team) if isinstance(team, str) else None
    if found is None:
        raise InvalidField("team: there is no such team", param="team")
    standing = found.permit.standing(time.time() * 1000)
    if standing is not Standing.ACTIVE:
        raise Blocked(f"team {found.name} is {standing}")
    return Caller(found, TeamKey(id=_KEY_ID, team=found.name, name=_KEY_ID))
