"""The body of a submit, judged as strictly as the vendor at hand documents it."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.simulator.errors import Reason, VendorError

# Two images in base64 and room to spare; the vendors' own bounds are not documented.
MAX_BODY_BYTES = 16 * 1024 * 1024
# Far more than any valid body, and far less than Python's own limit.
MAX_DEPTH = 20

Check = Callable[[object], str | None]
"""Says what is wrong with a value, or None."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The fields a vendor documents."""

    fields: Mapping[str, Check]
    one_of: tuple[str, ...]
    """One of these at least, and not empty."""
    longest_prompt: int | None = None


def decode(raw: bytes) -> dict[str, object]:
    if len(raw) > MAX_BODY_BYTES:
        raise VendorError(Reason.BODY_TOO_LARGE, f"body over {MAX_BODY_BYTES} bytes")
    try:
        body = json.loads(raw)
        if b"\\u" in raw:
            # Half of a surrogate pair is valid in JSON and can be written down nowhere else.
            json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise VendorError(Reason.NOT_JSON, f"not JSON: {error}") from None
    if not isinstance(body, dict):
        raise VendorError(Reason.NOT_JSON, "not a JSON object")
    count_nulls(body)  # refuses what is nested too deeply for whoever walks it later
    return body


def count_nulls(value: object, depth: int = 0) -> int:
    if depth > MAX_DEPTH:
        raise VendorError(Reason.NOT_JSON, "nested too deeply")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return sum(count_nulls(item, depth + 1) for item in value)
    return int(value is None)


def unknown_fields(body: dict[str, object], schema: Schema) -> list[str]:
    return [field for field in body if field not in schema.fields]


def check(body: dict[str, object], schema: Schema, models: Collection[str]) -> None:
    """Raises the first objection."""
    if count_nulls(body):
        raise VendorError(Reason.NULL, "a field is null")
    if unknown := unknown_fields(body, schema):
        raise VendorError(Reason.UNKNOWN_FIELD, f"unknown field {unknown[0]}")
    if "model" not in body:
        raise VendorError(Reason.MISSING_FIELD, "model")
    if body["model"] not in models:
        raise VendorError(Reason.UNKNOWN_MODEL, str(body["model"]))
    if not any(body.get(field) for field in schema.one_of):
        raise VendorError(Reason.MISSING_FIELD, " or ".join(schema.one_of))
    for field, value in body.items():
        if objection := schema.fields[field](value):
            raise VendorError(Reason.INVALID_FIELD, f"{field} {objection}")
    longest = schema.longest_prompt
    if longest is not None and len(str(body.get("prompt", ""))) > longest:
        raise VendorError(Reason.PROMPT_TOO_LONG, f"more than {longest} characters")


def text(value: object) -> str | None:
    return None if isinstance(value, str) else "is not a string"


def flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "is not a boolean"


def one_of(*allowed: object) -> Check:
    def objection(value: object) -> str | None:
        # The types are compared too, because True == 1 and 5.0 == 5 in Python.
        if any(value == choice and type(value) is type(choice) for choice in allowed):
            return None
        return f"is not one of {', '.join(map(str, allowed))}"

    return objection


def text_of(shortest: int, longest: int) -> Check:
    def objection(value: object) -> str | None:
        if isinstance(value, str) and shortest <= len(value) <= longest:
            return None
        return f"is not a string of {shortest} to {longest} characters"

    return objection


def one_or_two(image: Check) -> Check:
    """One image, or a list of the first and the last frame."""

    def objection(value: object) -> str | None:
        if not isinstance(value, list):
            return image(value)
        if len(value) != 2:
            return "is an array of other than 2 images"
        return image(value[0]) or image(value[1])

    return objection


def url(value: object) -> str | None:
    if not isinstance(value, str):
        return "is not a string"
    try:
        parts = urlsplit(value)
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return "is not an http(s) URL"
    return None
