"""What a key may use, and how long it would wait."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.requests import Request

from gateway.api.deps import Services, caller
from gateway.domain.ports import ClassLimits, TeamLimits
from gateway.domain.submission import QueueBounds
from gateway.domain.team import Team


def router(services: Services) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v1/limits", name="own limits")
    async def limits(request: Request) -> JSONResponse:
        team = caller(request, services.directory).team
        own, models = await services.admission.limits(team)
        return JSONResponse(
            {
                "team": team.name,
                "slots": {"limit": own.cap, "in_flight": own.in_flight},
                "queue": _queue(own, services.queue_bounds, team),
                "models": [
                    _model(limits, spec.name, services.telling.durations.seconds_of(spec.name))
                    for spec, limits in zip(models, own.classes, strict=True)
                ],
            }
        )

    return routes


def _queue(own: TeamLimits, bounds: QueueBounds, team: Team) -> dict[str, int]:
    tasks = bounds.team_tasks
    return {
        "tasks": sum(each.waiting for each in own.classes),
        "tasks_limit": tasks if team.queue_tasks is None else min(tasks, team.queue_tasks),
        "bytes": own.waiting_bytes,
        "bytes_limit": bounds.team_bytes,
    }


def _model(limits: ClassLimits, name: str, task_seconds: float) -> dict[str, Any]:
    """How a video of this model would stand that is submitted now."""
    place = limits.place
    starts_in = 0 if place.position == 0 else place.starts_in_seconds(task_seconds)
    return {
        "model": name,
        "waiting": limits.waiting,
        "next_position": place.position,
        "estimated_start_seconds": starts_in,
    }
