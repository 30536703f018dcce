"""Read this first: what a gateway does, one idea a test, over real HTTP on a real store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from tests.harness import OTHER_KEY, Caller, Processes, Running, Vendor, wait_until

LIMIT = {"main": 5}


@pytest.fixture(scope="module")
def running(shared: Processes) -> tuple[Vendor, Running]:
    """An account that may have five tasks in flight, and a gateway that has it."""
    vendor = shared.simulator(LIMIT, duration="0.5")
    return vendor, shared.gateway(vendor, LIMIT)


@pytest.fixture
def vendor(running: tuple[Vendor, Running]) -> Vendor:
    running[0].settle_and_forget()
    return running[0]


@pytest.fixture
def films(vendor: Vendor, running: tuple[Vendor, Running]) -> Iterator[Caller]:
    """The team `films`."""
    with closing(Caller(running[1].url)) as team:
        yield team


def test_a_video_is_made_and_its_links_come_back(films: Caller):
    task_id = films.created(prompt="花瓣被风吹起，不断的旋转变成一个人", size="1920x1080", fps=30)
    task = films.ended(task_id)
    assert task["task_status"] == "SUCCESS"
    video, cover = task["video_result"][0]["url"], task["video_result"][0]["cover_image_url"]
    assert httpx.get(video).content[4:8] == b"ftyp"
    assert httpx.get(cover).headers["content-type"].startswith("image/")


def test_the_answer_has_the_words_of_both_vendors_sdks(films: Caller):
    answer = films.submit(request_id="order-4711")
    body = answer.json()
    assert body == {
        "id": body["id"],
        "task_id": body["id"],
        "model": "cogvideox-3",
        "request_id": "order-4711",
        "task_status": "PROCESSING",
    }
    assert answer.headers["x-task-id"] == body["id"]
    assert answer.headers["x-cost-fen"] == "100"
    assert answer.headers["x-request-id"]


def test_geekais_image_and_bigmodels_image_url_are_one_field(films: Caller, vendor: Vendor):
    first, last = "https://img.example/first.png", "https://img.example/last.png"
    films.created(image=first)
    films.created(image_url=[first])
    films.created(image=[first, last])
    assert [task["body"]["image_url"] for task in vendor.tasks()] == [first, first, [first, last]]


def test_what_is_over_the_limit_waits_and_then_goes(films: Caller, vendor: Vendor):
    tasks = [films.created(prompt=f"number {i}") for i in range(12)]
    assert {films.ended(task)["task_status"] for task in tasks} == {"SUCCESS"}
    total = vendor.total()
    assert total["peak_in_flight"] == 5
    assert total["refused_over_limit"] == 0
    assert total["accepted"] == 12


def test_first_in_first_out(processes: Processes):
    vendor = processes.simulator({"main": 1}, duration="0.2")
    films = processes.caller(processes.gateway(vendor, {"main": 1}))
    for i in range(6):
        films.created(prompt=f"number {i}")
    wait_until(lambda: vendor.total()["succeeded"] == 6)
    assert [task["body"]["prompt"] for task in vendor.tasks()] == [f"number {i}" for i in range(6)]


def test_a_refusal_of_the_vendor_is_an_http_error_at_once(films: Caller, vendor: Vendor):
    vendor.fault(on="submit", kind="error", code="1301", status=400, message="不安全或敏感内容")
    answer = films.submit()
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "1301"
    assert answer.json()["error"]["message"] == "不安全或敏感内容"


def test_a_task_that_fails_at_the_vendor_says_why(films: Caller, vendor: Vendor):
    vendor.fault(on="submit", kind="task_fails", shape="error_object", message="no frames")
    task = films.ended(films.created())
    assert task["task_status"] == "FAIL"
    assert task["error"]["message"] == "no frames"


def test_another_teams_task_looks_like_none(films: Caller):
    task_id = films.created()
    with closing(Caller(films.url, OTHER_KEY)) as adverts:
        foreign = adverts.http.get(f"/v1/async-result/{task_id}")
        random = adverts.http.get("/v1/async-result/task_00000000000000000000000000000000")
    assert foreign.status_code == random.status_code == 404
    assert foreign.content == random.content


def test_a_team_has_a_cap_of_its_own(processes: Processes):
    vendor = processes.simulator({"main": 20}, duration="0.5")
    running = processes.gateway(vendor, {"main": 20})
    adverts = processes.caller(running, OTHER_KEY)  # of tier V0, which is five
    tasks = [adverts.created() for _ in range(8)]
    assert {adverts.ended(task)["task_status"] for task in tasks} == {"SUCCESS"}
    assert vendor.total()["peak_in_flight"] == 5


def test_a_team_at_its_cap_holds_up_nobody_else(processes: Processes):
    vendor = processes.simulator({"main": 20}, duration="3600")
    running = processes.gateway(vendor, {"main": 20})
    adverts, films = processes.caller(running, OTHER_KEY), processes.caller(running)
    for _ in range(8):
        adverts.created()
    films.created(prompt="goes at once")
    assert vendor.total()["accepted"] == 6
    assert vendor.tasks()[-1]["body"]["prompt"] == "goes at once"
