"""How each dialect tells of a task: the exact bodies, and no word of anybody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.dialects.contract import Body
from gateway.domain.task import Status, TaskError
from gateway.domain.video import Video
from tests.dialects.samples import BY_NAME, COVER, ID, LINK, told

TELLING = [name for name in BY_NAME if name != "unified"]  # which borrows others' words

# status: bigmodel, geekai, OpenAI (and new-api, which took OpenAI's)
WORDS = {
    Status.QUEUED: ("PROCESSING", "pending", "queued"),
    Status.CLAIMED: ("PROCESSING", "pending", "queued"),
    Status.SENDING: ("PROCESSING", "pending", "queued"),
    Status.UNKNOWN: ("PROCESSING", "running", "in_progress"),
    Status.IN_PROGRESS: ("PROCESSING", "running", "in_progress"),
    Status.COMPLETED: ("SUCCESS", "succeed", "completed"),
    Status.FAILED: ("FAIL", "failed", "failed"),
    Status.CANCELLED: ("FAIL", "failed", "failed"),
}
BIGMODELS, GEEKAIS, OPENAIS = ({words[i] for words in WORDS.values()} for i in range(3))
# What a dialect's body may never hold, wherever it stands.
FOREIGN = {
    "bigmodel": GEEKAIS | OPENAIS,
    "geekai": (BIGMODELS | OPENAIS) - GEEKAIS,
    "openai": (BIGMODELS | GEEKAIS) - OPENAIS,
    "new-api": (BIGMODELS | GEEKAIS) - OPENAIS,
}


def texts(value: Any) -> Iterator[str]:
    """Every text in a body, keys included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("status", Status)
def test_every_status_has_its_word_in_each_dialect(status: Status):
    bigmodels, geekais, openais = WORDS[status]
    task = told(status)
    assert BY_NAME["bigmodel"].task(task)["task_status"] == bigmodels
    assert BY_NAME["geekai"].task(task)["task_status"] == geekais
    assert BY_NAME["openai"].task(task)["status"] == openais
    assert BY_NAME["new-api"].task(task)["status"] == openais


def test_the_words_of_the_vendors_differ_and_are_all_told_apart():
    assert not BIGMODELS & (GEEKAIS | OPENAIS)
    shared = GEEKAIS & OPENAIS
    assert shared == {"failed"}


@pytest.mark.parametrize("name", TELLING)
@pytest.mark.parametrize("status", Status)
def test_no_dialect_uses_another_ones_words(name: str, status: Status):
    said = set(texts(BY_NAME[name].task(told(status))))
    assert not said & FOREIGN[name]
    assert ("task_status" in said) is (name in ("bigmodel", "geekai"))
    assert ("object" in said) is (name == "openai")


@pytest.mark.parametrize("name", TELLING)
@pytest.mark.parametrize("status", Status)
def test_every_body_is_json_and_tells_only_what_there_is(name: str, status: Status):
    body = BY_NAME[name].task(told(status))
    assert json.loads(json.dumps(body, allow_nan=False)) == body
    assert (LINK in set(texts(body))) is (status is Status.COMPLETED)
    assert bool(body.get("error")) is (status in (Status.FAILED, Status.CANCELLED))


# The exact bodies


def test_bigmodel_is_told_with_both_ids_and_the_callers_own_request_id():
    body = BY_NAME["bigmodel"].task(told(Status.QUEUED))
    assert body == {
        "id": ID,
        "task_id": ID,
        "model": "cogvideox-3",
        "request_id": ID,
        "task_status": "PROCESSING",
    }
    named = told(Status.QUEUED, request={"client_request_id": "mine-0001"})
    assert BY_NAME["bigmodel"].task(named) == body | {"request_id": "mine-0001"}


def test_bigmodel_is_told_of_the_video_and_of_the_error():
    ended = {"id": ID, "task_id": ID, "model": "cogvideox-3", "request_id": ID}
    assert BY_NAME["bigmodel"].task(told(Status.COMPLETED)) == ended | {
        "task_status": "SUCCESS",
        "video_result": [{"url": LINK, "cover_image_url": COVER}],
    }
    assert BY_NAME["bigmodel"].task(told(Status.FAILED)) == ended | {
        "task_status": "FAIL",
        "error": {"code": "1301", "message": "unsafe content"},
    }


def test_geekai_is_told_with_an_id_for_the_video_that_stays():
    ended = {"id": ID, "task_id": ID, "model": "cogvideox-3"}
    assert BY_NAME["geekai"].task(told(Status.IN_PROGRESS)) == ended | {"task_status": "running"}
    assert BY_NAME["geekai"].task(told(Status.COMPLETED)) == ended | {
        "task_status": "succeed",
        "video_result": [{"id": f"{ID}-1", "url": LINK, "cover_image_url": COVER}],
    }
    assert BY_NAME["geekai"].task(told(Status.FAILED)) == ended | {
        "task_status": "failed",
        "error": {"code": "1301", "message": "unsafe content"},
    }


OPENAI = {
    "id": ID,
    "object": "video",
    "model": "cogvideox-3",
    "status": "queued",
    "progress": 0,
    "created_at": 1_799_999_000,
    "completed_at": None,
    "expires_at": None,
    "seconds": "5",
    "size": None,
    "prompt": "A cat.",
    "remixed_from_video_id": None,
    "error": None,
}
OPENAI_TELLS = [
    (Status.QUEUED, {}),
    (Status.CLAIMED, {}),
    (Status.SENDING, {}),
    (Status.UNKNOWN, {"status": "in_progress"}),
    (Status.IN_PROGRESS, {"status": "in_progress"}),
    (
        Status.COMPLETED,
        {
            "status": "completed",
            "progress": 100,
            "completed_at": 1_799_999_060,
            "expires_at": 1_800_003_600,
            "url": LINK,
        },
    ),
    (
        Status.FAILED,
        {
            "status": "failed",
            "error": {"code": "content_policy_violation", "message": "unsafe content"},
        },
    ),
    (
        Status.CANCELLED,
        {
            "status": "failed",
            "error": {"code": "cancelled", "message": "cancelled at the caller's wish"},
        },
    ),
]


@pytest.mark.parametrize(("status", "differs"), OPENAI_TELLS)
def test_openai_is_told_every_key_that_its_type_has(status: Status, differs: dict[str, Any]):
    assert BY_NAME["openai"].task(told(status)) == OPENAI | differs


def test_openais_table_here_has_every_status():
    assert {status for status, _ in OPENAI_TELLS} == set(Status)


@pytest.mark.parametrize(
    ("said", "told_as"),
    [
        ({"duration_seconds": 10}, {"seconds": "10"}),
        ({"size": "1280x720"}, {"size": "1280x720"}),
        ({"prompt": None, "images": ("https://img.example/1.png",)}, {"prompt": None}),
    ],
)
def test_openai_is_told_what_was_asked_for(said: dict[str, Any], told_as: dict[str, Any]):
    assert BY_NAME["openai"].task(told(Status.QUEUED, request=said)) == OPENAI | told_as


def test_of_several_links_the_first_one_to_die_counts():
    videos = tuple(Video(url=f"{LINK}{i}", expires_at=i) for i in (1_800_000_009, 1_800_000_003))
    forever = (Video(url=LINK),)
    openai = BY_NAME["openai"]
    assert openai.task(told(Status.COMPLETED, videos=videos))["expires_at"] == 1_800_000_003
    assert openai.task(told(Status.COMPLETED, videos=forever))["expires_at"] is None


@pytest.mark.parametrize("status", Status)
def test_new_api_is_told_flat_and_wrapped_at_once(status: Status):
    openai = BY_NAME["openai"].task(told(status))
    flat = {
        "id": ID,
        "task_id": ID,
        "status": openai["status"],
        "progress": openai["progress"],
        "url": LINK if status is Status.COMPLETED else None,
        "format": "mp4",
        "metadata": {"duration": 5, "size": None},
        "error": openai["error"],
    }
    wrapped = {"code": "success", "message": "", "data": flat}
    assert BY_NAME["new-api"].task(told(status)) == wrapped | flat


# What all have in common


@pytest.mark.parametrize("name", TELLING)
def test_a_model_that_the_vendor_names_is_told_in_place_of_ours(name: str):
    body = BY_NAME[name].task(told(Status.COMPLETED, served_model="cogvideox-3-flash"))
    assert body.get("model", "cogvideox-3-flash") == "cogvideox-3-flash"


@pytest.mark.parametrize("name", ["openai", "new-api"])
@pytest.mark.parametrize("progress", [0, 42, 99])
def test_progress_is_told_where_there_is_a_place_for_it(name: str, progress: int):
    assert BY_NAME[name].task(told(Status.IN_PROGRESS, progress=progress))["progress"] == progress


@pytest.mark.parametrize("name", ["bigmodel", "geekai"])
def test_a_video_without_a_cover_is_told_without_one(name: str):
    (video,) = BY_NAME[name].task(told(Status.COMPLETED, videos=(Video(url=LINK),)))["video_result"]
    assert "cover_image_url" not in video


@pytest.mark.parametrize("name", TELLING)
def test_a_task_that_was_cancelled_is_told_as_such_whatever_the_vendor_does(name: str):
    marked = told(Status.COMPLETED, cancel_asked_ms=1).task.as_told()
    body = BY_NAME[name].task(told(Status.CANCELLED, error=marked.error, videos=marked.videos))
    assert LINK not in set(texts(body))
    assert body["error"]["code"] == "cancelled"


@pytest.mark.parametrize("code", ["1301", "1300"])
@pytest.mark.parametrize("name", ["openai", "new-api"])
def test_openais_world_has_one_word_for_what_a_policy_forbids(name: str, code: str):
    error = TaskError(code=code, message="no")
    body = BY_NAME[name].task(told(Status.FAILED, error=error))
    assert body["error"] == {"code": "content_policy_violation", "message": "no"}


@pytest.mark.parametrize("name", BY_NAME)
def test_lists_and_deletions_have_openais_form(name: str):
    dialect = BY_NAME[name]
    one = told(Status.QUEUED)
    page = {"object": "list", "data": [dialect.task(one)], "first_id": ID, "last_id": ID}
    nothing = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    assert dialect.page([one], more=True) == page | {"has_more": True}
    assert dialect.page([], more=False) == nothing
    assert dialect.deleted(ID) == {"id": ID, "object": "video.deleted", "deleted": True}


# Whose words the path of both vendors picks


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "bigmodel"),
        ({"quality": "speed", "with_audio": True, "fps": 60, "duration": 5}, "bigmodel"),
        ({"image_url": "https://img.example/1.png"}, "bigmodel"),
        ({"watermark_enabled": False, "user_id": "user-0001"}, "bigmodel"),
        ({"async": None, "image": None, "watermark": None, "extra_body": None}, "bigmodel"),
        ({"image": "https://img.example/1.png"}, "geekai"),
        ({"async": True}, "geekai"),
        ({"async": False}, "geekai"),
        ({"watermark": False}, "geekai"),
        ({"retries": 0}, "geekai"),
        ({"extra_body": {}}, "geekai"),
        ({"async": True, "user_id": "user-0001"}, "geekai"),
    ],
)
def test_whoever_uses_a_field_of_geekais_gets_its_words(said: dict[str, Any], words: str):
    body = {"model": "cogvideox-3", "prompt": "A cat."} | said
    _, chosen = BY_NAME["unified"].parse(Body(json.dumps(body).encode()))
    assert chosen is BY_NAME[words]


@pytest.mark.parametrize("name", TELLING)
def test_every_other_dialect_answers_in_its_own_words(name: str):
    body = {"model": "cogvideox-3", "prompt": "A cat.", "async": True}
    _, chosen = BY_NAME[name].parse(Body(json.dumps(body).encode()))
    assert chosen is BY_NAME[name]


@pytest.mark.parametrize(
    ("name", "said", "waits"),
    [
        ("geekai", {}, True),
        ("geekai", {"async": None}, True),
        ("geekai", {"async": True}, False),
        *((name, {}, False) for name in BY_NAME if name != "geekai"),
        *((name, {"async": False}, True) for name in BY_NAME),
    ],
)
def test_only_geekais_callers_wait_unless_they_say_otherwise(
    name: str, said: dict[str, Any], waits: bool
):
    body = {"model": "cogvideox-3", "prompt": "A cat."} | said
    submission, _ = BY_NAME[name].parse(Body(json.dumps(body).encode()))
    assert submission.waits is waits
