"""One pool of both vendors: requests in anybody's words, made at either."""

from __future__ import annotations

import base64
import random
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.harness import ADMIN_KEY, TEAM_KEY, Caller, Processes, Running, Vendor, wait_until

ACCOUNTS = [
    {"name": "zhipu", "limit": 5, "api_keys": ["zhipu-key.one"]},
    {"name": "geek", "vendor": "geekai", "limit": 5, "api_keys": ["sk-geek-0001"]},
]
LINKS = ["https://img.example/first.png", "https://img.example/last.png"]
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100
COMMON = {"model": "cogvideox-3"}
WORDS = {
    "bigmodel": {"PROCESSING", "SUCCESS", "FAIL"},
    "geekai": {"pending", "running", "succeed", "failed"},
    "openai": {"queued", "in_progress", "completed", "failed"},
}


@pytest.fixture(scope="module")
def vendor(shared: Processes) -> Vendor:
    return shared.simulator({}, duration="0.3-0.6", accounts=ACCOUNTS)


@pytest.fixture(scope="module")
def gateway(shared: Processes, vendor: Vendor) -> Running:
    return shared.gateway(
        None,
        {},
        GATEWAY_ACCOUNTS=[
            {
                "name": "zhipu",
                "base_url": vendor.base_url,
                "limit": 5,
                "api_keys": ["zhipu-key.one"],
            },
            {
                "name": "geek",
                "provider": "geekai",
                "base_url": f"{vendor.url}/api/v1",
                "limit": 5,
                "api_keys": ["sk-geek-0001"],
            },
        ],
    )


@pytest.fixture
def films(shared: Processes, gateway: Running) -> Caller:
    return shared.caller(gateway)


def requests(dice: random.Random, count: int) -> list[tuple[str, str, dict[str, Any], str]]:
    """Mixed ones: path, where to ask, what to send, in whose words the answers come."""
    kinds: list[tuple[str, str, dict[str, Any], str]] = [
        ("/api/paas/v4/videos/generations", "/api/paas/v4/async-result/{}", {}, "bigmodel"),
        (
            "/api/paas/v4/videos/generations",
            "/v1/async-result/{}",
            {"json": {"image_url": LINKS, "watermark_enabled": False}},
            "bigmodel",
        ),
        (
            "/api/paas/v4/videos/generations",
            "/api/paas/v4/async-result/{}",
            {"json": {"user_id": "user-0001"}},
            "bigmodel",
        ),
        (
            "/api/v1/videos/generations",
            "/api/v1/video/{}/result",
            {"json": {"async": True, "image": LINKS[0], "watermark": True}},
            "geekai",
        ),
        ("/api/v1/videos/generations", "/api/v1/videos/{}", {}, "geekai"),
        (
            "/v1/videos/generations",
            "/v1/video/{}/result",
            {"json": {"image": LINKS, "quality": "speed"}},
            "geekai",
        ),
        ("/v1/videos/generations", "/v1/async-result/{}", {"json": {"fps": 60}}, "bigmodel"),
        (
            "/v1/videos",
            "/v1/videos/{}",
            {"files": {"input_reference": ("first.png", PNG)}},
            "openai",
        ),
        ("/v1/videos", "/videos/{}", {"json": {"seconds": "8", "size": "720x1280"}}, "openai"),
        ("/v1/video/generations", "/v1/video/generations/{}", {}, "openai"),
    ]
    return [kinds[i % len(kinds)] for i in dice.sample(range(count), count)]


def send(films: Caller, path: str, said: dict[str, Any], prompt: str) -> httpx.Response:
    fields = COMMON | {"prompt": prompt}
    if files := said.get("files"):
        return films.http.post(path, data=fields, files=files)
    return films.http.post(path, json=fields | said.get("json", {}))


def status_of(body: dict[str, Any]) -> str:
    return str(body["status"] if "status" in body else body["task_status"])


def test_a_hundred_mixed_requests_succeed_at_both_vendors_each_in_its_own_words(
    vendor: Vendor, gateway: Running, films: Caller
):
    mixed = requests(random.Random(7), 100)
    asked: list[tuple[str, str, str]] = []
    for number, (path, ask, said, words) in enumerate(mixed):
        answer = send(films, path, said, f"number {number}")
        assert answer.status_code == 200, answer.text
        assert status_of(answer.json()) in WORDS[words], path
        asked.append((answer.json()["id"], ask, words))

    def over(task_id: str, ask: str, words: str) -> dict[str, Any] | None:
        body = films.http.get(ask.format(task_id)).json()
        assert status_of(body) in WORDS[words], ask
        return body if status_of(body) in ("SUCCESS", "succeed", "completed") else None

    for task_id, ask, words in asked:
        body = wait_until(lambda: over(task_id, ask, words), what=f"the end of {task_id}")  # noqa: B023
        link = body.get("url") or body["video_result"][0]["url"]
        assert httpx.get(link, headers={"Range": "bytes=4-7"}).content == b"ftyp"

    made = vendor.tasks()
    assert len({task["body"]["prompt"] for task in made}) == len(made) == 100
    at = Counter(task["vendor"] for task in made)
    assert min(at["bigmodel"], at["geekai"]) >= 10
    total = vendor.total()
    assert (total["nulls_received"], total["unknown_fields_received"]) == (0, 0)
    assert not total["refused"]
    lanes = [lane["cogvideox-3"] for lane in vendor.stats()["accounts"].values()]
    assert all(lane["peak_in_flight"] <= 5 for lane in lanes)
    # What only bigmodel can be told went there.
    for task in made:
        if "user_id" in task["body"] or str(task["body"].get("size", "")).startswith("720"):
            assert task["vendor"] == "bigmodel"


def test_what_no_account_can_be_told_is_refused_by_name(shared: Processes, vendor: Vendor):
    only_geekai = shared.gateway(
        None,
        {},
        GATEWAY_POOL="only-geekai",
        GATEWAY_ACCOUNTS=[
            {
                "name": "geek",
                "provider": "geekai",
                "base_url": f"{vendor.url}/api/v1",
                "limit": 5,
                "api_keys": ["sk-geek-0001"],
            }
        ],
    )
    team = shared.caller(only_geekai)
    inline = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    for field, value in (("user_id", "user-0001"), ("size", "1280x720"), ("image_url", inline)):
        refused = team.submit(**{field: value})
        assert refused.status_code == 400
        error = refused.json()["error"]
        assert field.removesuffix("_url") in error["message"]
        assert "geekai" in error["message"]
    assert team.submit(retries=2).status_code == 200
    metrics = httpx.get(
        f"{only_geekai.url}/metrics", headers={"Authorization": f"Bearer {ADMIN_KEY}"}
    )
    assert 'gateway_slots_limit{account="geek",model="cogvideox-3"} 5.0' in metrics.text
    assert TEAM_KEY not in only_geekai.log_text()


def test_a_position_counts_what_competes_for_the_same_slots(
    shared: Processes, vendor: Vendor, gateway: Running
):
    """A task that only bigmodel can make waits behind older ones that either vendor could."""
    vendor.settle_and_forget()
    vendor.settings(duration=3600)
    films = shared.caller(gateway)
    try:
        for _ in range(10):
            films.created()
        wait_until(lambda: vendor.total()["in_flight"] == 10)
        either = [films.submit() for _ in range(3)]
        only_bigmodel = films.submit(user_id="user-0001")
        positions = [int(a.headers["x-queue-position"]) for a in (*either, only_bigmodel)]
        assert positions == [1, 2, 3, 4]
        limits = films.http.get("/v1/limits").json()
        assert limits["queue"]["tasks"] == 4
        assert limits["models"][0]["next_position"] == 5
    finally:
        vendor.settings(duration=0.3)
        vendor.end_all()
