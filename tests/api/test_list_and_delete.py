"""A team's own videos: listed page by page, and deleted."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gateway.store.connection import Store, open_store
from tests.harness import ADMIN_KEY, Caller, Processes, Running, Vendor, run_command, wait_until

LIMIT = {"main": 3}
POOL = "list-and-delete"
# Each test has a team of its own, and so a list of its own.
KEYS = {f"team-{i}": f"sk-team-{i}-" + "0123456789abcdef" * 2 for i in range(40)}
TEAMS = [{"name": name, "tier": "V3", "keys": [key]} for name, key in KEYS.items()]
_unused = itertools.cycle(KEYS.values())


@dataclass(frozen=True)
class Replicas:
    vendor: Vendor
    one: Running
    other: Running


@pytest.fixture(scope="module")
def replicas(shared: Processes) -> Replicas:
    vendor = shared.simulator(LIMIT, duration="3600")
    settings = {"GATEWAY_TEAMS": TEAMS, "GATEWAY_POOL": POOL}
    return Replicas(vendor, *(shared.gateway(vendor, LIMIT, **settings) for _ in range(2)))


@pytest.fixture
def vendor(replicas: Replicas) -> Iterator[Vendor]:
    """Its tasks end when a test says so, and all when it is over."""
    replicas.vendor.settings(duration=3600)
    yield replicas.vendor
    replicas.vendor.settings(duration=0)
    replicas.vendor.end_all()
    wait_until(lambda: idle(replicas.one), what="all that waits to be made")
    total = replicas.vendor.total()
    assert total["duplicates"] == 0
    assert total["refused"] == {}


def idle(running: Running) -> bool:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    figures = httpx.get(f"{running.url}/metrics", headers=headers).text
    told = re.findall(r"^gateway_(?:queue_tasks|slots_in_use)\S* (\S+)$", figures, re.MULTILINE)
    return {float(figure) for figure in told} <= {0.0}


@pytest.fixture
def key() -> str:
    return next(_unused)


@pytest.fixture
def team(replicas: Replicas, vendor: Vendor, key: str) -> Iterator[Caller]:
    with closing(Caller(replicas.one.url, key)) as caller:
        yield caller


@pytest.fixture
def elsewhere(replicas: Replicas, key: str) -> Iterator[Caller]:
    """The same team at the other replica."""
    with closing(Caller(replicas.other.url, key)) as caller:
        yield caller


@pytest.fixture
async def its_store(store_url: str) -> AsyncIterator[Store]:
    async with open_store(store_url, POOL, 5) as store:
        yield store


def page(team: Caller, **query: object) -> dict[str, Any]:
    answer = team.http.get("/v1/videos", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def listed(team: Caller, **query: object) -> list[str]:
    return [video["id"] for video in page(team, limit=100, **query)["data"]]


def delete(team: Caller, task_id: str) -> httpx.Response:
    return team.http.delete(f"/v1/videos/{task_id}")


def deleted(team: Caller, task_id: str) -> None:
    answer = delete(team, task_id)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"id": task_id, "object": "video.deleted", "deleted": True}


def status(team: Caller, task_id: str) -> int:
    return team.http.get(f"/v1/videos/{task_id}").status_code


def full(team: Caller, vendor: Vendor) -> list[str]:
    """Tasks that take all slots."""
    tasks = [team.created() for _ in range(3)]
    wait_until(lambda: vendor.total()["in_flight"] == 3)
    return tasks


def ended(team: Caller, vendor: Vendor) -> str:
    task = team.created()
    wait_until(lambda: vendor.total()["in_flight"])
    vendor.end_all()
    assert team.ended(task)["task_status"] == "SUCCESS"
    return task


def test_the_newest_come_first_unless_one_wants_it_otherwise(team: Caller, elsewhere: Caller):
    tasks = [(team, elsewhere)[i % 2].created() for i in range(7)]
    for replica in (team, elsewhere):
        assert listed(replica) == listed(replica, order="desc") == tasks[::-1]
        assert listed(replica, order="asc") == tasks
    first = page(team, limit=3)
    assert [video["id"] for video in first["data"]] == tasks[:3:-1]
    assert (first["object"], first["has_more"]) == ("list", True)
    assert (first["first_id"], first["last_id"]) == (tasks[6], tasks[4])
    assert {video["object"] for video in first["data"]} == {"video"}
    assert page(team, limit=7)["has_more"] is False
    assert team.http.get("/videos").json() == team.http.get("/v1/videos").json()


def test_a_list_shows_each_task_as_it_reads_by_itself(team: Caller, vendor: Vendor):
    done, cancelled = ended(team, vendor), team.created()
    team.http.post(f"/v1/videos/{cancelled}/cancel")
    for video in page(team)["data"]:
        alone = team.http.get(f"/v1/videos/{video['id']}").json()
        moving = {"progress"}
        assert {k: v for k, v in video.items() if k not in moving} == {
            k: v for k, v in alone.items() if k not in moving
        }
    words = {video["id"]: video["status"] for video in page(team)["data"]}
    assert words == {done: "completed", cancelled: "failed"}


def test_an_empty_list_is_a_list(team: Caller):
    nothing = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    assert page(team) == nothing


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_have_each_task_once_while_new_ones_arrive(team: Caller, order: str):
    tasks = [team.created() for _ in range(10)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3, "order": order}
    for number in range(20):
        told = page(team, **query)
        seen += [video["id"] for video in told["data"]]
        if not told["has_more"]:
            break
        query["after"] = told["last_id"]
        if number < 3:
            tasks.append(team.created())
    # New ones come before those that are asked for first: the first page was without them.
    assert seen == (tasks if order == "asc" else tasks[9::-1])


def test_a_page_goes_on_after_a_task_only_while_there_is_that_task(team: Caller, vendor: Vendor):
    tasks = [ended(team, vendor) for _ in range(3)]
    assert listed(team, after=tasks[1]) == tasks[:1]
    deleted(team, tasks[1])
    answer = team.http.get("/v1/videos", params={"after": tasks[1]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "after")
    assert listed(team) == [tasks[2], tasks[0]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "-1"),
        ("limit", ""),
        ("limit", "ten"),
        ("limit", "1.5"),
        ("limit", "٣"),
        ("limit", "0050000"),
        ("limit", "0100" + "0" * 5000),
        ("limit", "9" * 5000),
        ("order", "newest"),
        ("order", ""),
        ("order", "ASC"),
        ("after", "task_" + "0" * 32),
        ("after", "-inf"),
        ("after", "a\0b"),
        ("after", "x" * 8000),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_by_name(team: Caller, name: str, value: str):
    answer = team.http.get("/v1/videos", params={name: value})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("invalid_field", name)
    assert len(answer.content) < 600


def test_nobody_sees_another_teams_videos(team: Caller, replicas: Replicas):
    mine = team.created()
    with closing(Caller(replicas.one.url, next(_unused))) as others:
        theirs = others.created()
        assert (listed(team), listed(others)) == ([mine], [theirs])
        foreign, none = (
            others.http.get("/v1/videos", params={"after": task})
            for task in (mine, "task_" + secrets.token_hex(16))
        )
        assert (foreign.status_code, none.status_code) == (400, 400)
        assert foreign.content == none.content
        foreign, none = (delete(others, task) for task in (mine, "task_" + secrets.token_hex(16)))
        assert (foreign.status_code, none.status_code) == (404, 404)
        assert foreign.content == none.content
    assert status(team, mine) == 200
    for method, path in (("GET", "/v1/videos"), ("DELETE", f"/v1/videos/{mine}")):
        assert httpx.request(method, f"{team.url}{path}").status_code == 401


def test_what_is_over_is_gone_on_every_replica(team: Caller, elsewhere: Caller, vendor: Vendor):
    task, kept = ended(team, vendor), ended(team, vendor)
    for replica in (team, elsewhere):
        assert status(replica, task) == 200  # from here on each has a copy
    deleted(team, task)
    assert status(team, task) == 404
    wait_until(lambda: status(elsewhere, task) == 404)
    for replica in (team, elsewhere):
        assert listed(replica) == [kept]
        assert replica.http.get(f"/v1/async-result/{task}").status_code == 404
        assert replica.http.get(f"/v1/videos/{task}/content").status_code == 404
        assert replica.http.post(f"/v1/videos/{task}/cancel").status_code == 404
        assert delete(replica, task).status_code == 404


def test_what_is_deleted_while_others_read_it_stays_deleted(
    team: Caller, elsewhere: Caller, vendor: Vendor
):
    for _ in range(15):
        task = ended(team, vendor)
        with ThreadPoolExecutor(12) as pool:
            reads = [pool.submit(status, elsewhere, task) for _ in range(24)]
            deleted(team, task)
            assert {read.result() for read in reads} <= {200, 404}
        wait_until(lambda task=task: status(elsewhere, task) == 404, 5)
        assert status(elsewhere, task) == 404


async def test_what_waits_is_cancelled_and_gone_for_nothing(
    team: Caller, elsewhere: Caller, vendor: Vendor, its_store: Store
):
    running = full(team, vendor)
    waiting = team.created(prompt="never to be made")
    assert status(elsewhere, waiting) == 200
    deleted(elsewhere, waiting)
    for replica in (team, elsewhere):
        assert status(replica, waiting) == 404
        assert listed(replica) == running[::-1]
        assert delete(replica, waiting).status_code == 404
    assert (
        team.http.get("/v1/limits").json()["queue"] | {"bytes": 0, "tasks": 0}
        == (team.http.get("/v1/limits").json()["queue"])
    )
    vendor.end_all()
    assert [team.ended(task)["task_status"] for task in running] == ["SUCCESS"] * 3
    assert "never to be made" not in [task["body"]["prompt"] for task in vendor.tasks()]
    entries = [
        entry
        for day in await its_store.redis.zrange(its_store.keys.ledger_days, 0, -1)
        for _, entry in await its_store.redis.xrange(its_store.keys.ledger(day))
    ]
    settled = [(e["status"], e["outcome"]) for e in entries if e["task"] == waiting]
    assert settled == [("cancelled", "free")]


def test_what_runs_is_marked_and_there_until_the_vendor_is_done(
    team: Caller, elsewhere: Caller, vendor: Vendor
):
    running, waiting = full(team, vendor), team.created()
    for _ in range(2):
        deleted(team, running[0])
        for replica in (team, elsewhere):
            told = replica.http.get(f"/v1/videos/{running[0]}").json()
            assert (told["status"], told["error"]["code"]) == ("failed", "cancelled")
            assert replica.task(running[0])["task_status"] == "FAIL"
            assert listed(replica) == [waiting, *running[::-1]]
    assert team.http.get("/v1/limits").json()["slots"]["in_flight"] == 3
    assert vendor.total()["in_flight"] == 3
    vendor.end_all()
    slots = {"limit": 20, "in_flight": 1}
    wait_until(lambda: team.http.get("/v1/limits").json()["slots"] == slots, what="slots to go on")
    assert team.task(waiting)["task_status"] == "PROCESSING"
    told = team.http.get(f"/v1/videos/{running[0]}").json()
    assert (told["status"], told["error"]["code"], told.get("url")) == ("failed", "cancelled", None)
    assert listed(team) == [waiting, *running[::-1]]
    deleted(team, running[0])
    assert status(team, running[0]) == 404
    assert listed(team) == [waiting, *running[:0:-1]]


def test_the_idempotency_key_of_a_deleted_video_makes_a_new_one(team: Caller, vendor: Vendor):
    said = {"model": "cogvideox-3", "prompt": "again"}

    def post(**fields: object) -> httpx.Response:
        headers = {"Idempotency-Key": "only-once"}
        return team.http.post("/v1/videos", json=said | fields, headers=headers)

    first = post().json()["id"]
    assert post().json()["id"] == first
    vendor.end_all()
    team.ended(first)
    assert post().json()["id"] == first
    deleted(team, first)
    second = post(prompt="and something else")
    assert second.status_code == 200
    assert second.json()["id"] != first
    assert "Idempotent-Replayed" not in second.headers
    assert listed(team) == [second.json()["id"]]


def test_ends_deletions_and_cancellations_at_once_agree_in_the_end(
    team: Caller, elsewhere: Caller, vendor: Vendor, replicas: Replicas, shared: Processes
):
    vendor.settings(duration=[0, 0.3])
    before = [len(running.log_text()) for running in (replicas.one, replicas.other)]

    def live(i: int) -> None:
        mine, theirs = (team, elsewhere)[:: 1 if i % 2 else -1]
        task = mine.created(prompt=f"number {i}")
        ways = (
            lambda: theirs.http.delete(f"/v1/videos/{task}"),
            lambda: mine.http.post(f"/v1/videos/{task}/cancel"),
            lambda: theirs.http.get(f"/v1/videos/{task}/content"),
            lambda: mine.http.delete(f"/v1/videos/{task}"),
        )
        with ThreadPoolExecutor(4) as at_once:
            answers = list(at_once.map(lambda way: way(), ways))
        for answer in answers:
            assert answer.status_code in (200, 202, 404, 409), answer.text

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(live, range(60)))
    wait_until(lambda: not team.http.get("/v1/limits").json()["slots"]["in_flight"])
    assert team.http.get("/v1/limits").json()["queue"]["bytes"] == 0
    settings = shared.settings(vendor, LIMIT) | {"GATEWAY_TEAMS": TEAMS, "GATEWAY_POOL": POOL}
    assert run_command("slots", "--verify", **settings).stdout == "slots and records agree\n"
    for task in listed(team):
        deleted(team, task)
    assert listed(elsewhere) == []
    for running, length in zip((replicas.one, replicas.other), before, strict=True):
        assert "Traceback" not in running.log_text()[length:]
