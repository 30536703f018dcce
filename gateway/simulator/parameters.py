"""The body of a submit, judged as strictly as the vendor documents it."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from gateway.simulator.errors import VendorError

MAX_PROMPT_CHARACTERS = 512
MAX_IMAGE_BYTES = 5 * 1024 * 1024
# Two images in base64 and room to spare; the vendor's own bound is not documented.
MAX_BODY_BYTES = 16 * 1024 * 1024
SIZES = (
    "1280x720",
    "720x1280",
    "1024x1024",
    "1920x1080",
    "1080x1920",
    "2048x1080",
    "3840x2160",
)
# Far more than any valid body, and far less than Python's own limit.
MAX_DEPTH = 20

_DATA_URI = re.compile(r"data:image/(png|jpe?g);base64,")
_MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff", "jpeg": b"\xff\xd8\xff"}

Check = Callable[[object], str | None]
"""Says what is wrong with a value, or None."""


def decode(raw: bytes) -> dict[str, object]:
    if len(raw) > MAX_BODY_BYTES:
        raise VendorError("1210", f"body over {MAX_BODY_BYTES} bytes", status=413)
    try:
        body = json.loads(raw)
        if b"\\u" in raw:
            # Half of a surrogate pair is valid in JSON and can be written down nowhere else.
            json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise VendorError("1210", f"not JSON: {error}") from None
    if not isinstance(body, dict):
        raise VendorError("1210", "not a JSON object")
    count_nulls(body)  # refuses what is nested too deeply for whoever walks it later
    return body


def count_nulls(value: object, depth: int = 0) -> int:
    if depth > MAX_DEPTH:
        raise VendorError("1210", "nested too deeply")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return sum(count_nulls(item, depth + 1) for item in value)
    return int(value is None)


def unknown_fields(body: dict[str, object]) -> list[str]:
    return [field for field in body if field not in _CHECKS]


def check(body: dict[str, object], models: Collection[str]) -> None:
    """Raises the first objection."""
    if count_nulls(body):
        raise VendorError("1214", "a field is null")
    if unknown := unknown_fields(body):
        raise VendorError("1210", f"unknown field {unknown[0]}")
    if "model" not in body:
        raise VendorError("1213", "model")
    if body["model"] not in models:
        raise VendorError("1211", str(body["model"]))
    if not body.get("prompt") and not body.get("image_url"):
        raise VendorError("1213", "prompt or image_url")
    for field, value in body.items():
        if objection := _CHECKS[field](value):
            raise VendorError("1214", f"{field} {objection}")
    if len(str(body.get("prompt", ""))) > MAX_PROMPT_CHARACTERS:
        raise VendorError("1261", f"more than {MAX_PROMPT_CHARACTERS} characters")


def _text(value: object) -> str | None:
    return None if isinstance(value, str) else "is not a string"


def _flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "is not a boolean"


def _one_of(*allowed: object) -> Check:
    def objection(value: object) -> str | None:
        # The types are compared too, because True == 1 and 5.0 == 5 in Python.
        if any(value == choice and type(value) is type(choice) for choice in allowed):
            return None
        return f"is not one of {', '.join(map(str, allowed))}"

    return objection


def _text_of(shortest: int, longest: int) -> Check:
    def objection(value: object) -> str | None:
        if isinstance(value, str) and shortest <= len(value) <= longest:
            return None
        return f"is not a string of {shortest} to {longest} characters"

    return objection


def _images(value: object) -> str | None:
    if not isinstance(value, list):
        return _image(value)
    if len(value) != 2:
        return "is an array of other than 2 images"
    return _image(value[0]) or _image(value[1])


def _image(value: object) -> str | None:
    if not isinstance(value, str):
        return "is not a string"
    if header := _DATA_URI.match(value):
        return _data(value[header.end() :], header[1])
    try:
        url = urlsplit(value)
    except ValueError:
        return "is not a URL"
    if url.scheme not in ("http", "https") or not url.netloc:
        return "is neither an http(s) URL nor a data URI of a png or jpeg"
    return None


def _data(encoded: str, kind: str) -> str | None:
    try:
        image = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        return "is not base64"
    if not image.startswith(_MAGIC[kind]):
        return f"does not hold a {kind}"
    return "is over 5 MB" if len(image) > MAX_IMAGE_BYTES else None


_CHECKS: dict[str, Check] = {
    "model": _text,
    "prompt": _text,
    "image_url": _images,
    "quality": _one_of("speed", "quality"),
    "with_audio": _flag,
    "watermark_enabled": _flag,
    "size": _one_of(*SIZES),
    "fps": _one_of(30, 60),
    "duration": _one_of(5, 10),
    "request_id": _text_of(6, 64),
    "user_id": _text_of(6, 128),
}
