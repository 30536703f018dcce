"""Usage and bills over HTTP, of teams whose tasks have ended in every way."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
import redis

from gateway.api.usage_telling import csv_text
from gateway.store.connection import Store
from gateway.store.keyspace import Keyspace
from tests import noon
from tests.admin import Operator
from tests.bookish import Bookish, know_viewer
from tests.harness import TEAM_KEY, Processes, wait_until
from tests.store.past import Past, days_ago

VIEWER, FILMS_VIEWER = (f"sk-admin-{who}-0123456789abcdef0123456789" for who in ("any", "films"))
SUMS = {
    "tasks": 7,
    "completed": 4,
    "failed": 1,
    "cancelled": 1,
    "unknown": 1,
    "charged_fen": 550,
    "cost_fen": 400,
}
OF_ADVERTS = dict.fromkeys(SUMS, 0) | {
    "tasks": 1,
    "completed": 1,
    "charged_fen": 100,
    "cost_fen": 100,
}
ROUTES = ("", "/entries", "/unknown", "/statement")


@pytest.fixture(scope="module")
def town(shared: Processes, store_url: str) -> Bookish:
    town = Bookish(shared)
    pool = town.settings["GATEWAY_POOL"]
    know_viewer(store_url, pool, VIEWER, None)
    know_viewer(store_url, pool, FILMS_VIEWER, "films")
    return town


@pytest.fixture
def root(town: Bookish) -> Iterator[Operator]:
    with closing(Operator(town.running)) as operator:
        yield operator


@pytest.fixture
def films_viewer(town: Bookish) -> Iterator[Operator]:
    with closing(Operator(town.running, FILMS_VIEWER)) as operator:
        wait_until(lambda: operator.ask("GET", "/usage").status_code == 200)
        yield operator


def usage(operator: Operator, **params: str) -> dict[str, Any]:
    answer = operator.http.get("/admin/usage", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8"))))


def test_a_team_sees_what_it_and_its_key_used_and_what_its_budgets_have_left(town: Bookish):
    told = town.films.http.get("/v1/usage").json()
    assert (told["team"], told["time_zone"]) == ("films", str(noon.ZONE))
    used = {
        "tasks": 7,
        "charged_fen": 550,
        "by_status": {
            "cancelled": {"tasks": 1, "charged_fen": 0},
            "completed": {"tasks": 4, "charged_fen": 550},
            "failed": {"tasks": 1, "charged_fen": 0},
            "unknown": {"tasks": 1, "charged_fen": 0},
        },
    }
    assert told["usage"] == {"team": used, "key": used}
    live = {"reserved_fen": 100, "spent_fen": 550}
    assert told["budgets"]["team"] == {
        "day": {"period": noon.day(), "budget_fen": 1000, **live, "left_fen": 350},
        "month": {"period": noon.month(), "budget_fen": None, **live, "left_fen": None},
        "total": {"period": "all", "budget_fen": 5000, **live, "left_fen": 4350},
    }
    assert told["budgets"]["key"]["total"] == told["budgets"]["team"]["month"] | {"period": "all"}
    assert town.adverts.http.get("/v1/usage").json()["usage"]["team"]["charged_fen"] == 100
    before = town.films.http.get("/v1/usage?from=2020-01-01&to=2020-01-02").json()
    assert before["usage"]["team"] == {"tasks": 0, "charged_fen": 0, "by_status": {}}


def test_sums_are_by_team_and_of_this_month_unless_said(town: Bookish, root: Operator):
    told = usage(root)
    assert told["rows"] == [{"team": "adverts", **OF_ADVERTS}, {"team": "films", **SUMS}]
    assert told["totals"] == {name: SUMS[name] + OF_ADVERTS[name] for name in SUMS}
    assert (told["from"][:10], told["group_by"]) == (f"{noon.month()}-01", ["team"])


@pytest.mark.parametrize(
    "group_by", ["team", "key", "model", "account", "status", "day", "hour", "team,status,day"]
)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])  # the latter is half an hour off
def test_totals_are_the_sum_of_the_rows_whatever_they_are_by(
    root: Operator, group_by: str, zone: str
):
    told = usage(root, group_by=group_by, time_zone=zone, **{"from": "2026-01-01"})
    assert all(set(group_by.split(",")) < set(row) for row in told["rows"])
    for name, total in told["totals"].items():
        assert total == sum(row[name] for row in told["rows"]) == SUMS[name] + OF_ADVERTS[name]


def test_sums_can_be_of_some_tasks_alone(town: Bookish, root: Operator):
    assert usage(root, team="films")["totals"] == SUMS
    unknown = usage(root, team="films", status="unknown", group_by="account,status")
    nothing = dict.fromkeys(SUMS, 0)
    assert unknown["rows"] == [
        {"account": "main", "status": "unknown", **nothing, "tasks": 1, "unknown": 1}
    ]
    key = town.films.http.get("/v1/usage").json()["key"]
    assert usage(root, key=key)["totals"] == SUMS
    assert usage(root, account="", status="cancelled")["totals"]["tasks"] == 1
    for no_such in ({"key": "key_none"}, {"model": "m"}, {"account": "a"}, {"team": "games"}):
        assert usage(root, **no_such)["rows"] == []


def test_the_csv_has_what_the_json_has(root: Operator):
    told = usage(root, group_by="team,status")
    answer = root.http.get("/admin/usage", params={"group_by": "team,status", "format": "csv"})
    assert rows_of(answer) == [{k: str(v) for k, v in row.items()} for row in told["rows"]]
    assert "attachment" in answer.headers["content-disposition"]


def test_cells_that_a_spreadsheet_would_run_are_only_shown():
    cells = [
        "=1+1",
        "+1",
        "-1",
        "@a",
        "\t=1",
        "\n=1",
        "\uff1d1",
        "\uff201",
        "a=1",
        '"',
        "影片",
        "",
        None,
        7,
    ]
    (row,) = csv.reader(io.StringIO(csv_text([cells])))
    shown = ["'=1+1", "'+1", "'-1", "'@a", "'\t=1", "'\n=1", "'\uff1d1", "'\uff201"]
    assert row == [*shown, "a=1", '"', "影片", "", "", "7"]


def test_entries_are_exported_one_a_task(town: Bookish, root: Operator):
    exported = rows_of(root.http.get("/admin/usage/entries?team=films"))
    statuses = ("completed", "failed", "cancelled", "unknown")
    ended = {task: status for status in statuses for task in town.tasks[status]}
    assert {row["task"]: row["status"] for row in exported} == ended
    assert sum(int(row["charged_fen"]) for row in exported) == SUMS["charged_fen"]
    lines = root.http.get("/admin/usage/entries?team=films&format=jsonl").text.splitlines()
    told = [json.loads(line) for line in lines]
    assert [
        {k: "" if v is None else str(v) for k, v in entry.items()} for entry in told
    ] == exported
    assert {(e["size"], e["quality"], e["price_fen"]) for e in told} == {
        ("1920x1080", "speed", 100),
        ("3840x2160", None, 250),
    }
    (failed,) = rows_of(root.http.get("/admin/usage/entries?status=failed"))
    assert [failed["task"]] == town.tasks["failed"]


def test_unknown_outcomes_are_named_as_the_vendor_knows_them(town: Bookish, root: Operator):
    (task,) = town.tasks["unknown"]
    (row,) = root.done("GET", "/usage/unknown")["tasks"]
    assert (row["request_id"], row["team"], row["account"]) == (f"{task}-1", "films", "main")
    assert row["request_id"] in {made["request_id"] for made in town.vendor.tasks()}
    (as_csv,) = rows_of(root.http.get("/admin/usage/unknown?format=csv"))
    assert as_csv["request_id"] == row["request_id"]
    assert root.done("GET", "/usage/unknown?team=adverts")["tasks"] == []


def test_a_statement_adds_up_and_leaves_out_what_nobody_knows(root: Operator):
    bill = root.done("GET", f"/usage/statement?team=films&month={noon.month()}")
    assert bill["lines"] == [
        {
            **{"model": "cogvideox-3", "size": "1920x1080", "quality": "speed", "seconds": None},
            **{"count": 3, "unit_price_fen": 100, "amount_fen": 300},
        },
        {
            **{"model": "cogvideox-3", "size": "3840x2160", "quality": None, "seconds": None},
            **{"count": 1, "unit_price_fen": 250, "amount_fen": 250},
        },
    ]
    assert (bill["videos"], bill["total_fen"]) == (4, 550)
    assert [line["count"] for line in bill["not_billed"]["unknown"]] == [1]
    assert (bill["not_billed"]["failed"], bill["not_billed"]["cancelled"]) == (1, 1)
    assert bill["time_zone"] == str(noon.ZONE)

    where = f"/admin/usage/statement?team=films&month={noon.month()}"
    *lines, unknown, total = rows_of(root.http.get(f"{where}&format=csv"))
    assert sum(int(line["amount_fen"]) for line in lines) == int(total["amount_fen"]) == 550
    assert (unknown["billed"], unknown["amount_fen"]) == ("no: outcome unknown", "0")
    text = root.http.get(f"{where}&format=text").text
    assert ["total", "4", "5.50"] in [line.split() for line in text.splitlines()]
    assert root.done("GET", "/usage/statement?team=films")["total_fen"] == 0  # last month


async def test_a_size_with_a_colon_can_be_billed(processes: Processes, store: Store):
    when = days_ago(1)
    await Past(store).ends(when, model="vidu2", form="16:9:-:4")
    month = {"month": f"{when:%Y-%m}", "time_zone": "UTC", "team": "films"}
    with closing(Operator(processes.gateway(None, {"main": 1}))) as operator:
        bill = operator.http.get("/admin/usage/statement", params=month).json()
        (entry,) = rows_of(operator.http.get(f"/admin/usage/entries?from={when:%Y-%m-%d}"))
    told = ("size", "quality", "seconds")
    assert [tuple(line[name] for name in told) for line in bill["lines"]] == [("16:9", None, 4)]
    assert tuple(entry[name] for name in told) == ("16:9", "", "4")


@pytest.mark.parametrize("route", ROUTES)
def test_another_teams_figures_are_the_same_404_as_of_a_team_that_is_not(
    root: Operator, films_viewer: Operator, route: str
):
    answers = {
        (answer.status_code, answer.content)
        for operator, team in (
            (root, "nobody"),
            (films_viewer, "nobody"),
            (films_viewer, "adverts"),
        )
        for answer in [operator.ask("GET", f"/usage{route}?team={team}")]
    }
    ((status, body),) = answers
    assert status == 404
    assert json.loads(body)["error"]["message"] == "there is no such team"


def test_a_teams_viewer_sees_its_team_alone(films_viewer: Operator):
    assert usage(films_viewer)["rows"] == [{"team": "films", **SUMS}]
    assert usage(films_viewer, team="films", group_by="account")["totals"] == SUMS
    assert len(rows_of(films_viewer.http.get("/admin/usage/entries"))) == 7
    assert len(films_viewer.done("GET", "/usage/unknown")["tasks"]) == 1
    assert films_viewer.done("GET", "/usage/statement")["team"] == "films"
    assert films_viewer.ask("GET", "/accounts").status_code == 403


def test_a_viewer_of_all_sees_all_and_a_teams_key_nothing(town: Bookish):
    with closing(Operator(town.running, VIEWER)) as viewer:
        wait_until(lambda: viewer.ask("GET", "/usage").status_code == 200)
        assert len(usage(viewer)["rows"]) == 2
    with closing(Operator(town.running, TEAM_KEY)) as team:
        for route in ROUTES:
            assert team.ask("GET", f"/usage{route}").status_code == 401
    assert httpx.get(f"{town.running.url}/v1/usage").status_code == 401


@pytest.mark.parametrize(
    ("where", "param", "hint"),
    [
        ("?from=yesterday", "from", "a day like 2026-03-01"),
        ("?to=2026-02-30", "to", "a day like 2026-03-01"),
        ("?to=0001-01-01", "to", "a day like 2026-03-01"),
        ("?from=2026-03-02&to=2026-03-02", "from", "before to"),
        ("?from=2026-03-02&to=2026-03-01T23:00:00Z", "from", "before to"),
        ("?group_by=team,colour", "group_by", "team, key, model, account, status, day, hour"),
        ("?group_by=team,team", "group_by", "twice"),
        ("?status=done", "status", "completed, failed, cancelled, unknown"),
        ("?time_zone=Mars/Olympus", "time_zone", "Asia/Shanghai"),
        ("?time_zone=../../etc/passwd", "time_zone", "Asia/Shanghai"),
        ("?format=xml", "format", "json, csv"),
        ("?teams=films", "teams", "cannot be said here"),
        ("?team=films&team=adverts", "team", "twice"),
        ("/entries?format=json", "format", "csv, jsonl"),
        ("/unknown?status=failed", "status", "cannot be said here"),
        ("/statement?team=films&month=2026-13", "month", "2026-03"),
        ("/statement?team=films&month=9999-12", "month", "2026-03"),
        ("/statement?team=films&month=２０２６-03&format=csv", "month", "2026-03"),
        ("/statement", "team", "missing"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(root: Operator, where: str, param: str, hint: str):
    status, _, message, named = root.refused("GET", f"/usage{where}")
    assert (status, named) == (400, param)
    assert hint in message


def test_a_team_is_told_what_is_wrong_in_its_own_words(town: Bookish):
    answer = town.films.http.get("/v1/usage?from=2026-02-30")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "1214")
    assert answer.json()["error"]["param"] == "from"


def test_a_team_cannot_have_everybodys_entries_added_up(
    town: Bookish, root: Operator, store_url: str
):
    """Sums of hours tell what a team used; only operators may ask for what they do not tell."""
    for where, param in (("from=2026-03-01T08:00:01", "from"), ("to=2026-03-01T08:30", "to")):
        answer = town.films.http.get(f"/v1/usage?{where}")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
        assert root.ask("GET", f"/usage?{where}").status_code == 200
    assert town.films.http.get("/v1/usage?from=2026-03-01T08:00").status_code == 200
    first_hour = Keyspace(town.settings["GATEWAY_POOL"]).first_usage_hour
    with redis.Redis.from_url(store_url) as client:
        client.set(first_hour, 10**6)
        answer = town.films.http.get("/v1/usage?from=1975-01-01")
        this_month = town.films.http.get("/v1/usage").json()
        client.delete(first_hour)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "from")
    assert "longer ago" in answer.json()["error"]["message"]
    assert this_month["usage"]["team"]["tasks"] == SUMS["tasks"]


def test_a_time_with_an_unescaped_offset_is_understood(root: Operator):
    told = root.done("GET", "/usage?from=2026-03-01T00:00:00+08:00&to=2026-03-02&time_zone=UTC")
    assert told["from"] == "2026-02-28T16:00:00+00:00"


def test_the_reference_tells_of_usage(town: Bookish):
    admin = httpx.get(f"{town.running.url}/admin/openapi.json").json()["paths"]
    assert {path for path in admin if "usage" in path} == {f"/admin/usage{r}" for r in ROUTES}
    assert "/v1/usage" in httpx.get(f"{town.running.url}/openapi.json").json()["paths"]
