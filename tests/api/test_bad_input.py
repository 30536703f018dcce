"""Bad input gets a 400 that names the field, stores nothing, takes no slot and echoes nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from gateway.store.connection import Store, open_store
from tests.harness import ADMIN_KEY, TEAM_KEY, Caller, Processes, Running

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff\xe0"
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 "
# A comma is missing after the images and one too many after fps, as geekai.co published it.
PUBLISHED_FRAMES_EXAMPLE = """{
    "model": "cogvideox-3",
    "prompt": "让画面动起来",
    "image": [ "https://cdn.example/cogvideo4.png", "https://cdn.example/cogvideo5.png" ]
    "quality": "speed",
    "with_audio": true,
    "size": "1920x1080",
    "fps": 30,
}"""


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def body(**fields: Any) -> str:
    return json.dumps({"model": "cogvideox-3", "prompt": "a cat"} | fields)


def raw(field: str, value: str) -> str:
    return f'{{"model": "cogvideox-3", "prompt": "a cat", "{field}": {value}}}'


# What is wrong, the body, the code, the field, and words that the message must have.
BAD = [
    ("broken JSON", '{"model": "cogvideox-3"', "1210", None, "line 1 column"),
    ("a published example", PUBLISHED_FRAMES_EXAMPLE, "1210", None, "line 5 column"),
    ("nothing", "", "1210", None, "JSON"),
    ("no object", '["cogvideox-3"]', "1210", None, "object"),
    ("not UTF-8", b'{"model": "\xff"}', "1210", None, "JSON"),
    ("NaN", raw("fps", "NaN"), "1214", "fps", "whole number"),
    ("Infinity", raw("duration", "Infinity"), "1214", "duration", "whole number"),
    ("a huge number", raw("fps", "1e999"), "1214", "fps", "whole number"),
    ("NaN in an unknown field", raw("seed", "NaN"), "1214", "seed", "no field"),
    ("a lone surrogate", raw("user_id", '"\\ud800abcdef"'), "1210", None, "JSON"),
    ("a lone low surrogate", raw("prompt", '"\\udc00"'), "1210", None, "JSON"),
    ("deep nesting", raw("image", "[" * 100_000 + "]" * 100_000), "1210", None, "recursion"),
    ("4,400 digits", raw("fps", "9" * 4400), "1210", None, "number"),
    ("a number as prompt", body(prompt=7), "1214", "prompt", "string"),
    ("a string as bool", body(with_audio="true"), "1214", "with_audio", "true or false"),
    ("a string as int", body(fps="30"), "1214", "fps", "whole number"),
    ("a bool as int", body(duration=True), "1214", "duration", "whole number"),
    ("a fraction", body(duration=5.5), "1214", "duration", "whole number"),
    ("an object as image", body(image={"url": "x"}), "1214", "image", "link"),
    ("numbers as images", body(image_url=[1, 2]), "1214", "image_url", "link"),
    ("no model", '{"prompt": "a cat"}', "1213", "model", "missing"),
    ("an unknown model", body(model="sora-2"), "1211", "model", "cogvideox-3"),
    ("neither prompt nor image", '{"model": "cogvideox-3"}', "1213", "prompt", "image"),
    ("a blank prompt", body(prompt="  "), "1213", "prompt", "image"),
    ("513 characters", body(prompt="字" * 513), "1261", "prompt", "512"),
    ("a NUL in the prompt", body(prompt="a\x00b"), "1214", "prompt", "control"),
    (
        "both image fields",
        body(image="https://i.example/1.png", image_url="https://i.example/2.png"),
        "1215",
        "image",
        "image_url",
    ),
    ("three images", body(image=["https://i.example/1.png"] * 3), "1214", "image", "3"),
    ("no images in the array", body(image_url=[]), "1214", "image_url", "0"),
    ("5 MB and a byte", body(image=b64(PNG.ljust(5 * 2**20 + 1, b"\0"))), "1214", "image", "5 MB"),
    ("far over 5 MB", body(image=b64(PNG.ljust(7 * 2**20, b"\0"))), "1214", "image", "5 MB"),
    ("webp", body(image=b64(WEBP)), "1214", "image", "PNG or JPEG"),
    (
        "webp that calls itself png",
        body(image=f"data:image/png;base64,{b64(WEBP)}"),
        "1214",
        "image",
        "PNG or JPEG",
    ),
    ("text as base64", body(image_url=b64(b"hello, world")), "1214", "image_url", "PNG or JPEG"),
    ("text as image", body(image_url="my cat"), "1214", "image_url", "base64"),
    ("an empty image", body(image=""), "1214", "image", "PNG or JPEG"),
    ("another data URI", body(image="data:text/html,hi"), "1214", "image", "data URI"),
    ("a link with a space", body(image="https://i.example/a b.png"), "1214", "image", "URL"),
    ("a link to no host", body(image="https:///a.png"), "1214", "image", "URL"),
    ("a link to nowhere", body(image="http://:80"), "1214", "image", "URL"),
    ("an endless link", body(image="https://i.example/" + "a" * 2048), "1214", "image", "2048"),
    ("a size it lacks", body(size="1024x1792"), "1214", "size", "1920x1080"),
    ("an fps it lacks", body(fps=24), "1214", "fps", "30, 60"),
    ("a duration it lacks", body(duration=8), "1214", "duration", "5, 10"),
    ("a quality it lacks", body(quality="best"), "1214", "quality", "speed, quality"),
    ("a short user_id", body(user_id="me"), "1214", "user_id", "6 to 128"),
    ("an endless request_id", body(request_id="x" * 65), "1214", "request_id", "64"),
    ("no wish either way", body(**{"async": "perhaps"}), "1214", "async", "true"),
    ("an unknown field", body(seed=7), "1214", "seed", "no field"),
    ("what not to show", body(negative_prompt="dogs"), "1214", "negative_prompt", "this model"),
    ("a last frame apart", body(image_tail="https://a.b/c"), "1214", "image_tail", "array of two"),
    ("a resolution", body(resolution="1080p"), "1214", "resolution", "give size"),
    ("an aspect ratio", body(aspect_ratio="16:9"), "1214", "aspect_ratio", "give size"),
    ("a draft", body(extra_body={"draft": True}), "1214", "extra_body.draft", "this model"),
    ("an extra body that is none", body(extra_body=[]), "1214", "extra_body", "an object"),
    ("too many retries", body(retries=11), "1214", "retries", "0 to 10"),
    ("retries where nobody retries", body(retries=1), "1214", "retries", "bigmodel"),
    ("both watermarks", body(watermark=True, watermark_enabled=True), "1215", "watermark", "two"),
]


@pytest.fixture(scope="module")
def running(shared: Processes) -> Running:
    return shared.gateway(None, {"main": 5}, GATEWAY_POOL="bad-input")


@pytest.fixture(scope="module")
def films(running: Running) -> Iterator[Caller]:
    with closing(Caller(running.url)) as team:
        yield team


@pytest.fixture(scope="module")
def other_films(shared: Processes) -> Iterator[Caller]:
    """In another pool: what is taken in there comes and goes in the store while it waits."""
    with closing(Caller(shared.gateway(None, {"main": 5}).url)) as team:
        yield team


@pytest.fixture
async def its_store(store_url: str) -> Any:
    async with open_store(store_url, "bad-input", 5) as store:
        yield store


async def _keys(store: Store) -> set[str]:
    return {key async for key in store.redis.scan_iter(match=f"{store.keys.tag}:*")}


@pytest.mark.parametrize(
    ("content", "code", "param", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
@pytest.mark.parametrize("path", ["/v1/videos/generations", "/api/paas/v4/videos/generations"])
async def test_bad_input(
    films: Caller,
    its_store: Store,
    path: str,
    content: str | bytes,
    code: str,
    param: str | None,
    words: str,
):
    before = await _keys(its_store)
    answer = films.http.post(path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert error["type"] == "invalid_request_error"
    assert words in error["message"]
    assert len(answer.content) < 600
    assert await _keys(its_store) == before


@pytest.mark.parametrize(
    "fields",
    [
        {"image": b64(PNG)},
        {"image": b64(JPEG).rstrip("=")},
        {"image_url": f"data:image/png;base64, {b64(PNG)}"},
        {"image_url": [b64(PNG), "https://i.example/last_fw1200webp"]},
        {"image": None, "image_url": None, "seed": None, "style": None},
        {"prompt": "字" * 512},
        {"prompt": None, "image": "https://i.example/1.png"},
        {"duration": 10, "fps": 60, "size": "3840x2160", "quality": "speed", "with_audio": False},
        {"watermark": False},
        {"async": True},
        {"user_id": "user-1", "request_id": "r"},
        {"image": b64(PNG.ljust(5 * 2**20, b"\0"))},
    ],
    ids=lambda fields: " ".join(fields)[:40],
)
def test_good_input(other_films: Caller, fields: dict[str, Any]):
    assert other_films.submit(**fields).status_code == 200


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_the_cap_is_413(films: Caller, declared: bool):
    large = b" " * (15 * 2**20 + 1)
    content = large if declared else (large[i : i + 65536] for i in range(0, len(large), 65536))
    with closing(httpx.Client(timeout=30)) as http:
        answer = http.post(
            f"{films.url}/v1/videos/generations",
            content=content,
            headers={"Authorization": f"Bearer {TEAM_KEY}"},
        )
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"


@pytest.mark.parametrize(
    ("header", "code", "words"),
    [
        ({}, "1001", "Authorization"),
        ({"Authorization": "Bearer sk-nobody"}, "1002", "not known"),
        ({"Authorization": f"Basic {TEAM_KEY}"}, "1001", "Bearer"),
        ({"Authorization": "Bearer $GEEKAI_API_KEY"}, "1002", "double quotes"),
        ({"Authorization": "Bearer main-key.one"}, "1002", "not known"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/videos/generations", "/api/paas/v4/videos/generations"])
def test_a_wrong_key_is_401(
    running: Running, path: str, header: dict[str, str], code: str, words: str
):
    answer = httpx.post(f"{running.url}{path}", json={}, headers=header)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == code
    assert words in answer.json()["error"]["message"]


def test_wrong_paths_and_methods_have_the_envelope_and_no_redirect(films: Caller):
    unknown = films.http.get("/v1/nothing")
    slash = films.http.post("/v1/videos/generations/", json={"model": "cogvideox-3"})
    method = films.http.put("/v1/videos/generations", json={})
    assert [unknown.status_code, slash.status_code, method.status_code] == [404, 400, 405]
    assert method.headers["allow"] == "OPTIONS, POST"
    for answer in (unknown, slash, method):
        assert answer.json()["error"]["message"]
        assert answer.headers["x-request-id"]


def test_the_callers_request_id_is_kept_where_it_is_harmless(films: Caller):
    kept = films.http.get("/healthz", headers={"x-request-id": "trace-1"})
    replaced = films.http.get("/healthz", headers={"x-request-id": "a b\tc"})
    assert kept.headers["x-request-id"] == "trace-1"
    assert replaced.headers["x-request-id"] != "a b\tc"


def test_metrics_need_the_admin_key_and_no_teams_key_will_do(running: Running, films: Caller):
    assert httpx.get(f"{running.url}/metrics").status_code == 401
    assert films.http.get("/metrics").status_code == 401
    told = httpx.get(f"{running.url}/metrics", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    assert 'gateway_slots_limit{account="main",model="cogvideox-3"} 5.0' in told.text
    assert (
        films.http.post(
            "/v1/videos/generations", json={}, headers={"Authorization": f"Bearer {ADMIN_KEY}"}
        ).status_code
        == 401
    )
