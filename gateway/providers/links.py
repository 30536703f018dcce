"""How long a vendor serves what a link points to."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

# A time in Unix seconds of this century's first third has ten digits: what has fewer is a length of
# time, what has more are milliseconds, and both are in use elsewhere.
_DIGITS = 10


def expiry(url: str, now_seconds: float, usual_seconds: float) -> int:
    """When a link dies, in Unix seconds: as it says itself, else after the vendor's usual time.

    Signed links of the object stores that vendors use carry `Expires=<Unix seconds>`.
    """
    try:
        says = parse_qs(urlsplit(url).query).get("Expires", [""])[0]
    except ValueError:  # no URL, or too much of one
        says = ""
    if says.isascii() and says.isdigit() and len(says) == _DIGITS:
        return int(says)
    return int(now_seconds + usual_seconds)
