"""Whatever a dialect accepts, a vendor gets in its own words: all of it, and nothing unknown.

The judges are the simulator's: they know the vendors' documents and share no code with the gateway.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from gateway.dialects import DIALECTS
from gateway.dialects.contract import Body, Dialect, Operation
from gateway.domain.catalog import COGVIDEOX_3
from gateway.domain.errors import InvalidRequest
from gateway.domain.video import VideoRequest
from gateway.providers import bigmodel, geekai
from gateway.simulator.bigmodel import BigModel as BigModelDocuments
from gateway.simulator.geekai import GeekAI as GeekAIDocuments
from gateway.simulator.parameters import Schema, check

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
DATA_URI = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
LINKS = ("https://img.example/first.png", "https://img.example/last.jpg")

CREATE = {
    dialect.name: dialect
    for dialect in DIALECTS
    if any(route.operation is Operation.CREATE for route in dialect.routes)
}

images = st.one_of(
    st.sampled_from((*LINKS, DATA_URI, base64.b64encode(PNG).decode())),
    st.lists(st.sampled_from((*LINKS, DATA_URI)), min_size=1, max_size=2),
)
RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "prompt": st.text(max_size=20),
    "image_url": images,
    "image": images,
    "quality": st.sampled_from(("speed", "quality")),
    "with_audio": st.booleans(),
    "watermark_enabled": st.booleans(),
    "watermark": st.booleans(),
    "size": st.sampled_from(COGVIDEOX_3.sizes),
    "fps": st.sampled_from((30, 60)),
    "duration": st.sampled_from((5, 10)),
    "request_id": st.just("mine-0001"),
    "user_id": st.just("user-0001"),
    "async": st.booleans(),
    "retries": st.sampled_from((0, 1, 3)),
    "extra_body": st.sampled_from(({}, {"draft": None})),
    "overflow": st.sampled_from(("queue", "reject")),
    "queue_timeout_seconds": st.sampled_from((1, 2.5)),
    "style": st.none(),
}
# What a dialect has beside these; wrong where another reads it.
OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "images": images,
    "seconds": st.sampled_from(("4", "5", "8", "10", 5)),
    "user": st.just("user-0001"),
    "metadata": st.sampled_from(({}, {"quality": "speed"}, {"fps": 60})),
    "input_reference": st.sampled_from((LINKS[0], {"image_url": LINKS[0]})),
}
WRONG: dict[str, st.SearchStrategy[Any]] = {
    "model": st.just("cogvideox-9"),
    "prompt": st.just("x" * 513),
    "image": st.lists(st.just(LINKS[0]), min_size=3, max_size=3),
    "quality": st.just("best"),
    "size": st.sampled_from(("720x480", "1x1")),
    "fps": st.sampled_from((25, "30")),
    "duration": st.just(7),
    "seconds": st.just("12"),
    "user_id": st.just("me"),
    "retries": st.just(99),
    "extra_body": st.just({"draft": True}),
    "overflow": st.just("panic"),
    "queue_timeout_seconds": st.just(-1),
    "negative_prompt": st.just("dogs"),
    "image_tail": st.just(LINKS[1]),
    "resolution": st.just("1080p"),
    "aspect_ratio": st.just("16:9"),
    "metadata": st.just(7),
    "input_reference": st.just({"file_id": "file-1"}),
    "seed": st.just(7),
}


def some_of(fields: dict[str, st.SearchStrategy[Any]], most: int) -> st.SearchStrategy[Any]:
    names = st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=most)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({n: fields[n] for n in chosen}))


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Mostly right ones. What is wrong must be refused, never passed on or dropped."""
    body = {"model": "cogvideox-3", "prompt": "A cat."} | draw(some_of(RIGHT, 6))
    match draw(st.sampled_from(("right", "right", "others", "wrong", "no prompt"))):
        case "others":
            body |= draw(some_of(OTHERS, 2))
        case "wrong":
            body |= draw(some_of(WRONG, 1))
        case "no prompt":
            del body["prompt"]
    return body


Vendor = tuple[
    Callable[[VideoRequest], str | None], Callable[[VideoRequest], dict[str, Any]], Schema
]
VENDORS: dict[str, Vendor] = {
    "bigmodel": (
        bigmodel.cannot_express,
        lambda request: bigmodel.request_body(request, f"task_{'0' * 32}-1"),
        BigModelDocuments.schema,
    ),
    "geekai": (geekai.cannot_express, geekai.request_body, GeekAIDocuments.schema),
}


def accepted(dialect: Dialect, body: Body) -> VideoRequest | None:
    """What the request asks for, if it is one that is let in."""
    try:
        submission, _ = dialect.parse(body)
        COGVIDEOX_3.check(submission.request)
    except InvalidRequest as error:
        assert error.message
        return None
    return submission.request if submission.request.model == "cogvideox-3" else None


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("name", CREATE)
@given(said=bodies())
@settings(max_examples=150, deadline=None)
def test_what_is_accepted_is_what_the_vendor_documents(
    name: str, vendor: str, said: dict[str, Any]
):
    request = accepted(CREATE[name], Body(json.dumps(said).encode()))
    cannot_express, request_body, documents = VENDORS[vendor]
    if request is None or cannot_express(request) is not None:
        event("refused")
        return
    event("accepted")
    sent = json.loads(json.dumps(request_body(request)))
    check(sent, documents, ["cogvideox-3"])
    assert_nothing_is_lost(request, sent)


def assert_nothing_is_lost(request: VideoRequest, sent: dict[str, Any]) -> None:
    """Every wish is in the body, whatever it is called there."""
    values = [value for value in sent.values() if value is not True and value is not False]
    images = [value if isinstance(value, list) else [value] for value in values]
    assert list(request.images) in images or not request.images
    for wish in ("quality", "size", "fps", "duration_seconds", "user_id", "prompt", "retries"):
        value = getattr(request, wish)
        assert value is None or value in values, wish
    flags = {"with_audio": ("with_audio",), "watermark": ("watermark", "watermark_enabled")}
    for wish, names in flags.items():
        said = [sent[name] for name in names if name in sent]
        assert said == [getattr(request, wish)] or (not said and getattr(request, wish) is None)


@given(said=bodies())
@settings(max_examples=150, deadline=None)
def test_a_form_means_what_the_same_json_means(said: dict[str, Any]):
    # Objects and nothings have no form.
    plain = {k: v for k, v in said.items() if isinstance(v, str | int | float | list)}
    if isinstance(plain.get("fps"), str):
        return  # text has no types: "30" is a number in a form, and none in JSON
    openai = CREATE["openai"]
    as_json = accepted(openai, Body(json.dumps(plain).encode()))
    assert accepted(openai, form(plain)) == as_json


def form(fields: dict[str, Any]) -> Body:
    parts = []
    for name, value in fields.items():
        many = isinstance(value, list)
        for item in value if many else [value]:
            text = str(item).lower() if isinstance(item, bool) else str(item)
            head = f'--b\r\nContent-Disposition: form-data; name="{name}{"[]" * many}"\r\n\r\n'
            parts.append(head.encode() + text.encode() + b"\r\n")
    return Body(b"".join(parts) + b"--b--\r\n", "multipart/form-data; boundary=b")
