"""The web apps over an open gateway: the client plane, and the admin plane beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp

from gateway import __version__
from gateway.api import dashboard, limits, models, mounting, ops, reference, usage
from gateway.api.admin import plane
from gateway.api.admin.deps import AdminServices, refuse_teams_own
from gateway.api.admin.tenant_views import TenantViews
from gateway.api.deps import Services, operator_by_key
from gateway.api.edge import with_edge
from gateway.api.telling import Telling
from gateway.bootstrap import Gateway
from gateway.dialects import DIALECTS
from gateway.lifecycle.account_import import AccountImport
from gateway.lifecycle.tenant_changes import TenantChanges
from gateway.settings import Settings
from gateway.telemetry.timing import TimedRequests


def client_app(gateway: Gateway, settings: Settings, state: Callable[[], str]) -> ASGIApp:
    """What teams call: every dialect's routes, and the probes."""
    app = _client_routes(gateway, settings, state)
    return with_edge(app, _timed(gateway), settings.cors_origins)


def admin_app(
    gateway: Gateway, settings: Settings, state: Callable[[], str], admin_key: str
) -> ASGIApp:
    """What operators call, on a port of its own: there the metrics need no key."""
    app = _bare_app()
    app.include_router(ops.health_router(state))
    _add_admin_routes(app, gateway, settings, admin_key)
    app.include_router(_metrics(gateway, None))
    return with_edge(app, _timed(gateway))


def worker_app(gateway: Gateway, state: Callable[[], str]) -> ASGIApp:
    """What a worker tells of itself on a port of its own: its health, and metrics without a key."""
    app = _bare_app()
    app.include_router(ops.health_router(state))
    app.include_router(_metrics(gateway, None))
    return with_edge(app, _timed(gateway))


def whole_app(
    gateway: Gateway, settings: Settings, state: Callable[[], str], admin_key: str
) -> ASGIApp:
    """Both planes on one port; the second opens with the admin key only."""
    app = _client_routes(gateway, settings, state)
    _add_admin_routes(app, gateway, settings, admin_key)

    def check(request: Request) -> None:
        refuse_teams_own(operator_by_key(request, admin_key, gateway.pool.tenants))

    app.include_router(_metrics(gateway, check))
    return with_edge(app, _timed(gateway), settings.cors_origins)


def _client_routes(gateway: Gateway, settings: Settings, state: Callable[[], str]) -> FastAPI:
    app = _bare_app()
    services = _services(gateway, settings)
    app.include_router(ops.health_router(state))
    app.include_router(mounting.router(DIALECTS, services))
    app.include_router(limits.router(services))
    app.include_router(models.router(services))
    app.include_router(usage.router(services, gateway.pool.usage))
    reference.add_to(app)
    return app


def _services(gateway: Gateway, settings: Settings) -> Services:
    return Services(
        directory=gateway.pool.tenants,
        admission=gateway.admission,
        dispatcher=gateway.dispatcher,
        waiting=gateway.waiting,
        content=gateway.content,
        tasks=gateway.pool.tasks,
        telling=Telling(gateway.pool.catalog, gateway.durations, settings.public_url),
        queue_bounds=gateway.pool.bounds,
        submit_wait_seconds=settings.submit_wait_seconds,
        longest_wait_seconds=settings.longest_wait_seconds,
        max_body_bytes=settings.max_body_bytes,
    )


def _add_admin_routes(app: FastAPI, gateway: Gateway, settings: Settings, admin_key: str) -> None:
    pool = gateway.pool
    services = AdminServices(
        admin_key=admin_key,
        operators=pool.tenants,
        sessions=pool.sessions,
        capacity=pool.capacity,
        changes=gateway.changes,
        imports=AccountImport(pool.accounts, gateway.changes),
        key_test=gateway.key_test,
        tenants=TenantViews(pool.tenants, pool.spending),
        tenant_changes=TenantChanges(pool.tenants),
        audit=pool.tasks,
        usage=pool.usage,
        tasks=pool.tasks,
        search=pool.search,
        client=_services(gateway, settings),
        live=gateway.live,
        max_age_seconds=settings.max_age_seconds,
        max_body_bytes=settings.max_body_bytes,
    )
    routes = plane.router(services)
    app.include_router(routes)
    app.include_router(dashboard.router())
    reference.add_admin_to(app, routes.routes)


def _metrics(gateway: Gateway, check: Callable[[Request], object] | None) -> APIRouter:
    return ops.metrics_router(gateway.exposition.text, check)


def _timed(gateway: Gateway) -> Callable[[ASGIApp], ASGIApp]:
    return partial(TimedRequests, counting=gateway.counting)


def _bare_app() -> FastAPI:
    # The edge takes trailing slashes off; the reference is added to the client plane alone.
    return FastAPI(
        title="cogvideo-gateway",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
