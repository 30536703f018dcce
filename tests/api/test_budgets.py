"""What teams and keys may spend and do, over real HTTP: in words, and exact under a crowd."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.harness import Caller, Processes, Running, Vendor, wait_until

LIMIT = {"main": 20}
CONNECTIONS, SUBMITS, BUDGET = 200, 5000, 1000


def key_of(team: str) -> str:
    return f"sk-{team}-0123456789abcdef0123456789abcdef"


def a_team(name: str, **terms: object) -> dict[str, object]:
    return {"name": name, "tier": "V3", "keys": [key_of(name)]} | terms


YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).isoformat()
TEAMS = [
    a_team("rich"),
    a_team("daily", budget_day_fen=250),
    a_team("monthly", budget_month_fen=100),
    a_team("total", budget_total_fen=0),
    a_team("slow", submits_per_minute=2),
    a_team("small", sizes=["1280x720"], qualities=["speed"]),
    a_team("gone", expires_at=YESTERDAY),
    a_team("stopped", blocked=True),
    a_team("short", limit=1, queue_tasks=1),
    a_team("special"),
]
PRICES = [
    {"model": "cogvideox-3", "size": "3840x2160", "price_fen": 300},
    {"model": "cogvideox-3", "team": "special", "price_fen": 70},
    {"model": "cogvideox-3", "team": "special", "duration": 10, "price_fen": 140},
    {"model": "cogvideox-3", "price_fen": 1, "starts_at": "2999-01-01T00:00:00Z"},
]


@pytest.fixture(scope="module")
def vendor(shared: Processes) -> Vendor:
    return shared.simulator(LIMIT, duration="0.3")


@pytest.fixture(scope="module")
def gateway(shared: Processes, vendor: Vendor) -> Running:
    settings = {
        "GATEWAY_TEAMS": TEAMS,
        "GATEWAY_PRICES": PRICES,
        "GATEWAY_POOL": "budgets",
    }
    return shared.gateway(vendor, LIMIT, **settings)


def caller(shared: Processes, gateway: Running, team: str) -> Caller:
    return shared.caller(gateway, key_of(team))


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_budget_is_told_and_then_refuses_with_what_would_help(
    shared: Processes, gateway: Running
):
    team = caller(shared, gateway, "daily")
    left = [team.submit().headers["x-budget-left-fen"] for _ in range(2)]
    assert left == ["150", "50"]
    answer = team.submit()
    assert refused(answer) == (402, "1113")
    assert answer.headers["x-should-retry"] == "false"
    error = answer.json()["error"]
    assert error["type"] == "insufficient_quota"
    assert "250 fen" in error["message"] and "200" in error["message"]
    assert "tomorrow" in error["message"]
    openai = team.http.post("/v1/videos", json={"model": "cogvideox-3", "prompt": "a cat"})
    assert refused(openai) == (402, "budget_exceeded")


def test_what_was_made_stays_spent(shared: Processes, gateway: Running):
    team = caller(shared, gateway, "monthly")
    task = team.created()
    assert refused(team.submit()) == (402, "1113")
    assert team.ended(task)["task_status"] == "SUCCESS"
    assert "next month" in team.submit().json()["error"]["message"]


def test_without_a_fen_nothing_is_made(shared: Processes, gateway: Running, vendor: Vendor):
    before = vendor.total()["accepted"]
    assert refused(caller(shared, gateway, "total").submit()) == (402, "1113")
    assert vendor.total()["accepted"] == before


def test_a_rate_says_when_to_come_again(shared: Processes, gateway: Running):
    team = caller(shared, gateway, "slow")
    assert [team.submit().status_code for _ in range(2)] == [200, 200]
    answer = team.submit()
    assert refused(answer) == (429, "1303")
    assert 1 <= int(answer.headers["retry-after"]) <= 30


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"size": "1920x1080", "quality": "speed"}, "size"),
        ({"size": "1280x720", "quality": "quality"}, "quality"),
        ({"size": "1280x720"}, "quality"),
    ],
)
def test_what_a_team_may_not_ask_for_is_named(
    shared: Processes, gateway: Running, fields: dict[str, str], param: str
):
    team = caller(shared, gateway, "small")
    answer = team.submit(**fields)
    assert refused(answer) == (403, "not_allowed")
    assert answer.json()["error"]["param"] == param
    assert team.submit(size="1280x720", quality="speed").status_code == 200


@pytest.mark.parametrize(
    ("team", "status", "code"), [("gone", 401, "expired_api_key"), ("stopped", 403, "blocked")]
)
def test_who_has_expired_or_is_blocked_hears_it(
    shared: Processes, gateway: Running, team: str, status: int, code: str
):
    calling = caller(shared, gateway, team)
    assert refused(calling.submit()) == (status, code)
    assert refused(calling.http.get("/v1/limits")) == (status, code)


def test_a_team_has_a_cap_and_a_queue_of_its_own(
    shared: Processes, gateway: Running, vendor: Vendor
):
    team = caller(shared, gateway, "short")
    before = vendor.settings(duration=3600)
    try:
        statuses = [team.submit().status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        told = team.http.get("/v1/limits").json()
        assert told["slots"] == {"limit": 1, "in_flight": 1}
        assert (told["queue"]["tasks"], told["queue"]["tasks_limit"]) == (1, 1)
    finally:
        vendor.settings(duration=before["duration"])
        vendor.end_all()


@pytest.mark.parametrize(
    ("team", "fields", "fen"),
    [
        ("rich", {}, "100"),
        ("rich", {"size": "3840x2160"}, "300"),
        ("special", {}, "70"),
        ("special", {"size": "3840x2160"}, "70"),
        ("special", {"duration": 10}, "140"),
    ],
)
def test_the_narrowest_price_counts_and_one_of_the_team_goes_before_all(
    shared: Processes, gateway: Running, team: str, fields: dict[str, object], fen: str
):
    assert caller(shared, gateway, team).submit(**fields).headers["x-cost-fen"] == fen


def test_of_five_times_too_many_just_those_are_let_in_that_the_budget_has_room_for(
    shared: Processes,
):
    """Two processes, so that nothing but the store can know."""
    vendor = shared.simulator(LIMIT, duration="3600")
    team = a_team("crowd", limit=20, budget_total_fen=BUDGET * 100)
    settings = {"GATEWAY_TEAMS": [team], "GATEWAY_POOL": "crowd"}
    gateways = [shared.gateway(vendor, LIMIT, **settings) for _ in range(2)]
    body = json.dumps({"model": "cogvideox-3", "prompt": "a cat", "watermark_enabled": False})
    headers = {"Authorization": f"Bearer {key_of('crowd')}", "Content-Type": "application/json"}

    async def all_submits() -> Counter[int]:
        submits = iter(range(SUBMITS))

        async def some(http: httpx.AsyncClient) -> Counter[int]:
            answers: Counter[int] = Counter()
            for _ in submits:  # what one takes, no other does
                answers[(await http.post("/v1/videos/generations", content=body)).status_code] += 1
            return answers

        async with AsyncExitStack() as stack:
            # One each: of connections that several addresses share, some are closed in mid-use.
            clients = [
                await stack.enter_async_context(
                    httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=120)
                )
                for gateway in gateways
            ]
            crowd = (some(clients[i % len(clients)]) for i in range(CONNECTIONS))
            return sum(await asyncio.gather(*crowd), Counter())

    assert asyncio.run(all_submits()) == {200: BUDGET, 402: SUBMITS - BUDGET}
    limits = shared.caller(gateways[0], key_of("crowd")).http.get("/v1/limits").json()
    assert limits["queue"]["tasks"] + limits["slots"]["in_flight"] == BUDGET
    wait_until(lambda: vendor.total()["in_flight"] == LIMIT["main"])
