"""Forms: what SDKs and curl send, whole or broken, and what is told of the broken ones."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

import pytest

from gateway.dialects.forms import Part, is_form, read_form
from gateway.domain.errors import MalformedBody

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
TYPE = "multipart/form-data; boundary=b"
URLENCODED = "application/x-www-form-urlencoded"


def part(name: str, value: bytes, *headers: str, file: str | None = None) -> bytes:
    """One part, from its boundary to its last byte."""
    filename = "" if file is None else f'; filename="{file}"'
    head = [f'Content-Disposition: form-data; name="{name}"{filename}', *headers]
    return b"--b\r\n" + "\r\n".join(head).encode() + b"\r\n\r\n" + value + b"\r\n"


def read(*parts: bytes, end: bytes = b"--b--\r\n", content_type: str = TYPE) -> list[Part]:
    return list(read_form(b"".join(parts) + end, content_type))


def refusal(content: bytes, content_type: str = TYPE) -> str:
    with pytest.raises(MalformedBody) as refused:
        read_form(content, content_type)
    return refused.value.message


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        (TYPE, True),
        ("Multipart/Form-Data; boundary=b", True),
        (URLENCODED, True),
        (f"{URLENCODED}; charset=utf-8", True),
        ("application/json", False),
        ("multipart/mixed; boundary=b", False),
        ("", False),
    ],
)
def test_a_form_is_known_by_its_content_type(content_type: str, form: bool):
    assert is_form(content_type) is form


def test_parts_come_in_their_order_and_under_their_full_names():
    assert read(
        part("prompt", "字".encode()),
        part("image_url[]", b"1"),
        part("image_url[]", b"2"),
        part("input_reference[image_url]", b"3"),
    ) == [
        Part("prompt", "字".encode(), is_file=False),
        Part("image_url[]", b"1", is_file=False),
        Part("image_url[]", b"2", is_file=False),
        Part("input_reference[image_url]", b"3", is_file=False),
    ]


@pytest.mark.parametrize("file", ["first.png", "", "第一帧.png", "a;b.png"])
@pytest.mark.parametrize(
    "headers", [(), ("Content-Type: image/png",), ("Content-Type: application/octet-stream",)]
)
def test_a_part_with_a_files_name_is_a_file_whatever_type_it_claims(
    file: str, headers: tuple[str, ...]
):
    found = read(part("input_reference", PNG, *headers, file=file))
    assert found == [Part("input_reference", PNG, is_file=True)]


def test_a_files_bytes_stay_what_they_are():
    every_byte = bytes(range(256)) + b"\r\n--\r\n--c\r\n" + b"\r\n" * 3
    (found,) = read(part("input_reference", every_byte, file="a"))
    assert found.value == every_byte


@pytest.mark.parametrize(
    ("boundary", "quoted"),
    [
        ("b", '"b"'),
        ("----WebKitFormBoundary7MA4YWxkTrZu0gW", "----WebKitFormBoundary7MA4YWxkTrZu0gW"),
        ("a b:c=d", '"a b:c=d"'),
        ("x" * 70, "x" * 70),
    ],
)
def test_every_boundary_that_the_standard_allows_is_understood(boundary: str, quoted: str):
    content = (part("prompt", b"a cat") + b"--b--\r\n").replace(b"--b", b"--" + boundary.encode())
    found = read_form(content, f"multipart/form-data; boundary={quoted}; charset=utf-8")
    assert found == [Part("prompt", b"a cat", is_file=False)]


def test_a_form_without_parts_says_nothing():
    assert read() == []


@pytest.mark.parametrize(
    ("encoding", "sent", "value"),
    [
        ("binary", b"a cat", b"a cat"),
        ("8bit", b"a cat", b"a cat"),
        ("base64", b"YSBjYXQ=", b"a cat"),
        ("quoted-printable", b"a=20cat", b"a cat"),
    ],
)
def test_an_encoded_part_is_decoded(encoding: str, sent: bytes, value: bytes):
    (found,) = read(part("prompt", sent, f"Content-Transfer-Encoding: {encoding}"))
    assert found.value == value


@pytest.mark.parametrize(
    ("why", "content", "content_type"),
    [
        ("no boundary", part("prompt", b"a cat") + b"--b--\r\n", "multipart/form-data"),
        ("an empty one", part("prompt", b"a cat") + b"--b--\r\n", "multipart/form-data; boundary="),
        ("another one", part("prompt", b"a cat") + b"--b--\r\n", f"{TYPE}c"),
        ("no form", b"hello", TYPE),
        ("nothing", b"", TYPE),
        ("line feeds only", part("prompt", b"a").replace(b"\r\n", b"\n") + b"--b--\n", TYPE),
        ("no name", b"--b\r\nContent-Disposition: form-data\r\n\r\na\r\n--b--\r\n", TYPE),
        ("no disposition", b"--b\r\nX: y\r\n\r\na\r\n--b--\r\n", TYPE),
        ("half a base64", part("p", b"YSB", "Content-Transfer-Encoding: base64") + b"--b--", TYPE),
        ("too many headers", part("p", b"a", *["X: y"] * 100) + b"--b--\r\n", TYPE),
        ("another type", b"a=b", f"{URLENCODED}-2"),
    ],
)
def test_what_is_no_form_is_told(why: str, content: bytes, content_type: str):
    assert "form" in refusal(content, content_type), why


WHOLE = part("prompt", b"a cat") + part("input_reference", PNG, file="a.png") + b"--b--\r\n"


def test_a_form_that_ends_too_early_is_refused_wherever_it_ends():
    for length in range(len(WHOLE) - len(b"--\r\n")):
        assert "form" in refusal(WHOLE[:length]), WHOLE[:length]


def test_a_file_that_was_cut_short_after_two_dashes_is_not_dropped():
    cut = part("prompt", b"a cat") + part("input_reference", PNG + b"--", file="a.png")
    assert "ends before" in refusal(cut.removesuffix(b"\r\n"))


def test_what_follows_the_last_boundary_is_ignored_as_the_standard_has_it():
    assert len(read(part("prompt", b"a cat"), end=b"--b--\r\nan epilogue\r\n")) == 1


def test_a_form_has_at_most_64_parts():
    assert len(read(*[part("prompt", b"a cat")] * 64)) == 64
    assert "64 parts" in refusal(part("prompt", b"a cat") * 65 + b"--b--\r\n")
    assert "64 parts" in refusal(b"&".join([b"prompt=a"] * 65), URLENCODED)


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b"prompt=a&fps=30", [("prompt", b"a"), ("fps", b"30")]),
        (b"prompt=a&&fps=30&", [("prompt", b"a"), ("fps", b"30")]),
        (b"prompt=&size", [("prompt", b""), ("size", b"")]),
        (b"", []),
    ],
)
def test_the_other_kind_of_form_is_read_as_well(content: bytes, fields: list[tuple[str, bytes]]):
    assert [(p.name, p.value) for p in read_form(content, URLENCODED)] == fields
    assert not any(p.is_file for p in read_form(content, URLENCODED))


@pytest.mark.parametrize(
    "value", ["a cat", "50% of 1+1 = 1 & a 字", "https://img.example/1.png?a=b"]
)
def test_the_other_kind_of_form_is_decoded(value: str):
    content = f"image_url%5B%5D={quote_plus(value)}".encode()
    assert list(read_form(content, URLENCODED)) == [
        Part("image_url[]", value.encode(), is_file=False)
    ]


@pytest.mark.parametrize("value", [b"", b"0" * (1024 * 1024 + 1)], ids=["nothing", "over 1 MB"])
def test_a_part_of_any_length_is_read_whole(value: bytes):
    found: list[Any] = read(part("input_reference", value, file="a"), part("x", value))
    assert [p.value for p in found] == [value, value]
