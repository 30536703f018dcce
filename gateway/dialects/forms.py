"""Forms: OpenAI's SDKs send multipart/form-data even for text alone, curl's -d the other kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header

from gateway.domain.errors import MalformedBody

# No request has more; each costs more time than a byte of JSON does.
_MOST_PARTS = 64
_MULTIPART = b"multipart/form-data"
_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form; a file where it came with a file's name, whatever type it claims."""

    name: str
    value: bytes
    is_file: bool


def is_form(content_type: str) -> bool:
    return content_type.lower().startswith(_TYPES)


def read_form(content: bytes, content_type: str) -> Sequence[Part]:
    """All parts, in their order.

    Raises:
        MalformedBody: it is no form, ends too early, or has too many parts.
    """
    kind, options = parse_options_header(content_type)
    parts: list[Part] = []
    ends: list[bool] = []

    def take(name: bytes | None, value: bytes, *, is_file: bool) -> None:
        if len(parts) == _MOST_PARTS:
            raise MalformedBody(f"the form has more than {_MOST_PARTS} parts")
        name = name or b""
        if kind != _MULTIPART:
            name, value = _decoded(name), _decoded(value)
        parts.append(Part(name.decode("utf-8", "replace"), value, is_file))

    def on_field(field: Field) -> None:
        take(field.field_name, field.value or b"", is_file=False)

    def on_file(file: File) -> None:
        file.file_object.seek(0)
        take(file.field_name, file.file_object.read(), is_file=True)
        file.close()

    # Files stay in memory: the whole body is there already, and bounded.
    config = {"MAX_MEMORY_FILE_SIZE": len(content) + 1}
    try:
        parser = FormParser(
            kind.decode("latin-1"),
            on_field,
            on_file,
            on_end=lambda: ends.append(True),
            boundary=options.get(b"boundary"),
            config=config,
        )
        parser.write(content)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise MalformedBody(f"the body is not a valid form: {error}") from None
    if kind == _MULTIPART and not ends:
        raise MalformedBody("the form ends before its last boundary")
    return parts


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))
