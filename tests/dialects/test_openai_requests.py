"""What OpenAI's clients may say, as JSON and as a form, and what each refusal names."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gateway.dialects import OPENAI
from gateway.dialects.contract import Body
from gateway.domain.errors import (
    ConflictingFields,
    InvalidField,
    InvalidRequest,
    MalformedBody,
)
from gateway.domain.submission import Overflow, Submission
from tests.dialects.test_forms import PNG, TYPE, URLENCODED, part

FIRST, LAST = "https://img.example/first.png", "https://img.example/last.png"
INLINE = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def as_json(**fields: Any) -> Body:
    return Body(json.dumps({"prompt": "A cat."} | fields).encode())


def as_form(*parts: bytes) -> Body:
    return Body(part("prompt", b"A cat.") + b"".join(parts) + b"--b--\r\n", TYPE)


def read(body: Body) -> Submission:
    submission, words = OPENAI.parse(body)
    assert words is OPENAI
    return submission


def images(body: Body) -> tuple[str, ...]:
    return read(body).request.images


def refusal(body: Body, kind: type[InvalidRequest] = InvalidField) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        OPENAI.parse(body)
    assert type(refused.value) is kind, refused.value
    return refused.value


# What is not said


@pytest.mark.parametrize("body", [as_json(), as_form()], ids=["JSON", "form"])
def test_what_is_not_said_is_left_to_the_vendor_the_model_excepted(body: Body):
    request = read(body).request
    said = {name for name in type(request).__slots__ if getattr(request, name) not in (None, ())}
    assert said == {"model", "prompt"}
    assert request.model == "cogvideox-3"


@pytest.mark.parametrize("field", ["model", "seconds", "size", "input_reference", "image_url"])
def test_a_null_says_nothing(field: str):
    assert read(as_json(**{field: None})) == read(as_json())


def test_a_model_that_is_named_stays():
    assert read(as_json(model="cogvideox-2")).request.model == "cogvideox-2"
    assert read(as_form(part("model", b"cogvideox-2"))).request.model == "cogvideox-2"


# How long


@pytest.mark.parametrize(
    ("seconds", "length"), [("4", 5), ("5", 5), ("8", 10), ("10", 10), (4, 5), (5, 5), (10, 10)]
)
def test_openais_lengths_mean_the_nearest_that_there_is(seconds: object, length: int):
    assert read(as_json(seconds=seconds)).request.duration_seconds == length
    form = as_form(part("seconds", str(seconds).encode()))
    assert read(form).request.duration_seconds == length


@pytest.mark.parametrize("seconds", ["12", 12, "", " 5", "05", "five", 5.0, True, [5], {}])
def test_a_length_that_there_is_not_is_refused(seconds: object):
    error = refusal(as_json(seconds=seconds))
    assert error.param == "seconds"
    assert '"5" or "10"' in error.message


def test_the_vendors_own_length_may_be_given_instead_and_is_taken_as_it_is():
    assert read(as_json(duration=10)).request.duration_seconds == 10
    assert read(as_json(duration=7)).request.duration_seconds == 7  # judged by the model
    assert read(as_form(part("duration", b"10"))).request.duration_seconds == 10
    assert read(as_json(duration=10, seconds=None)).request.duration_seconds == 10
    assert read(as_json(duration=None, seconds="8")).request.duration_seconds == 10
    assert refusal(as_json(duration="10")).param == "duration"


@pytest.mark.parametrize(
    "body",
    [as_json(seconds="5", duration=5), as_form(part("seconds", b"5"), part("duration", b"5"))],
    ids=["JSON", "form"],
)
def test_two_lengths_are_one_too_many(body: Body):
    assert refusal(body, ConflictingFields).param == "seconds"


# A picture, in all its forms


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (as_json(input_reference=FIRST), (FIRST,)),
        (as_json(input_reference=INLINE), (INLINE,)),
        (as_json(input_reference={"image_url": FIRST}), (FIRST,)),
        (as_json(input_reference={"image_url": INLINE}), (INLINE,)),
        (as_json(input_reference={"file_id": None, "image_url": FIRST}), (FIRST,)),
        (as_json(input_reference=[FIRST, LAST]), (FIRST, LAST)),
        (as_json(image_url=[FIRST, LAST]), (FIRST, LAST)),
        (as_json(image=FIRST), (FIRST,)),
        (as_json(input_reference=None, image=FIRST), (FIRST,)),
        (as_json(input_reference=FIRST, image=None), (FIRST,)),
        (as_form(part("input_reference", PNG, file="a.png")), (INLINE,)),
        (as_form(part("input_reference", FIRST.encode())), (FIRST,)),
        (as_form(part("input_reference[image_url]", FIRST.encode())), (FIRST,)),
        (
            as_form(*[part("input_reference[]", PNG, file=f) for f in ("1.png", "2.png")]),
            (INLINE, INLINE),
        ),
        (
            as_form(
                part("input_reference", PNG, file="1.png"),
                part("input_reference[image_url]", LAST.encode()),
            ),
            (INLINE, LAST),
        ),
        (as_form(part("image_url[]", FIRST.encode())), (FIRST,)),
        (as_form(*(part("image_url[]", link.encode()) for link in (FIRST, LAST))), (FIRST, LAST)),
        (as_form(part("image", PNG, file="a.png")), (INLINE,)),
    ],
)
def test_a_picture_may_come_in_every_form(body: Body, expected: tuple[str, ...]):
    assert images(body) == expected


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        (as_json(input_reference={"file_id": "file-1"}), "input_reference", "file_id"),
        (as_form(part("input_reference[file_id]", b"file-1")), "input_reference", "file_id"),
        (as_form(part("input_reference", b"", file="a.png")), "input_reference", "PNG or JPEG"),
        (as_form(part("input_reference", b"GIF89a", file="a.gif")), "input_reference", "PNG"),
        (as_form(part("input_reference", PNG)), "input_reference", "UTF-8"),
        (as_form(part("prompt", PNG, file="a.png")), "prompt", "takes no file"),
        (as_form(part("mask", PNG, file="a.png")), "mask", "takes no file"),
    ],
)
def test_a_picture_that_cannot_be_used_is_refused_by_name(body: Body, param: str, words: str):
    error = refusal(body)
    assert error.param == param
    assert words in error.message


@pytest.mark.parametrize(
    "body",
    [
        as_json(input_reference=7),
        as_json(input_reference="my cat"),
        as_json(input_reference=[FIRST] * 3),
        as_form(*[part("input_reference", PNG, file="a.png")] * 3),
        as_form(part("input_reference", b"my cat")),
    ],
)
def test_a_refused_input_reference_is_called_so(body: Body):
    assert refusal(body).param == "input_reference"


@pytest.mark.parametrize(
    "reference", [{"url": FIRST}, {"image_url": None, "url": FIRST}, {"type": "image_url"}]
)
def test_an_input_reference_that_is_not_understood_is_not_dropped(reference: dict[str, Any]):
    assert refusal(as_json(input_reference=reference)).param == "input_reference"


@pytest.mark.parametrize(
    "body",
    [
        as_json(input_reference=FIRST, image=FIRST),
        as_json(input_reference={"image_url": FIRST}, image_url=FIRST),
        as_form(part("input_reference", PNG, file="a.png"), part("image_url[]", FIRST.encode())),
        as_form(part("image", PNG, file="a.png"), part("image_url[]", FIRST.encode())),
    ],
)
def test_pictures_under_two_names_conflict(body: Body):
    assert refusal(body, ConflictingFields).param == "input_reference"


def test_the_vendors_two_names_conflict_too():
    assert refusal(as_json(image=FIRST, image_url=FIRST), ConflictingFields).param == "image"
    form = as_form(part("image[]", FIRST.encode()), part("image_url[]", FIRST.encode()))
    assert refusal(form, ConflictingFields).param == "image"


# What comes as text


def test_a_form_has_no_types_and_means_them_all_the_same():
    form = as_form(
        part("with_audio", b"true"),
        part("watermark", b"false"),
        part("async", b"false"),
        part("fps", b"60"),
        part("retries", b"2"),
        part("overflow", b"reject"),
        part("queue_timeout_seconds", b"2.5"),
        part("request_id", b"0123"),
        part("size", b"1280x720"),
    )
    submission = read(form)
    request = submission.request
    assert (request.with_audio, request.watermark, request.fps) == (True, False, 60)
    assert (request.retries, request.size, request.client_request_id) == (2, "1280x720", "0123")
    assert (submission.waits, submission.overflow) == (True, Overflow.REJECT)
    assert submission.queue_timeout_seconds == 2.5
    assert submission.idempotency_key == "request_id 0123"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("with_audio", b"True"),
        ("with_audio", b"1"),
        ("async", b"yes"),
        ("fps", b"30.0"),
        ("fps", b"-30"),
        ("fps", b""),
        ("fps", "٣٠".encode()),
        ("fps", b"9" * 5000),
        ("retries", b"11"),
        ("overflow", b"panic"),
        ("queue_timeout_seconds", b"soon"),
        ("queue_timeout_seconds", b"nan"),
        ("queue_timeout_seconds", b"inf"),
        ("queue_timeout_seconds", b"0"),
        ("extra_body", b"{}"),
        ("user_id", b"me"),
        ("size", b"\xff"),
        ("prompt[en]", b"a cat"),
        ("negative_prompt", b"dogs"),
        ("seed", b"7"),
        ("\xc3\xbf", b"7"),
    ],
)
def test_a_text_that_stands_for_nothing_is_refused_by_name(name: str, value: bytes):
    assert refusal(as_form(part(name, value))).param == name


def test_a_name_that_is_no_name_is_told_in_part_and_not_in_full():
    error = refusal(as_form(part("x" * 1000, b"7")))
    assert error.param == "x" * 64
    assert "x" * 65 not in error.message


# Which kind of body it is


@pytest.mark.parametrize("content_type", [URLENCODED, TYPE, "", "text/plain", "application/json"])
def test_json_is_json_whatever_it_is_called(content_type: str):
    content = b' \r\n{"prompt": "A cat.", "seconds": "8"}'
    assert read(Body(content, content_type)).request.duration_seconds == 10


@pytest.mark.parametrize("content", [b"", b"[]", b"7", b"{", b'{"prompt": "\\ud800"}', b"\xff"])
def test_what_is_no_object_of_json_is_refused(content: bytes):
    assert refusal(Body(content), MalformedBody).param is None


def test_a_form_that_is_broken_is_refused_as_such():
    assert "form" in refusal(Body(b"--b\r\n", TYPE), MalformedBody).message


def test_a_prompt_from_curls_urlencoded_data_is_what_was_typed():
    body = Body(b"prompt=a+cat+%26+%E5%AD%97", URLENCODED)
    assert read(body).request.prompt == "a cat & 字"
