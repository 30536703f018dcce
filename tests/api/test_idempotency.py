"""A submit that is repeated makes one video, on whichever replica it arrives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.harness import OTHER_KEY, Caller, Processes, Vendor

BODY = {"model": "cogvideox-3", "prompt": "a cat"}


@pytest.fixture(scope="module")
def vendor(shared: Processes) -> Vendor:
    return shared.simulator({"main": 20}, duration="0.2")


@pytest.fixture(scope="module")
def replicas(shared: Processes, vendor: Vendor) -> list[Caller]:
    return [shared.caller(shared.gateway(vendor, {"main": 20})) for _ in range(2)]


def post(team: Caller, key: str | None = None, **fields: object) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return team.http.post("/v1/videos/generations", json=BODY | fields, headers=headers)


def test_a_header_makes_it_one_task_on_every_replica(replicas: list[Caller], vendor: Vendor):
    first = post(replicas[0], "header-1")
    assert "Idempotent-Replayed" not in first.headers
    for team in replicas:
        again = post(team, "header-1")
        assert again.status_code == 200
        assert again.json()["id"] == first.json()["id"]
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.headers["x-task-id"] == first.json()["id"]
    sent = [task for task in vendor.tasks() if first.json()["id"] in task["request_id"]]
    assert len(sent) == 1


def test_bigmodels_request_id_does_the_same_on_both_paths(replicas: list[Caller]):
    first = post(replicas[0], request_id="order-0001")
    again = replicas[1].http.post(
        "/api/paas/v4/videos/generations", json=BODY | {"request_id": "order-0001"}
    )
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["request_id"] == "order-0001"
    assert again.headers["Idempotent-Replayed"] == "true"


def test_many_at_once_make_one_task(replicas: list[Caller], vendor: Vendor):
    before = vendor.total()["accepted"]
    with ThreadPoolExecutor(20) as callers:
        answers = list(callers.map(lambda i: post(replicas[i % 2], "at-once"), range(40)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert vendor.total()["accepted"] == before + 1


def test_another_request_under_the_key_is_422_in_the_envelope(replicas: list[Caller]):
    post(replicas[0], "header-2")
    answer = post(replicas[1], "header-2", prompt="a dog")
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "idempotency_key_reused"
    assert "Idempotency-Key" in error["message"]


def test_the_header_goes_before_the_field(replicas: list[Caller]):
    first = post(replicas[0], "header-3", request_id="order-0003")
    assert post(replicas[0], request_id="order-0003").json()["id"] != first.json()["id"]


def test_another_teams_key_is_another_key(replicas: list[Caller], shared: Processes):
    other = Caller(replicas[0].url, OTHER_KEY)
    assert post(other, "header-1").headers.get("Idempotent-Replayed") is None
    other.close()


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "schlüssel"])
def test_a_key_that_is_none_is_refused_by_name(replicas: list[Caller], key: str):
    headers = {"Idempotency-Key": key.encode("latin-1")}
    answer = replicas[0].http.post("/v1/videos/generations", json=BODY, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "Idempotency-Key"


def test_a_refused_submit_does_not_use_its_key_up(replicas: list[Caller]):
    assert post(replicas[0], "header-4", fps=7).status_code == 400
    again = post(replicas[0], "header-4", fps=30)
    assert again.status_code == 200
    assert "Idempotent-Replayed" not in again.headers


def test_the_vendors_refusal_is_told_again_without_asking_again(
    replicas: list[Caller], vendor: Vendor
):
    vendor.fault(on="submit", kind="error", code="1301", status=400, times=1)
    first, again = (post(team, "header-5") for team in replicas)
    assert (first.status_code, again.status_code) == (400, 400)
    assert first.json() == again.json()
    assert first.headers["x-task-id"] == again.headers["x-task-id"]
    assert again.headers["Idempotent-Replayed"] == "true"
