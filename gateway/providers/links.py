"""How long a vendor serves what a link points to."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit


def expiry(url: str, now_seconds: float, usual_seconds: float) -> int:
    """When a link dies, in Unix seconds: as it says itself, else after the vendor's usual time.

    Signed links of the object stores that vendors use carry `Expires=<Unix seconds>`.
    """
    says = parse_qs(urlsplit(url).query).get("Expires", [""])[0]
    # Milliseconds are in use elsewhere; a time of twelve digits or more is none in seconds.
    if says.isdecimal() and len(says) < 12:
        return int(says)
    return int(now_seconds + usual_seconds)
