"""geekai's words: what is accepted, what is refused, and how it is told."""

import uuid
from typing import Any

import pytest

from .conftest import GEEKAI, MODEL, GeekaiDriver, bearer, code_of

PNG = "data:image/png;base64,iVBORw0KGgo="
FIRST, LAST = "https://example.com/first.png", "http://example.com/last.png"


def test_an_accepted_submit_answers_with_a_task_id_and_the_word_pending(
    geekai: GeekaiDriver,
) -> None:
    body = geekai.submit().json()
    task_id = body.pop("task_id")
    assert str(uuid.UUID(task_id)) == task_id
    assert body == {"model": MODEL, "task_status": "pending"}


def test_a_running_task_has_its_id_and_no_result(geekai: GeekaiDriver) -> None:
    task = geekai.accepted()
    assert geekai.look(task).json() == {"model": MODEL, "task_id": task, "task_status": "running"}


def test_a_finished_task_has_a_list_of_one_video_with_an_id_that_stays(
    geekai: GeekaiDriver,
) -> None:
    result = geekai.finished()
    assert geekai.look(result["task_id"]).json() == result
    assert (result["model"], result["task_status"]) == (MODEL, "succeed")
    assert set(result) == {"model", "task_id", "task_status", "video_result"}
    (video,) = result["video_result"]
    assert set(video) == {"id", "url"}
    assert uuid.UUID(video["id"]) != uuid.UUID(result["task_id"])
    response = geekai.http.get(video["url"])
    assert response.headers["content-type"] == "video/mp4"
    assert response.content[4:8] == b"ftyp"


def test_the_path_of_older_pages_answers_the_same(geekai: GeekaiDriver) -> None:
    task = geekai.finished()["task_id"]
    response = geekai.http.get(f"{GEEKAI}/video/{task}/result", headers=bearer("gee-a"))
    assert response.json() == geekai.look(task).json()


def test_a_failed_task_tells_code_and_message(geekai: GeekaiDriver) -> None:
    geekai.fault(on="submit", kind="task_fails", code="1301", message="unsafe")
    task = geekai.accepted()
    assert geekai.status(task) == "running"
    geekai.end()
    response = geekai.look(task)
    assert response.status_code == 200
    assert response.json() == {
        "model": MODEL,
        "task_id": task,
        "task_status": "failed",
        "error": {"code": "1301", "message": "unsafe"},
    }


def test_the_forms_of_older_pages_are_settings(geekai: GeekaiDriver) -> None:
    geekai.settings(geekai_result="object", geekai_success="success")
    result = geekai.finished()
    assert result["task_status"] == "success"
    assert set(result["video_result"]) == {"id", "url", "cover_image_url"}
    for link in ("url", "cover_image_url"):
        assert geekai.http.get(result["video_result"][link]).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"size": "720x480", "fps": 60, "duration": 10, "quality": "quality"},
        {"size": "3840x2160", "with_audio": True, "watermark": False, "retries": 2},
        {"prompt": "字" * 2000},
        {"image": FIRST},
        {"image": [FIRST, LAST]},
        {"extra_body": {"return_last_frame": True}},
    ],
)
def test_what_the_documents_allow_is_accepted(geekai: GeekaiDriver, fields: dict[str, Any]) -> None:
    geekai.accepted(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "cogvideox-9"},
        {"prompt": ""},
        {"prompt": 5},
        {"size": "1280x720"},
        {"size": "3840x216"},
        {"fps": 25},
        {"duration": 5.0},
        {"quality": "best"},
        {"with_audio": "true"},
        {"watermark": 1},
        {"async": "true"},
        {"retries": -1},
        {"retries": True},
        {"extra_body": "draft"},
        {"image": "ftp://example.com/cat.png"},
        {"image": [FIRST]},
        {"image": [FIRST, LAST, FIRST]},
        {"image": PNG},
        {"image": {"url": FIRST}},
    ],
)
def test_what_the_documents_do_not_allow_is_refused(
    geekai: GeekaiDriver, fields: dict[str, Any]
) -> None:
    response = geekai.submit(**fields)
    assert (response.status_code, code_of(response)) == (400, "400")
    total = geekai.total()
    assert (total["accepted"], total["refused"]) == (0, {"400": 1})


@pytest.mark.parametrize("body", [{"prompt": "a cat"}, {"model": MODEL, "image": FIRST}])
def test_a_field_that_is_missing_is_told(geekai: GeekaiDriver, body: dict[str, Any]) -> None:
    assert geekai.submit_body(body).status_code == 400


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b'{"model": "x",}', 400), (bytes(17 * 1024 * 1024), 413)]
)
def test_what_is_no_json_or_too_much_is_refused(
    geekai: GeekaiDriver, body: bytes, status: int
) -> None:
    response = geekai.http.post(
        f"{GEEKAI}/videos/generations", content=body, headers=bearer("gee-a")
    )
    assert (response.status_code, code_of(response)) == (status, str(status))


def test_nulls_are_refused_and_counted(geekai: GeekaiDriver) -> None:
    assert geekai.submit(size=None, extra_body={"draft": None}).status_code == 400
    assert geekai.lane("gee")["nulls_received"] == 2


@pytest.mark.parametrize(
    "field",
    [
        "negative_prompt",
        "image_tail",
        "resolution",
        "aspect_ratio",
        "image_url",
        "request_id",
        "user_id",
        "watermark_enabled",
    ],
)
def test_fields_that_this_model_lacks_are_refused_and_counted(
    geekai: GeekaiDriver, field: str
) -> None:
    assert geekai.submit(**{field: "something"}).status_code == 400
    assert geekai.lane("gee")["unknown_fields_received"] == 1


@pytest.mark.parametrize(
    ("envelope", "body"),
    [
        ("nested", {"error": {"code": "404", "message": "Not found"}}),
        ("flat", {"code": 404, "message": "Not found"}),
        ("text", {"error": "Not found"}),
        ("message", {"message": "Not found"}),
    ],
)
def test_the_shape_of_errors_is_a_setting(
    geekai: GeekaiDriver, envelope: str, body: dict[str, Any]
) -> None:
    geekai.settings(geekai_envelope=envelope)
    response = geekai.look(str(uuid.uuid4()))
    assert (response.status_code, response.json()) == (404, body)
    assert geekai.total()["looks_refused"] == {"404": 1}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("DELETE", "/videos/generations", 405), ("POST", "/videos", 404), ("GET", "/models", 404)],
)
def test_other_paths_and_methods_are_told_in_geekais_envelope(
    geekai: GeekaiDriver, method: str, path: str, status: int
) -> None:
    geekai.settings(geekai_envelope="text")
    response = geekai.http.request(method, GEEKAI + path)
    assert response.status_code == status
    assert response.json() == {"error": f"Not found ({GEEKAI}{path})"}
