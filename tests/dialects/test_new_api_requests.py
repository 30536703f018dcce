"""What new-api's clients may say: its names for ours, each once, and refusals that name them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects.contract import Body
from gateway.domain.errors import (
    ConflictingFields,
    InvalidField,
    InvalidRequest,
    MalformedBody,
    MissingField,
)
from gateway.domain.submission import Submission
from tests.dialects.samples import BY_NAME
from tests.dialects.test_forms import TYPE

NEW_API = BY_NAME["new-api"]
FIRST, LAST = "https://img.example/first.png", "https://img.example/last.png"


def read(**fields: Any) -> Submission:
    body = {"model": "cogvideox-3", "prompt": "A cat."} | fields
    submission, words = NEW_API.parse(Body(json.dumps(body).encode()))
    assert words is NEW_API
    return submission


def refusal(kind: type[InvalidRequest], **fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        read(**fields)
    assert type(refused.value) is kind, refused.value
    return refused.value


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ({"image": FIRST}, {"images": (FIRST,)}),
        ({"images": [FIRST]}, {"images": (FIRST,)}),
        ({"images": [FIRST, LAST]}, {"images": (FIRST, LAST)}),
        ({"image_url": FIRST}, {"images": (FIRST,)}),
        ({"duration": 5}, {"duration_seconds": 5}),
        ({"duration": "10"}, {"duration_seconds": 10}),
        ({"seconds": "5"}, {"duration_seconds": 5}),
        ({"seconds": 10}, {"duration_seconds": 10}),
        ({"user": "user-0001"}, {"user_id": "user-0001"}),
        ({"width": 1280, "height": 720}, {"size": "1280x720"}),
        ({"width": "1280", "height": "720"}, {"size": "1280x720"}),
        ({"size": "1280x720"}, {"size": "1280x720"}),
        ({"fps": 60}, {"fps": 60}),
        ({"n": 1}, {}),
        ({"metadata": {}}, {}),
        (
            {"metadata": {"quality": "speed", "with_audio": True, "watermark": False}},
            {"quality": "speed", "with_audio": True, "watermark": False},
        ),
        ({"metadata": {"quality": None}}, {}),
    ],
)
def test_each_of_its_names_says_what_ours_says(said: dict[str, Any], ours: dict[str, Any]):
    plain = read().request
    request = read(**said).request
    differs = {
        name: getattr(request, name)
        for name in type(request).__slots__
        if getattr(request, name) != getattr(plain, name)
    }
    assert differs == ours


@pytest.mark.parametrize(
    "field",
    ["images", "seconds", "user", "width", "height", "n", "metadata", "image", "size", "duration"],
)
def test_a_null_says_nothing(field: str):
    assert read(**{field: None}) == read()


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"images": [FIRST], "image": FIRST}, "image"),
        ({"images": [FIRST], "image_url": FIRST}, "images"),
        ({"seconds": "5", "duration": 5}, "duration"),
        ({"user": "user-0001", "user_id": "user-0001"}, "user_id"),
        ({"width": 1280, "height": 720, "size": "1280x720"}, "size"),
        ({"quality": "speed", "metadata": {"quality": "speed"}}, "quality"),
        ({"seconds": "5", "metadata": {"duration": 5}}, "duration"),
        ({"watermark": True, "metadata": {"watermark_enabled": True}}, "watermark"),
    ],
)
def test_what_is_said_under_two_names_is_refused(said: dict[str, Any], param: str):
    error = refusal(ConflictingFields, **said)
    assert error.param == param
    assert param in error.message


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"n": "one"}, "n"),
        ({"metadata": []}, "metadata"),
        ({"metadata": "{}"}, "metadata"),
        ({"images": 7}, "images"),
        ({"images": []}, "images"),
        ({"images": [FIRST] * 3}, "images"),
        ({"images": ["my cat"]}, "images"),
        ({"seconds": "soon"}, "seconds"),
        ({"seconds": "5.0"}, "seconds"),
        ({"duration": 5.0}, "duration"),
        ({"duration": "-5"}, "duration"),
        ({"duration": ""}, "duration"),
        ({"metadata": {"fps": "30"}}, "fps"),
        ({"metadata": {"negative_prompt": "dogs"}}, "negative_prompt"),
        ({"metadata": {"style": "anime"}}, "style"),
        ({"seed": 7}, "seed"),
        ({"response_format": "url"}, "response_format"),
        ({"input_reference": FIRST}, "input_reference"),
        ({"user": "me"}, "user"),
        ({"width": 1280}, "height"),
        ({"duration": "9" * 5000}, "duration"),
    ],
)
def test_every_refusal_names_the_field(said: dict[str, Any], param: str):
    error = refusal(InvalidField, **said)
    assert error.param == param
    assert param in error.message


def test_a_null_in_metadata_says_nothing_either():
    assert read(quality="speed", metadata={"quality": None}).request.quality == "speed"


def test_a_model_must_be_named():
    assert refusal(MissingField, model=None).param == "model"


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"prompt": "\\ud800"}'])
def test_what_is_no_object_of_json_is_refused(content: bytes):
    with pytest.raises(MalformedBody):
        NEW_API.parse(Body(content))


def test_it_takes_json_only():
    with pytest.raises(MalformedBody):
        NEW_API.parse(Body(b"--b--\r\n", TYPE))
