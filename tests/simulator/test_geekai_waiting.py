"""geekai's submits that block until the video is there, and faults played to both kinds."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from .conftest import GEEKAI, MODEL, Driver, GeekaiDriver, bearer, code_of, wait_until

BLOCKING = {"model": MODEL, "prompt": "a cat"}
TORN = (httpx.RemoteProtocolError, httpx.ReadError)


@pytest.fixture
def submitting(geekai: GeekaiDriver) -> Iterator[Future[httpx.Response]]:
    """A submit that blocks, and whose task runs already."""
    with ThreadPoolExecutor() as pool:
        future = pool.submit(geekai.submit_body, BLOCKING)
        wait_until(lambda: geekai.total()["in_flight"] == 1)
        yield future


def gives_up(geekai: GeekaiDriver, **body: Any) -> None:
    with pytest.raises(httpx.ReadTimeout):
        geekai.http.post(
            f"{GEEKAI}/videos/generations",
            json=BLOCKING | body,
            headers=bearer("gee-a"),
            timeout=0.1,
        )


def test_without_async_a_submit_answers_when_the_video_is_there(
    geekai: GeekaiDriver, submitting: Future[httpx.Response]
) -> None:
    assert not submitting.done()
    assert geekai.end() == 1
    result = submitting.result(timeout=10).json()
    assert result["task_status"] == "succeed"
    total = geekai.total()
    assert (total["succeeded"], total["ended_unseen"], total["looks"]) == (1, 0, 0)
    assert geekai.look(result["task_id"]).json() == result


def test_a_blocking_submit_ends_by_the_clock_if_nobody_asks(geekai: GeekaiDriver) -> None:
    geekai.settings(duration=0.05)
    assert geekai.submit(**{"async": False}).json()["task_status"] == "succeed"
    geekai.settings(duration=0)
    assert geekai.submit(**{"async": False}).json()["task_status"] == "succeed"


def test_a_blocking_submit_tells_that_its_task_failed(geekai: GeekaiDriver) -> None:
    geekai.settings(duration=0.01)
    geekai.fault(on="submit", kind="task_fails", message="unsafe")
    response = geekai.submit_body(BLOCKING)
    assert response.status_code == 200
    assert response.json()["task_status"] == "failed"
    assert response.json()["error"] == {"code": "1301", "message": "unsafe"}


def test_a_client_that_gives_up_on_a_blocking_submit_leaves_a_task_behind(
    geekai: GeekaiDriver,
) -> None:
    gives_up(geekai)
    (task,) = wait_until(geekai.tasks)
    geekai.end()
    assert geekai.total()["ended_unseen"] == 1
    assert geekai.status(task["id"]) == "succeed"


def test_a_blocking_submit_over_the_limit_is_refused_at_once(geekai: GeekaiDriver) -> None:
    geekai.account("gee", limit=0)
    assert geekai.submit_body(BLOCKING).status_code == 429


@pytest.mark.parametrize(
    ("rule", "accepted"),
    [
        ({"kind": "cut"}, 0),
        ({"kind": "accept_then_cut"}, 1),
        ({"kind": "accept_then_hang", "seconds": 0}, 1),
        ({"kind": "truncated"}, 0),
    ],
)
@pytest.mark.parametrize("body", [{}, {"async": True}])
def test_a_cut_connection_does_not_tell_whether_the_task_was_accepted(
    geekai: GeekaiDriver, body: dict[str, Any], rule: dict[str, Any], accepted: int
) -> None:
    geekai.fault(on="submit", **rule)
    with pytest.raises(TORN):
        geekai.submit_body(BLOCKING | body)
    assert geekai.total()["accepted"] == accepted


def test_an_answer_that_was_waited_for_can_be_spoilt(geekai: GeekaiDriver) -> None:
    geekai.settings(duration=0.01)
    for rule in (
        {"kind": "garbage", "accepted": True},
        {"kind": "huge", "megabytes": 1, "accepted": True},
        {"kind": "drip", "seconds": 0.05},
        {"kind": "late_accept", "seconds": 0.01},
        {"kind": "delay", "seconds": 0.01},
        {"kind": "truncated", "accepted": True},
    ):
        geekai.fault(on="submit", times=1, **rule)
    assert geekai.submit_body(BLOCKING).text.startswith("<html>")
    for _ in range(4):
        assert geekai.submit_body(BLOCKING).json()["task_status"] == "succeed"
    with pytest.raises(TORN):
        geekai.submit_body(BLOCKING)
    assert geekai.total()["succeeded"] == 6


@pytest.mark.parametrize("kind", ["hang", "delay", "late_accept"])
def test_a_client_that_gives_up_on_a_silent_vendor(geekai: GeekaiDriver, kind: str) -> None:
    geekai.fault(on="submit", kind=kind, seconds=3600)
    gives_up(geekai, **{"async": True})
    assert geekai.total()["accepted"] == 0


def test_late_accept_starts_the_task_after_the_client_has_left(geekai: GeekaiDriver) -> None:
    geekai.fault(on="submit", kind="late_accept", seconds=0.2)
    gives_up(geekai)
    wait_until(lambda: geekai.total()["accepted"] == 1)


@pytest.mark.parametrize(
    ("rule", "status", "error"),
    [
        ({"status": 503}, 503, {"code": "503", "message": "Service busy"}),
        ({"status": 503, "message": "later"}, 503, {"code": "503", "message": "later"}),
        ({"code": "402"}, 402, {"code": "402", "message": "Insufficient balance"}),
        ({"status": 400, "code": "1301", "message": "no"}, 400, {"code": "1301", "message": "no"}),
        ({}, 500, {"code": "500", "message": "Internal error"}),
    ],
)
def test_of_an_error_the_status_is_enough(
    geekai: GeekaiDriver, rule: dict[str, Any], status: int, error: dict[str, str]
) -> None:
    geekai.fault(on="submit", kind="error", **rule)
    response = geekai.submit()
    assert (response.status_code, response.json()) == (status, {"error": error})
    assert geekai.lane("gee")["refused"] == {error["code"]: 1}
    assert geekai.total()["accepted"] == 0


@pytest.mark.parametrize(
    ("envelope", "body"),
    [
        ("flat", {"code": 503, "message": "later"}),
        ("text", {"error": "later"}),
        ("message", {"message": "later"}),
    ],
)
def test_an_error_can_have_a_shape_of_its_own(
    geekai: GeekaiDriver, envelope: str, body: dict[str, Any]
) -> None:
    geekai.fault(on="look", kind="error", status=503, message="later", envelope=envelope)
    response = geekai.look(geekai.accepted())
    assert (response.status_code, response.json()) == (503, body)
    assert geekai.lane("gee")["looks_refused"] == {"503": 1}


def test_an_accepted_task_can_hide_behind_the_page_of_a_proxy(geekai: GeekaiDriver) -> None:
    geekai.fault(on="submit", kind="accept_then_error", status=504, envelope="html")
    page = geekai.submit_body(BLOCKING)
    assert (page.status_code, page.headers["content-type"]) == (504, "text/html")
    assert geekai.total()["accepted"] == 1


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ("status_only", {}),
        ("error_object", {"error": {"code": "1301", "message": "unsafe"}}),
        ("error_text", {"error": "unsafe"}),
        ("message", {"message": "unsafe"}),
    ],
)
def test_task_fails_can_tell_the_reason_in_other_shapes(
    geekai: GeekaiDriver, shape: str, reason: dict[str, Any]
) -> None:
    geekai.fault(on="submit", kind="task_fails", shape=shape, message="unsafe")
    task = geekai.accepted()
    geekai.end()
    told = geekai.look(task).json()
    assert told == {"model": MODEL, "task_id": task, "task_status": "failed", **reason}


def test_unknown_status_is_a_word_that_nobody_documented(geekai: GeekaiDriver) -> None:
    task = geekai.accepted()
    geekai.end()
    geekai.fault(on="look", kind="unknown_status", status="paused", times=1)
    told = geekai.look(task).json()
    assert told == {"model": MODEL, "task_id": task, "task_status": "paused"}
    assert geekai.status(task) == "succeed"


@pytest.mark.parametrize(
    "rule",
    [{"kind": "error", "status": 429}, {"kind": "garbage"}, {"kind": "huge", "megabytes": 1}],
)
def test_a_spoilt_look_does_not_tell_the_end(geekai: GeekaiDriver, rule: dict[str, Any]) -> None:
    task = geekai.accepted()
    geekai.end()
    geekai.fault(on="look", times=1, **rule)
    assert "succeed" not in geekai.look(task).text
    assert geekai.total()["ended_unseen"] == 1
    assert geekai.status(task) == "succeed"


def test_a_fault_without_an_account_hits_each_vendor_in_its_own_words(
    geekai: GeekaiDriver,
) -> None:
    geekai.fault(on="submit", kind="error", status=429)
    for response, code in ((geekai.submit(), "429"), (Driver(geekai.http).submit(), "500")):
        assert (response.status_code, code_of(response)) == (429, code)
