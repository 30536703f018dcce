"""What tells a browser that an operator signed in with, and keeps pages of others from using it."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.errors import NotAllowed
from gateway.domain.operators import ROOT, SESSION_SECONDS, Operator
from gateway.domain.team import key_digest

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_COOKIE = "gateway_session"
_OWN_PAGE = ("same-origin", "none")


def session_secret(request: Request) -> str | None:
    """What the browser shows, if it has signed in."""
    return request.cookies.get(_COOKIE)


def session_value(one: Operator, admin_key: str) -> str:
    """What is kept of a session: whose it is. Those of the admin key end when that is changed."""
    return one.id if one is not ROOT else f"{ROOT.id} {key_digest(admin_key)[:16]}"


def set_session(request: Request, response: Response, secret: str) -> None:
    """Have the browser show this from now on: to us alone, and from no other site's page."""
    response.set_cookie(
        _COOKIE,
        secret,
        max_age=SESSION_SECONDS,
        path="/",
        secure=_by_https(request),
        httponly=True,
        samesite="strict",
    )


def drop_session(request: Request, response: Response) -> None:
    response.delete_cookie(
        _COOKIE, path="/", secure=_by_https(request), httponly=True, samesite="strict"
    )


def refuse_foreign_pages(request: Request, *, unsaid: bool = False) -> None:
    """Refuse a change that a page of another site may have made the browser ask for.

    `unsaid` lets pass who says nothing of a page, which no browser does.

    Raises:
        NotAllowed: it is not known to come from a page of our own.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    ours = site in _OWN_PAGE or (
        origin is not None and urlsplit(origin).netloc == request.headers.get("host")
    )
    said_nothing = site is None and origin is None
    if request.method not in SAFE_METHODS and not ours and not (unsaid and said_nothing):
        raise NotAllowed(
            "a session opens this to the gateway's own pages only; elsewhere send the admin key "
            "as: Authorization: Bearer sk-..."
        )


def _by_https(request: Request) -> bool:
    """Whoever says so wrongly only loses a cookie of its own."""
    forwarded = request.headers.get("x-forwarded-proto", "")
    return request.url.scheme == "https" or forwarded.lower().startswith("https")
