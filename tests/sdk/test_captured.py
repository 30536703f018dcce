"""What the clients sent, byte for byte, is answered as they expect it.

The requests were captured from the SDKs and from curl (`record.py`). Some of them no other test
can send: an upload without a Content-Length, in the chunks that Node cut.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.harness import Processes, Running
from tests.sdk import captured
from tests.sdk.captured import Captured
from tests.sdk.clients import CLIENTS
from tests.sdk.geekai import PUBLISHED_KEY

KEY = "captured-0123456789abcdef.0123456789abcdef0123"
# Whoever has this key asks only for what is refused, so there must never be a task of theirs.
REFUSED_KEY = "refused-0123456789abcdef.0123456789abcdef0123"
TEAMS = [
    {"name": "captured", "tier": "many", "keys": [KEY]},
    {"name": "refused", "tier": "many", "keys": [REFUSED_KEY]},
]
MISSING = "task_00000000000000000000000000000000"
NULL = type(None)

VIDEO = {
    "id": str,
    "object": str,
    "model": str,
    "status": str,
    "progress": int,
    "created_at": int,
    "completed_at": (int, NULL),
    "expires_at": (int, NULL),
    "seconds": str,
    "size": (str, NULL),
    "prompt": (str, NULL),
    "remixed_from_video_id": NULL,
    "error": NULL,
}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)

    def succeeded(self) -> dict[str, Any]:
        assert self.status == 200, self.body
        return self.json()

    def error(self, status: int) -> dict[str, Any]:
        assert self.status == status, self.body
        error = self.json()["error"]
        assert set(error) == {"code", "message", "type", "param"}
        assert all(isinstance(error[name], str) for name in ("code", "message", "type"))
        return error


def is_video(answer: Answer) -> None:
    _is_video(answer.succeeded())


def _is_video(video: dict[str, Any]) -> None:
    for name, kind in VIDEO.items():
        assert isinstance(video[name], kind), name
    assert video["id"].startswith("task_")
    assert video["object"] == "video"
    assert video["status"] in ("queued", "in_progress", "completed")
    assert ("url" in video) is (video["status"] == "completed")


def is_completed_video(answer: Answer) -> None:
    is_video(answer)
    assert answer.json()["status"] == "completed"


def is_list(answer: Answer) -> None:
    page = answer.succeeded()
    assert page["object"] == "list"
    for video in page["data"]:
        _is_video(video)
    ids = [video["id"] for video in page["data"]]
    assert (page["first_id"], page["last_id"]) == ((ids or [None])[0], (ids or [None])[-1])
    assert isinstance(page["has_more"], bool)


def is_deletion(answer: Answer) -> None:
    deleted = answer.succeeded()
    assert deleted["id"].startswith("task_")
    assert (deleted["object"], deleted["deleted"]) == ("video.deleted", True)


def is_list_of_models(answer: Answer) -> None:
    models = answer.succeeded()
    assert models["object"] == "list"
    assert [model["id"] for model in models["data"]] == ["cogvideox-3"]


def is_mp4(answer: Answer) -> None:
    assert answer.status == 200
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.body[4:8] == b"ftyp"


def is_picture(answer: Answer) -> None:
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("image/")
    assert answer.body.startswith((b"\x89PNG", b"\xff\xd8\xff", b"RIFF"))


def is_bigmodel_task(answer: Answer) -> None:
    task = answer.succeeded()
    assert all(isinstance(task[name], str) for name in ("id", "model", "request_id"))
    assert task["task_status"] in ("PROCESSING", "SUCCESS")
    for video in task.get("video_result", []):
        assert isinstance(video["url"], str)
        assert isinstance(video["cover_image_url"], str)


def is_geekai_task(answer: Answer) -> None:
    task = answer.succeeded()
    assert all(isinstance(task[name], str) for name in ("task_id", "model"))
    assert task["task_status"] in ("pending", "running", "succeed")
    for video in task.get("video_result", []):
        assert isinstance(video["id"], str)
        assert isinstance(video["url"], str)


def is_done_geekai_task(answer: Answer) -> None:
    is_geekai_task(answer)
    assert answer.json()["task_status"] == "succeed"
    assert answer.json()["video_result"]


def is_not_supported(answer: Answer) -> None:
    assert answer.error(400)["code"] == "not_supported"


def is_malformed(answer: Answer) -> None:
    error = answer.error(400)
    assert error["code"] == "1210"
    assert "line 5 column 5" in error["message"]


def is_unknown_key(answer: Answer) -> None:
    assert answer.error(401)["code"] == "1002"


def is_not_found(answer: Answer) -> None:
    assert answer.error(404)["code"] == "not_found"


# By the first words of a call; the longest that fit count.
EXPECTED: dict[str, dict[str, Callable[[Answer], None]]] = {
    "openai": {
        "create": is_video,
        "poll": is_completed_video,
        "retrieve": is_completed_video,
        "list": is_list,
        "models": is_list_of_models,
        "download": is_mp4,
        "download thumbnail": is_picture,
        "download spritesheet": is_not_supported,
        "remix": is_not_supported,
        "edit": is_not_supported,
        "extend": is_not_supported,
        "create a character": is_not_supported,
        "get a character": is_not_supported,
        "post to generations": is_geekai_task,
        "delete": is_deletion,
        "retrieve deleted": is_not_found,
    },
    "zhipu": {
        "create": is_bigmodel_task,
        "retrieve": is_bigmodel_task,
        "retrieve with a token": is_unknown_key,
    },
    "curl": {
        "text": is_done_geekai_task,
        "image": is_done_geekai_task,
        "first-and-last-frame": is_malformed,
        "text, key in single quotes": is_unknown_key,
    },
}
REFUSED = {is_not_supported, is_malformed}


def expected(request: Captured) -> Callable[[Answer], None]:
    family = request.client.partition("-")[0]
    family = family if family in EXPECTED else "zhipu"
    # geekai's field "image", and so its words in the answer, where a path knows both vendors.
    if family == "zhipu" and "with everything" in request.call and "at /v1" in request.client:
        return is_geekai_task
    fitting = [call for call in EXPECTED[family] if request.call.startswith(call)]
    return EXPECTED[family][max(fitting, key=len)]


REQUESTS = captured.read()


@pytest.fixture(scope="module")
def gateway(shared: Processes) -> Running:
    vendor = shared.simulator({"main": 200}, duration="0.5")
    settings = {"GATEWAY_TEAMS": TEAMS, "GATEWAY_TIERS": {"many": 200}}
    return shared.gateway(vendor, {"main": 200}, **settings)


@pytest.fixture(scope="module")
def finished(shared: Processes, gateway: Running) -> Callable[[], str]:
    """Hands out completed videos, one for each request that deletes one and one for the others."""
    caller = shared.caller(gateway, KEY)
    deletions = sum(request.call == "delete" for request in REQUESTS)
    made = [caller.created() for _ in range(deletions + 1)]
    for task_id in made:
        assert caller.ended(task_id)["task_status"] == "SUCCESS"
    return lambda: made.pop() if len(made) > 1 else made[0]


@pytest.fixture(scope="module")
def kept(finished: Callable[[], str]) -> str:
    return finished()


def token_of(key: str) -> str:
    """The token that Zhipu's SDKs sign with a key, as they do it."""
    id_, _, secret = key.partition(".")
    now = round(time.time() * 1000)
    parts = [
        {"alg": "HS256", "sign_type": "SIGN", "typ": "JWT"},
        {"api_key": id_, "exp": now + 210_000, "timestamp": now},
    ]
    signed = b".".join(_url_base64(json.dumps(part).encode()) for part in parts)
    signature = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + _url_base64(signature)).decode()


def _url_base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def ask(gateway: Running, sent: bytes) -> Answer:
    return Answer(*captured.replayed(gateway.url, sent))


@pytest.mark.parametrize("request_sent", REQUESTS, ids=str)
def test_a_captured_request_is_answered_as_its_client_expects(
    gateway: Running, finished: Callable[[], str], kept: str, request_sent: Captured
):
    check = expected(request_sent)
    must_make_nothing = check in REFUSED and request_sent.first_line.startswith("POST")
    task = kept
    if request_sent.call == "delete":
        task = finished()
    elif request_sent.call == "retrieve deleted":
        task = MISSING
    places = {
        "host": gateway.url.removeprefix("http://"),
        "key": REFUSED_KEY if must_make_nothing else KEY,
        "task": task,
        "token": token_of(KEY),
    }
    answer = ask(gateway, request_sent.sent(**places))
    check(answer)
    assert answer.headers["x-request-id"]
    if must_make_nothing:
        assert_nothing_was_made(gateway)


def assert_nothing_was_made(gateway: Running) -> None:
    lines = (
        "GET /v1/videos HTTP/1.1\r\n",
        f"Host: {gateway.url.removeprefix('http://')}\r\n",
        f"Authorization: Bearer {REFUSED_KEY}\r\n",
        "\r\n",
    )
    listed = ask(gateway, "".join(lines).encode())
    assert listed.succeeded()["data"] == []


def test_every_client_that_was_captured_is_one_that_runs_here():
    assert {request.client for request in REQUESTS} == {*map(str, CLIENTS), "curl"}


def test_the_captures_have_the_odd_ways_of_the_sdks():
    """So that nobody records them away: what a replay is for."""
    sent = {str(r): r.sent(host="h", key="k", task="t").lower() for r in REQUESTS}
    upload = sent["openai-node-7.55: create image"]
    assert b"transfer-encoding: chunked" in upload
    assert b"content-length" not in upload
    assert b"content-type: application/octet-stream" in upload
    assert b'name="image_url[]"' in sent["openai-3.51: create first and last frame"]
    assert b'name="input_reference[image_url]"' in sent["openai-node-6.49: create image by link"]
    assert sent["openai-2.2: create text"].startswith(b"post /v1/videos http/1.1")
    assert b"content-type: application/json" in sent["openai-2.2: create text"]
    assert b"x-stainless-poll-helper: true" in sent["openai-2.54: create and poll"]
    assert b'"image_url":null' in sent["zhipuai at /v1: create text"]
    assert PUBLISHED_KEY.lower().encode() in sent["curl: text, key in single quotes"]
