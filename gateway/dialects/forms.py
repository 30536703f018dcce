"""Forms: OpenAI's SDKs send multipart/form-data even for text alone, curl's -d the other kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, create_form_parser

from gateway.domain.errors import MalformedBody

# No request has more; each costs more time than a byte of JSON does.
_MOST_PARTS = 64
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
    parts: list[Part] = []

    def take(name: bytes | None, value: bytes, *, is_file: bool) -> None:
        if len(parts) == _MOST_PARTS:
            raise MalformedBody(f"the form has more than {_MOST_PARTS} parts")
        parts.append(Part((name or b"").decode("utf-8", "replace"), value, is_file))

    def on_field(field: Field) -> None:
        take(field.field_name, field.value or b"", is_file=False)

    def on_file(file: File) -> None:
        file.file_object.seek(0)
        take(file.field_name, file.file_object.read(), is_file=True)
        file.close()

    headers = {"Content-Type": content_type.encode("latin-1", "replace")}
    # Files stay in memory: the whole body is there already, and bounded.
    config = {"MAX_MEMORY_FILE_SIZE": len(content) + 1}
    try:
        parser = create_form_parser(headers, on_field, on_file, config=config)
        parser.write(content)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise MalformedBody(f"the body is not a valid form: {error}") from None
    if content_type.lower().startswith("multipart/") and not content.rstrip().endswith(b"--"):
        raise MalformedBody("the form ends before its last boundary")
    return parts
