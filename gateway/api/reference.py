"""The reference of each plane: an OpenAPI document, and a page to try it on.

The page's files are served from here: FastAPI's own page fetches them from a CDN, which a gateway
behind a firewall cannot reach. fastapi-offline carries them in its wheel, and is used for no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.requests import Request
from starlette.routing import BaseRoute

_TEAMS = """
Make videos with CogVideoX-3 through a pool of accounts. Take the SDK that you have and change its
`base_url`. Press *Authorize*, give your team's key (`sk-...`), open a path and *Try it out*.

Errors have one envelope: `{"error": {"code", "message", "type", "param"}}`.
"""
_OPERATORS = """
Look at accounts, teams, keys and prices, and change them while the gateway runs. Press *Authorize*,
give an admin key, open a path and *Try it out*. The commands `gateway accounts`, `teams`, `keys`,
`prices` and `operators` do the same.

Errors have one envelope: `{"error": {"code", "message", "type", "param"}}`.
Secrets never come back.
"""


def add_to(app: FastAPI) -> None:
    """Serve `/openapi.json` and `/docs` for the routes that the app has by then."""
    document = _document(app, app.routes, _TEAMS, "sk-...")
    for probe in ("/healthz", "/readyz"):
        document["paths"][probe]["get"]["security"] = []
    _serve(app, "", document)


def add_admin_to(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Serve `/admin/openapi.json` and `/admin/docs` for these routes. They need no key to be read:
    they tell what this project's pages tell."""
    _serve(app, "/admin", _document(app, routes, _OPERATORS, "the admin key"))


def _serve(app: FastAPI, prefix: str, document: dict[str, Any]) -> None:
    static = str(files("fastapi_offline") / "static")
    app.mount(f"{prefix}/docs/static", StaticFiles(directory=static), name="reference files")

    @app.get(f"{prefix}/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> JSONResponse:
        return JSONResponse(document)

    @app.get(f"{prefix}/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=f"{prefix}/openapi.json",
            title=str(document["info"]["title"]),
            swagger_js_url=f"{prefix}/docs/static/swagger-ui-bundle.js",
            swagger_css_url=f"{prefix}/docs/static/swagger-ui.css",
            swagger_favicon_url=f"{prefix}/docs/static/favicon.png",
        )


def _document(
    app: FastAPI, routes: Sequence[BaseRoute], description: str, key: str
) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=description, routes=routes
    )
    schemes = {"key": {"type": "http", "scheme": "bearer", "description": key}}
    document.setdefault("components", {})["securitySchemes"] = schemes
    document["security"] = [{"key": []}]
    return document
