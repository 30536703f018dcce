"""Puts every dialect's paths onto the app: each operation has one handler, whoever asks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from starlette.requests import Request

from gateway.api import content, create, tasks
from gateway.api.deps import Services
from gateway.api.documented import documented
from gateway.dialects.contract import Dialect, Operation, Route
from gateway.domain.errors import MethodNotAllowed

Handler = Callable[[Request], Awaitable[Response]]


def router(dialects: Iterable[Dialect], services: Services) -> APIRouter:
    """All routes of all dialects."""
    mounted = [
        (route, dialect, _handler(services, dialect, route))
        for dialect in dialects
        for route in dialect.routes
    ]
    # A fixed word goes before a task's id in its place: /videos/edits is no task called "edits".
    mounted.sort(key=lambda entry: ["{" in part for part in entry[0].path.split("/")])
    return _mounted(mounted)


def _mounted(mounted: list[tuple[Route, Dialect, Handler]]) -> APIRouter:
    routes = APIRouter()
    by_path: dict[str, list[str]] = defaultdict(list)
    for route, _, _ in mounted:
        by_path[route.path].append(route.method)
    last = {route.path: position for position, (route, _, _) in enumerate(mounted)}
    for position, (route, dialect, handler) in enumerate(mounted):
        routes.add_api_route(
            route.path,
            handler,
            methods=[route.method],
            name=f"{dialect.name}: {route.operation}",
            summary=route.summary,
            include_in_schema=route.listed,
            openapi_extra=documented(dialect, route),
        )
        if position == last[route.path]:
            others = _others(by_path[route.path], dialect)
            # No methods: whatever the others did not take.
            routes.add_route(route.path, others, methods=[], include_in_schema=False)
    return routes


def _handler(services: Services, dialect: Dialect, route: Route) -> Handler:
    async def handle(request: Request) -> Response:
        request.state.dialect = dialect
        task_id = request.path_params.get("task_id", "")
        match route.operation:
            case Operation.CREATE:
                return await create.create(services, dialect, request)
            case Operation.RETRIEVE:
                return await tasks.retrieve(services, dialect, request, task_id)
            case Operation.LIST:
                return await tasks.page(services, dialect, request)
            case Operation.DELETE:
                return await tasks.delete(services, dialect, request, task_id)
            case Operation.CANCEL:
                return await tasks.cancel(services, dialect, request, task_id)
            case Operation.CONTENT:
                return await content.content(services, request, task_id)
            case Operation.REFUSE:
                what = [part for part in route.path.split("/") if "{" not in part][-1]
                return await tasks.refuse(services, request, what)

    return handle


def _others(methods: list[str], dialect: Dialect) -> Handler:
    """What the other methods get at a path, so that none falls through to a task's route."""
    allowed = sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])})

    async def handle(request: Request) -> Response:
        headers = {"Allow": ", ".join(allowed)}
        if request.method == "OPTIONS":
            return JSONResponse({"allow": allowed}, headers=headers)
        request.state.dialect, request.state.headers = dialect, headers
        raise MethodNotAllowed(
            f"{request.method} is not allowed here; there is {', '.join(allowed)}"
        )

    return handle
