"""Images as callers send them: links, data URIs, bare base64. All leave as links or data URIs."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import urlsplit

from gateway.domain.errors import InvalidField

MAX_IMAGE_BYTES = 5 * 1024 * 1024
_MAX_URL_CHARACTERS = 2048
_DATA_URI = re.compile(r"data:image/[a-z0-9.+-]+;base64,", re.IGNORECASE)
_MAGIC = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_SPACE = re.compile(r"\s+")
_NO_URL_CHARACTERS = re.compile(r"[\s\x00-\x1f\x7f\"<>\\^`{|}]")


def normalised(image: str, field: str) -> str:
    """Return a link as it is, and an inline image as `data:image/png;base64,...` (or jpeg).

    Inline images are judged by their first bytes, not by what they call themselves; links are
    not judged by their suffix, since vendors' own examples end in anything.

    Raises:
        InvalidField: neither, or an image that the vendors refuse: another format, over 5 MB.
    """
    image = image.strip()
    if image[:8].lower().startswith(("http://", "https://")):
        return _checked_url(image, field)
    head = _DATA_URI.match(image)
    if head is None and image[:5].lower() == "data:":
        raise InvalidField(
            f"{field} must be a data URI like data:image/png;base64,...", param=field
        )
    encoded = _SPACE.sub("", image[head.end() :] if head else image).rstrip("=")
    kind = _kind(_decoded(encoded, field), field)
    return f"data:{kind};base64,{encoded}{'=' * (-len(encoded) % 4)}"


def from_file(data: bytes, field: str) -> str:
    """An uploaded image as `data:image/png;base64,...` (or jpeg).

    Raises:
        InvalidField: another format, or over 5 MB.
    """
    kind = _kind(data, field)
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _kind(data: bytes, field: str) -> str:
    if len(data) > MAX_IMAGE_BYTES:
        raise InvalidField(f"{field} has an image over 5 MB", param=field)
    kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)
    if kind is None:
        raise InvalidField(f"{field} must be a PNG or JPEG image, or a link to one", param=field)
    return kind


def _checked_url(url: str, field: str) -> str:
    if len(url) > _MAX_URL_CHARACTERS:
        raise InvalidField(f"{field} has a link over {_MAX_URL_CHARACTERS} characters", param=field)
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host or _NO_URL_CHARACTERS.search(url):
        raise InvalidField(f"{field} has a link that is not a valid URL", param=field)
    return url


def _decoded(encoded: str, field: str) -> bytes:
    # Four characters carry three bytes: an image far over the bound need not be decoded.
    if len(encoded) * 3 // 4 > MAX_IMAGE_BYTES + 3:
        raise InvalidField(f"{field} has an image over 5 MB", param=field)
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidField(
            f"{field} must be an http(s) link, a data URI or base64", param=field
        ) from None
