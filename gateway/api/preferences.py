"""`Prefer: wait=N` (RFC 7240): whoever would rather wait than ask again."""

from __future__ import annotations

import re

from starlette.requests import Request

from gateway.domain.errors import InvalidField

_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*(?:=\s*\"?([^\",;]*)\"?)?\s*(?=$|[,;])", re.IGNORECASE)


def wait_preferred(request: Request) -> float | None:
    """How many seconds the caller would wait for the end; None if it does not say.

    Raises:
        InvalidField: it says something that is no number of seconds.
    """
    found = _WAIT.search(", ".join(request.headers.getlist("prefer")))
    if found is None:
        return None
    seconds = (found[1] or "").strip()
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 7):
        raise InvalidField(
            "the header Prefer must say wait=N, N being whole seconds", param="Prefer"
        )
    return float(seconds)
