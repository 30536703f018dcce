"""`Prefer: wait=N` (RFC 7240): whoever would rather wait than ask again."""

from __future__ import annotations

from starlette.requests import Request

from gateway.domain.errors import InvalidField


def wait_preferred(request: Request) -> float | None:
    """How many seconds the caller would wait for the end; None if it does not say.

    Raises:
        InvalidField: it says something that is no number of seconds.
    """
    # By hand: a pattern that allows blanks everywhere takes minutes for a header full of them.
    said = ",".join(request.headers.getlist("prefer")).replace(";", ",").split(",")
    pairs = (preference.partition("=") for preference in said)
    waits = [value for name, _, value in pairs if name.strip().lower() == "wait"]
    if not waits:
        return None
    seconds = waits[0].strip().removeprefix('"').removesuffix('"').strip()
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 7):
        raise InvalidField(
            "the header Prefer must say wait=N, N being whole seconds", param="Prefer"
        )
    return float(seconds)
