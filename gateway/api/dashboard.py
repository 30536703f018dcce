"""`/dashboard`: the page for operators, as files that are read once. It needs no key to be read:
what it shows comes from `/admin`, which asks for one."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.requests import Request

from gateway.domain.errors import NotFound

_FOLDER = resources.files("gateway.dashboard")
_PAGE = "index.html"
_KINDS = {".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml"}
_SHIPPED = (".html", ".css", ".js", ".svg")
_LEAST_TO_COMPRESS = 512

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing from elsewhere, nothing inline: a prompt that is markup stays a text."""
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Asked about each time, and answered by "not modified": a new version is there at once.
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}


@dataclass(frozen=True, slots=True)
class _File:
    kind: str
    content: bytes
    compressed: bytes
    etag: str


def router() -> APIRouter:
    files = dict(_read(_FOLDER, ""))
    routes = APIRouter(prefix="/dashboard", include_in_schema=False)

    @routes.get("")
    async def page(request: Request) -> Response:
        return _answer(request, files[_PAGE])

    @routes.get("/{path:path}")
    async def file(request: Request, path: str) -> Response:
        if path not in files:
            raise NotFound("there is nothing at this path")
        return _answer(request, files[path])

    return routes


def _answer(request: Request, file: _File) -> Response:
    headers = {**_HEADERS, "ETag": file.etag}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content = file.content
    if "gzip" in request.headers.get("accept-encoding", "") and file.compressed:
        content, headers["Content-Encoding"] = file.compressed, "gzip"
    return Response(content, headers=headers, media_type=file.kind)


def _read(folder: Traversable, prefix: str) -> Iterator[tuple[str, _File]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SHIPPED):
            yield f"{prefix}{entry.name}", _file(entry)


def _file(entry: Traversable) -> _File:
    content = entry.read_bytes()
    ending = entry.name[entry.name.rindex(".") :]
    kind = _KINDS.get(ending) or mimetypes.types_map[ending]
    compressed = gzip.compress(content, 9, mtime=0) if len(content) >= _LEAST_TO_COMPRESS else b""
    etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    return _File(kind, content, compressed, etag)
