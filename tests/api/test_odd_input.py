"""Bodies that no good client sends: refused in clear words, or taken for what they say. Never a
500, never a wish that is dropped on the way to the vendor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.harness import Caller, Processes, Running, Vendor

LIMIT = {"main": 20}
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 50
LINK = "https://i.example/1.png"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=XX"
DIGITS = "9" * 5000


@pytest.fixture(scope="module")
def vendor(shared: Processes) -> Vendor:
    return shared.simulator(LIMIT, duration="0.1")


@pytest.fixture(scope="module")
def running(shared: Processes, vendor: Vendor) -> Running:
    return shared.gateway(vendor, LIMIT)


@pytest.fixture(scope="module")
def films(running: Running) -> Iterator[Caller]:
    with closing(Caller(running.url)) as team:
        yield team


def part(disposition: str, value: bytes) -> bytes:
    return (
        f"--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + value + b"\r\n"
    )


PROMPT = part('name="prompt"', b"a cat")
END = b"--XX--\r\n"


def post(films: Caller, content: bytes, kind: str, path: str = "/v1/videos") -> httpx.Response:
    return films.http.post(path, content=content, headers={"Content-Type": kind})


def sent(vendor: Vendor, answer: httpx.Response) -> dict[str, Any]:
    """What the vendor got of it."""
    assert answer.status_code == 200, answer.text
    mine = f"{answer.json()['id']}-1"
    return next(t["body"] for t in vendor.tasks() if t["body"]["request_id"] == mine)


def refused(films: Caller, vendor: Vendor, answer: httpx.Response, param: str | None) -> None:
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
    assert len(answer.content) < 600
    assert "x-task-id" not in answer.headers


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        (b"prompt=a+cat", "a cat"),
        (b"prompt=a%20cat%2C+twice", "a cat, twice"),
        (b"prompt=%E4%B8%80%E5%8F%AA%E7%8C%AB&fps=60", "一只猫"),
        ("prompt=一只猫".encode(), "一只猫"),
        (b"%70rompt=a%3Db%26c", "a=b&c"),
    ],
)
def test_the_other_kind_of_form_means_what_its_escapes_mean(
    films: Caller, vendor: Vendor, content: bytes, prompt: str
):
    assert sent(vendor, post(films, content, FORM))["prompt"] == prompt


@pytest.mark.parametrize("content", [b"prompt=a%00b", b"prompt=%ff", b"prompt=%ed%a0%80"])
def test_what_is_no_text_is_none_behind_an_escape_either(
    films: Caller, vendor: Vendor, content: bytes
):
    refused(films, vendor, post(films, content, FORM), "prompt")


@pytest.mark.parametrize(
    "cut",
    [
        PROMPT + part('name="input_reference"; filename="x.png"', PNG + b"--").rstrip(),
        PROMPT + part('name="fps"', b"60--").rstrip(),
        PROMPT + b"--XX",
        PROMPT + b"--XX-",
        PROMPT,
        b"--XX\r\nContent-Disp",
    ],
)
def test_a_form_that_was_cut_off_makes_no_video_of_its_first_half(
    films: Caller, vendor: Vendor, cut: bytes
):
    refused(films, vendor, post(films, cut, MULTIPART), None)


@pytest.mark.parametrize(
    ("content", "param"),
    [
        (PROMPT * 5000 + END, None),
        (part('name="prompt"; filename="a.txt"', b"a cat") + END, "prompt"),
        (PROMPT + part('name="seconds"; filename="a.txt"', b"5") + END, "seconds"),
        (part('name="prompt"', b"\xff\xfe") + END, "prompt"),
        (part('name="prompt"', b"a\0b") + END, "prompt"),
        (PROMPT + part('name="image_url"; filename="a.png"', b"<html>") + END, "image_url"),
        (PROMPT + part('name="input_reference"; filename=""', b"") + END, "input_reference"),
        (PROMPT + part('name="fps"', DIGITS.encode()) + END, "fps"),
        (PROMPT + part('name="queue_timeout_seconds"', b"nan") + END, "queue_timeout_seconds"),
        (PROMPT + part(f'name="{"n" * 1000}"', b"a") + END, "n" * 64),
        (part("x=y", b"a") + END, None),
        (b"--XX\r\nX-" + b"y" * 100_000 + b": z\r\n\r\n\r\n" + END, None),
        (bytes(range(256)) * 10, None),
    ],
)
def test_a_form_that_makes_no_sense_is_refused(
    films: Caller, vendor: Vendor, content: bytes, param: str | None
):
    refused(films, vendor, post(films, content, MULTIPART), param)


@pytest.mark.parametrize(
    "reference", [{}, {"url": LINK}, {"image_url": None}, {"image": LINK}, [], "", False, 0, 7]
)
def test_a_reference_that_has_no_picture_is_refused_and_not_left_out(
    films: Caller, vendor: Vendor, reference: object
):
    body = {"prompt": "a cat", "input_reference": reference}
    refused(films, vendor, films.http.post("/v1/videos", json=body), "input_reference")


@pytest.mark.parametrize("path", ["/v1/videos", "/v1/video/generations", "/v1/videos/generations"])
@pytest.mark.parametrize("field", ["duration", "seconds"])
@pytest.mark.parametrize("value", [DIGITS, "²", "-5", "", " 5", "5.0", [5], True, 10**30])
def test_a_length_that_is_none_is_refused_by_name(
    films: Caller, vendor: Vendor, path: str, field: str, value: object
):
    body = {"model": "cogvideox-3", "prompt": "a cat", field: value}
    answer = films.http.post(path, json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] in ("duration", "seconds")


def test_new_apis_metadata_is_judged_like_the_fields_beside_it(films: Caller, vendor: Vendor):
    for metadata, param in (
        ({"fps": DIGITS}, "fps"),
        ({"prompt": "a dog"}, "prompt"),
        ({"metadata": {}}, "metadata"),
        ([], "metadata"),
    ):
        body = {"model": "cogvideox-3", "prompt": "a cat", "metadata": metadata}
        refused(films, vendor, films.http.post("/v1/video/generations", json=body), param)
    nothing = {"model": "cogvideox-3", "prompt": "a cat", "metadata": {"prompt": None}}
    answer = films.http.post("/v1/video/generations", json=nothing)
    assert sent(vendor, answer)["prompt"] == "a cat"


@pytest.mark.parametrize("name", ["__class__", "model_extra", "said", "model_dump", "", "\0"])
def test_no_name_of_a_field_is_more_than_a_name(films: Caller, name: str):
    for path in ("/v1/videos", "/v1/video/generations", "/v1/videos/generations"):
        body = {"model": "cogvideox-3", "prompt": "a cat", name: 1}
        answer = films.http.post(path, json=body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["param"] == name


@pytest.mark.parametrize(
    "path",
    [
        "/v1/videos/a%2Fb",
        "/v1/videos/%00",
        "/v1/videos/%FF%FE",
        "/v1/videos/%0D%0Ax-evil:%201",
        "/v1/videos/" + "a" * 60_000,
        "/v1/videos/..",
        "/v1/videos/*",
        "/v1/async-result/%00",
        "/api/v1/video/%2e%2e/result",
    ],
)
def test_an_id_that_is_none_is_not_found(films: Caller, path: str):
    for method in ("GET", "DELETE"):
        answer = films.http.request(method, path)
        assert answer.status_code in (404, 405), answer.text
        assert "x-evil" not in answer.headers
        assert answer.json()["error"]["message"]


def test_nothing_of_this_was_our_fault(running: Running, films: Caller, vendor: Vendor):
    """The last test of the module: what the others did is in the log."""
    assert json.loads(films.http.get("/readyz").content) == {"status": "ready"}
    assert "Traceback" not in running.log_text()
    assert (vendor.total()["refused"], vendor.total()["nulls_received"]) == ({}, 0)
