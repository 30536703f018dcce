"""The reference of the client plane: an OpenAPI document, and a page to try it on.

The page's files are served from here: FastAPI's own page fetches them from a CDN, which a gateway
behind a firewall cannot reach. fastapi-offline carries them in its wheel, and is used for no more.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.requests import Request

_DESCRIPTION = """
Make videos with CogVideoX-3 through a pool of accounts. Take the SDK that you have and change its
`base_url`. Press *Authorize*, give your team's key (`sk-...`), open a path and *Try it out*.

Errors have one envelope: `{"error": {"code", "message", "type", "param"}}`.
"""


def add_to(app: FastAPI) -> None:
    """Serve `/openapi.json` and `/docs` for the routes that the app has by then."""
    document = _document(app)
    static = str(files("fastapi_offline") / "static")
    app.mount("/docs/static", StaticFiles(directory=static), name="reference files")

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> JSONResponse:
        return JSONResponse(document)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="cogvideo-gateway",
            swagger_js_url="/docs/static/swagger-ui-bundle.js",
            swagger_css_url="/docs/static/swagger-ui.css",
            swagger_favicon_url="/docs/static/favicon.png",
        )


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes
    )
    schemes = {"key": {"type": "http", "scheme": "bearer", "description": "sk-..."}}
    document.setdefault("components", {})["securitySchemes"] = schemes
    document["security"] = [{"key": []}]
    for probe in ("/healthz", "/readyz"):
        document["paths"][probe]["get"]["security"] = []
    return document
