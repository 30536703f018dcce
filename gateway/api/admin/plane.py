"""All routes of the admin plane: a file for each resource."""

from __future__ import annotations

from fastapi import APIRouter

from gateway.api.admin import (
    audit,
    events,
    keys,
    operators,
    playground,
    prices,
    routes,
    sessions,
    tasks,
    teams,
    usage,
)
from gateway.api.admin.deps import AdminServices

_RESOURCES = (
    *(routes, tasks, events, playground),
    *(teams, keys, prices, operators),
    *(usage, audit, sessions),
)


def router(services: AdminServices) -> APIRouter:
    """Each asks for the key before anything else."""
    plane = APIRouter()
    for resource in _RESOURCES:
        plane.include_router(resource.router(services))
    return plane
