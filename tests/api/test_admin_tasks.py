"""Operators look for tasks, see their lives, and act in a team's place."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pytest

from tests.admin import Operator
from tests.harness import OTHER_KEY, Caller, Processes, Vendor, wait_until

LIMITS = {"main": 3}
_numbers = itertools.count(1)


class Town:
    """A vendor whose tasks take long, a gateway, an operator; two teams call."""

    def __init__(self, processes: Processes, stack: ExitStack) -> None:
        self.vendor: Vendor = processes.simulator(LIMITS, duration="3600")
        self.running = processes.gateway(self.vendor, LIMITS)
        self.root = stack.enter_context(closing(Operator(self.running)))
        self.films = processes.caller(self.running)
        self.adverts: Caller = processes.caller(self.running, OTHER_KEY)
        self.stack = stack

    def viewer(self, team: str | None = None) -> Operator:
        of_team = {"team": team} if team else {}
        name = f"viewer-{next(_numbers)}"
        key = self.root.done("POST", "/operators", name=name, role="viewer", **of_team)["key"]
        return self.stack.enter_context(closing(Operator(self.running, key)))

    def tasks(self, **asked: Any) -> dict[str, Any]:
        return self.root.http.get("/admin/tasks", params=asked).json()

    def ids(self, **asked: Any) -> list[str]:
        return [task["id"] for task in self.tasks(**asked)["tasks"]]

    def whole(self, task: str) -> dict[str, Any]:
        return self.root.done("GET", f"/tasks/{task}")

    def running_task(self) -> str:
        """One that the vendor has, once whatever ran before is over."""
        wait_until(lambda: self.vendor.end_all() or not self.ids(status="running,queued"))
        task = self.films.created(prompt=f"running {next(_numbers)}")
        wait_until(lambda: self.whole(task)["status"] == "in_progress")
        return task


@pytest.fixture(scope="module")
def town(shared: Processes) -> Iterator[Town]:
    with ExitStack() as stack:
        yield Town(shared, stack)


def test_a_page_of_all_teams_follows_another_until_nothing_is_left(town: Town):
    made = [
        team.created(prompt=f"page {i} of many")
        for i in range(4)
        for team in (town.films, town.adverts)
    ]
    found: list[str] = []
    cursor = None
    while True:
        page = town.tasks(q="OF MANY", limit=3, **({"cursor": cursor} if cursor else {}))
        found += [task["id"] for task in page["tasks"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert found == made[::-1]
    assert town.ids(team="adverts", q="of many") == made[::-1][::2]
    assert town.ids(q=made[3]) == [made[3]]


def test_tasks_are_found_by_what_they_are(town: Town):
    running = town.running_task()
    assert running in town.ids(status="running")
    assert running in town.ids(status="queued,in_progress", account="main")
    assert running not in town.ids(status="ended")
    assert town.ids(account="nobodys") == []
    provider_task = town.whole(running)["provider_task_id"]
    assert town.ids(q=provider_task) == [running]
    town.vendor.end_all()
    town.films.ended(running)
    assert running in town.ids(status="completed", model="cogvideox-3")
    assert town.ids(status="overdue") == []


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"status": "done"}, "status"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1000"}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"from": "yesterday"}, "from"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_question_is_told_what_would_be_right(
    town: Town, asked: dict[str, str], param: str
):
    answer = town.root.http.get("/admin/tasks", params=asked)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_life_is_told_step_by_step_with_who_made_each(town: Town):
    task = town.running_task()
    town.vendor.end_all()
    town.films.ended(task)
    told = town.whole(task)
    names = [step["step"] for step in told["steps"]]
    assert names[0] == "queued"
    assert names[-4:] == ["claimed", "sending", "in_progress", "completed"]
    assert all(step["process"].endswith(f"/{town.running.process.pid}") for step in told["steps"])
    assert [step["at"] for step in told["steps"]] == sorted(step["at"] for step in told["steps"])
    assert told["request_id"] == f"{task}-{told['claim_number']}"
    assert told["outcome"] == "charged"
    video = town.root.http.get(f"/admin/tasks/{task}/content")
    assert (video.headers["content-type"], video.content[4:8]) == ("video/mp4", b"ftyp")
    part = town.root.http.get(f"/admin/tasks/{task}/content", headers={"Range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10)


def test_an_operator_cancels_in_a_teams_place_and_the_audit_says_so(town: Town):
    task = town.running_task()
    told = town.root.done("POST", f"/tasks/{task}/cancel", reason="wrong prompt")
    assert told["cancel_asked_at"]
    assert told["steps"][-1]["step"] == "cancel_asked"
    assert town.films.task(task)["task_status"] == "FAIL"
    entry = town.root.done("GET", "/audit?last=1")["entries"][-1]
    assert (entry["action"], entry["on"], entry["reason"]) == ("tasks.cancel", task, "wrong prompt")
    assert (entry["before"], entry["after"]) == ("in_progress", "in_progress")
    town.vendor.end_all()
    wait_until(lambda: town.whole(task)["status"] == "completed")
    assert town.root.refused("POST", f"/tasks/{task}/cancel")[:2] == (409, "task_ended")


def test_a_slot_is_released_by_hand_with_a_reason_only(town: Town):
    task = town.running_task()
    assert town.root.refused("POST", f"/tasks/{task}/release")[3] == "reason"
    told = town.root.done("POST", f"/tasks/{task}/release", reason="the vendor lost it")
    assert (told["status"], told["outcome"]) == ("failed", "unknown")
    assert told["error"]["code"] == "released_by_operator"
    code = town.root.refused("POST", f"/tasks/{task}/release", reason="again")[:2]
    assert code == (409, "conflict")


def test_a_teams_viewer_sees_its_teams_tasks_and_of_others_nothing(town: Town):
    own, others = town.adverts.created(), town.films.created()
    viewer = town.viewer("adverts")
    listed = viewer.done("GET", "/tasks?limit=200")["tasks"]
    assert own in [task["id"] for task in listed]
    assert {task["team"] for task in listed} == {"adverts"}
    for path in ("/tasks/{}", "/tasks/{}/content"):
        ours = viewer.ask("GET", path.format(others))
        nobodys = viewer.ask("GET", path.format("task_" + "0" * 32))
        assert (ours.status_code, ours.content) == (404, nobodys.content)
    assert viewer.ask("GET", "/tasks?team=films").status_code == 404
    for path in ("/overview", "/events", "/playground"):
        assert viewer.ask("GET", path).status_code == 403
    assert viewer.ask("POST", f"/tasks/{own}/cancel").status_code == 403


def test_a_viewer_looks_and_changes_nothing(town: Town):
    task, viewer = town.running_task(), town.viewer()
    assert viewer.done("GET", f"/tasks/{task}")["id"] == task
    for path in (f"/tasks/{task}/cancel", f"/tasks/{task}/release", "/playground"):
        assert viewer.ask("POST", path, reason="x").status_code == 403


def test_the_playground_makes_a_video_on_a_teams_bill(town: Town):
    town.root.done("POST", "/teams", name="tiny", budget_total_fen=100)
    choices = town.root.done("GET", "/playground")
    assert "tiny" in choices["teams"]
    assert choices["models"][0]["id"] == "cogvideox-3"
    town.vendor.end_all()
    asked = {"team": "tiny", "model": "cogvideox-3", "prompt": "a secret cat"}
    answer = town.root.ask("POST", "/playground", **asked)
    assert (answer.status_code, answer.headers["x-budget-left-fen"]) == (200, "0")
    task = answer.json()["id"]
    assert town.whole(task)["key_id"] == "playground"
    entry = town.root.done("GET", "/audit?last=1")["entries"][-1]
    assert (entry["action"], entry["on"], entry["after"]) == ("playground", "team tiny", task)
    assert "secret cat" not in json.dumps(entry)
    assert town.root.refused("POST", "/playground", **asked)[:2] == (402, "budget_exceeded")
    town.vendor.end_all()
    wait_until(lambda: town.whole(task)["status"] == "completed")
    rows = town.root.done("GET", "/usage?team=tiny&group_by=key")["rows"]
    assert [(row["key"], row["charged_fen"]) for row in rows] == [("playground", 100)]
    town.root.done("POST", "/teams/tiny/block")
    assert town.root.ask("POST", "/playground", **asked).status_code == 403


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"model": "cogvideox-3", "prompt": "x"}, "team"),
        ({"team": "nobody", "model": "cogvideox-3", "prompt": "x"}, "team"),
        ({"team": "films", "model": "cogvideox-3"}, "prompt"),
        ({"team": "films", "model": "cogvideox-3", "prompt": "x", "size": "1x1"}, "size"),
    ],
)
def test_the_playground_names_the_field_that_is_wrong(town: Town, said: dict[str, str], param: str):
    status, code, _, named = town.root.refused("POST", "/playground", **said)
    assert (status, named) == (400, param)
    assert not code.isdigit()


def test_the_pages_of_the_dashboard_need_no_key_and_let_nothing_in(town: Town):
    page = httpx.get(f"{town.running.url}/dashboard")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
