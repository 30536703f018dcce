"""bigmodel's words: what is accepted, what is refused, and how it is told."""

import base64
from typing import Any

import pytest

from .conftest import API, MODEL, Driver, bearer, code_of

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
NESTED = b'{"prompt": ' + b"[" * 500 + b"]" * 500 + b"}"
JPEG = b"\xff\xd8\xff\xe0" + bytes(20)


def data_uri(kind: str, image: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def test_an_accepted_submit_answers_with_an_id_and_the_word_processing(simulator: Driver) -> None:
    body = simulator.submit(request_id="task-1").json()
    task_id = body.pop("id")
    assert task_id.isdigit() and len(task_id) == 19
    assert body == {"model": MODEL, "request_id": "task-1", "task_status": "PROCESSING"}


def test_a_request_id_is_made_up_where_none_was_sent(simulator: Driver) -> None:
    first, second = (simulator.submit().json()["request_id"] for _ in range(2))
    assert first and second and first != second


def test_a_running_task_has_neither_an_id_nor_a_result(simulator: Driver) -> None:
    task = simulator.accepted(request_id="task-1")
    assert simulator.look(task).json() == {
        "model": MODEL,
        "request_id": "task-1",
        "task_status": "PROCESSING",
    }


def test_a_finished_task_has_a_list_of_one_video_and_its_cover(simulator: Driver) -> None:
    result = simulator.finished(request_id="task-1")
    (video,) = result.pop("video_result")
    assert result == {"model": MODEL, "request_id": "task-1", "task_status": "SUCCESS"}
    assert set(video) == {"url", "cover_image_url"}
    assert video["url"].startswith(f"{simulator.url}/media/")


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "字" * 512},
        {"prompt": "a cat", "size": "3840x2160", "fps": 60, "duration": 10, "quality": "quality"},
        {"prompt": "a cat", "with_audio": True, "watermark_enabled": False},
        {"prompt": "a cat", "request_id": "r" * 64, "user_id": "u" * 128},
        {"image_url": "https://example.com/cat_fw1200webp"},
        {"image_url": ["https://example.com/first.png", "http://example.com/last.png"]},
        {"image_url": data_uri("png", PNG)},
        {"image_url": [data_uri("jpeg", JPEG), data_uri("jpg", JPEG)]},
        {"image_url": data_uri("png", PNG + bytes(5 * 1024 * 1024 - len(PNG)))},
    ],
)
def test_what_the_documents_allow_is_accepted(simulator: Driver, fields: dict[str, Any]) -> None:
    response = simulator.submit_body({"model": MODEL, **fields})
    assert response.status_code == 200, response.text[:300]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"model": "cogvideox-9"}, "1211"),
        ({"prompt": "字" * 513}, "1261"),
        ({"prompt": ""}, "1213"),
        ({"prompt": 5}, "1214"),
        ({"size": "1x1"}, "1214"),
        ({"fps": 25}, "1214"),
        ({"fps": "30"}, "1214"),
        ({"duration": 7}, "1214"),
        ({"duration": 5.0}, "1214"),
        ({"quality": "best"}, "1214"),
        ({"with_audio": "true"}, "1214"),
        ({"watermark_enabled": 1}, "1214"),
        ({"request_id": "r" * 5}, "1214"),
        ({"request_id": "r" * 65}, "1214"),
        ({"user_id": "u" * 129}, "1214"),
        ({"image_url": "ftp://example.com/cat.png"}, "1214"),
        ({"image_url": ["https://example.com/cat.png"]}, "1214"),
        ({"image_url": ["https://example.com/cat.png"] * 3}, "1214"),
        ({"image_url": base64.b64encode(PNG).decode()}, "1214"),
        ({"image_url": data_uri("png", JPEG)}, "1214"),
        ({"image_url": data_uri("webp", JPEG)}, "1214"),
        ({"image_url": "data:image/png;base64, " + base64.b64encode(PNG).decode()}, "1214"),
        ({"image_url": data_uri("png", PNG + bytes(5 * 1024 * 1024))}, "1214"),
    ],
)
def test_what_the_documents_do_not_allow_is_refused(
    simulator: Driver, fields: dict[str, Any], code: str
) -> None:
    response = simulator.submit(**fields)
    assert (response.status_code, code_of(response)) == (400, code)
    total = simulator.total()
    assert (total["accepted"], total["refused"]) == (0, {code: 1})


@pytest.mark.parametrize("body", [{"prompt": "a cat"}, {"model": MODEL}])
def test_a_field_that_is_missing_is_told(simulator: Driver, body: dict[str, Any]) -> None:
    assert code_of(simulator.submit_body(body)) == "1213"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff", b"[" * 100_000, NESTED])
def test_what_is_no_json_object_is_refused(simulator: Driver, body: bytes) -> None:
    response = simulator.http.post(
        f"{API}/videos/generations", content=body, headers=bearer("one-a")
    )
    assert (response.status_code, code_of(response)) == (400, "1210")


def test_a_body_beyond_all_bounds_is_refused(simulator: Driver) -> None:
    response = simulator.http.post(
        f"{API}/videos/generations", content=bytes(17 * 1024 * 1024), headers=bearer("one-a")
    )
    assert (response.status_code, code_of(response)) == (413, "1210")


def test_nulls_are_refused_and_counted_wherever_they_hide(simulator: Driver) -> None:
    assert code_of(simulator.submit(user_id=None, size=None)) == "1214"
    assert code_of(simulator.submit(image_url=["https://example.com/a.png", None])) == "1214"
    assert simulator.lane("one")["nulls_received"] == 3
    assert simulator.total()["accepted"] == 0


def test_fields_that_the_vendor_lacks_are_refused_and_counted(simulator: Driver) -> None:
    assert code_of(simulator.submit(image="https://example.com/a.png", extra=1)) == "1210"
    assert simulator.lane("one")["unknown_fields_received"] == 2
    assert simulator.total()["accepted"] == 0


def test_what_was_refused_can_be_read_afterwards(simulator: Driver) -> None:
    simulator.submit(size=None)
    (refusal,) = simulator.control("GET", "refusals")
    assert (refusal["account"], refusal["code"]) == ("one", "1214")
    assert refusal["body"] == {"model": MODEL, "prompt": "a cat", "size": None}


def test_a_request_id_is_good_for_one_task_on_any_account(simulator: Driver) -> None:
    simulator.accepted("one-a", request_id="task-1")
    response = simulator.submit("two-a", request_id="task-1")
    assert (response.status_code, code_of(response)) == (400, "1231")
    assert simulator.lane("two")["repeated_request_ids"] == 1


def test_a_request_id_that_was_refused_may_come_again(simulator: Driver) -> None:
    simulator.account("one", limit=0)
    assert code_of(simulator.submit(request_id="task-1")) == "1302"
    simulator.account("one", limit=1)
    simulator.accepted(request_id="task-1")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/videos/generations", 405), ("POST", "/videos", 404), ("GET", "/models", 404)],
)
def test_other_paths_and_methods_are_told_in_the_vendors_envelope(
    simulator: Driver, method: str, path: str, status: int
) -> None:
    response = simulator.http.request(method, API + path)
    assert (response.status_code, code_of(response)) == (status, "1222")
