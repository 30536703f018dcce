"""Teams, keys, prices and operators changed over HTTP while two gateways run on one store."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.admin import Operator
from tests.harness import ADMIN_KEY, OTHER_KEY, TEAM_KEY, Processes, wait_until

LIMITS = {"main": 20}
_numbers = itertools.count(1)


class Town:
    """A vendor with one account; two gateways, and an operator with the admin key at each."""

    def __init__(self, processes: Processes, stack: ExitStack) -> None:
        self.processes, self.stack = processes, stack
        self.vendor = processes.simulator(LIMITS, duration="3600")
        self.running = [
            processes.gateway(self.vendor, LIMITS),
            processes.gateway(self.vendor, LIMITS, "serve", "--no-worker"),
        ]
        self.here, self.there = (stack.enter_context(closing(Operator(r))) for r in self.running)

    def team(self, **said: Any) -> str:
        """A new team; its name."""
        name = f"team-{next(_numbers)}"
        self.here.done("POST", "/teams", name=name, **said)
        return name

    def key(self, team: str, **said: Any) -> dict[str, Any]:
        return self.here.done("POST", "/keys", team=team, **said)

    def operator(self, role: str, **said: Any) -> tuple[str, Operator]:
        """The id of a new operator, and the operator at the first gateway."""
        name = f"operator-{next(_numbers)}"
        made = self.here.done("POST", "/operators", name=name, role=role, **said)
        one = Operator(self.running[0], made["key"])
        return made["id"], self.stack.enter_context(closing(one))

    def status(self, key: str, door: int = 1, **fields: Any) -> tuple[int, str | None]:
        """How a submit with this key is answered, and with which code."""
        body = {"model": "cogvideox-3", "prompt": "A cat is playing with a ball."} | fields
        answer = httpx.post(
            f"{self.running[door].url}/v1/videos",
            headers={"Authorization": f"Bearer {key}"},
            json=body,
            timeout=30,
        )
        error = answer.json().get("error") or {}
        return answer.status_code, error.get("code")


@pytest.fixture(scope="module")
def town(shared: Processes) -> Iterator[Town]:
    with ExitStack() as stack:
        yield Town(shared, stack)


def soon(town: Town, key: str, status: int) -> None:
    """Both gateways answer so, once word has reached them."""
    for door in (0, 1):
        wait_until(lambda door=door: town.status(key, door)[0] == status, what=f"a {status}")


def test_a_key_made_at_one_gateway_opens_the_other_until_it_is_revoked(town: Town):
    made = town.key(town.team(), name="render farm", reason="new")
    assert made["key"].startswith("sk-gw-")
    assert made["hint"] == f"...{made['key'][-4:]}"
    soon(town, made["key"], 200)
    assert town.there.done("DELETE", f"/keys/{made['id']}?reason=lost")["revoked"] is True
    soon(town, made["key"], 401)
    assert town.here.refused("GET", f"/keys/{made['id']}")[:2] == (404, "not_found")


def test_a_rotated_key_opens_with_both_secrets_until_the_old_one_is_dropped(town: Town):
    old = town.key(town.team())
    new = town.there.done("POST", f"/keys/{old['id']}/rotate")
    assert new["id"] == old["id"]
    assert [each["hint"] for each in new["older"]] == [old["hint"]]
    for secret in (old["key"], new["key"]):
        soon(town, secret, 200)
    last = town.here.done("POST", f"/keys/{old['id']}/rotate", overlap_seconds=0, reason="leaked")
    assert last["older"] == []
    soon(town, last["key"], 200)
    for secret in (old["key"], new["key"]):
        soon(town, secret, 401)
    for bad in (-1, 2592001, "10", True, 1.5):
        refused = town.here.refused("POST", f"/keys/{old['id']}/rotate", overlap_seconds=bad)
        assert refused[:2] == (400, "invalid_field")
        assert refused[3] == "overlap_seconds"


def test_who_is_blocked_is_told_so_and_comes_back(town: Town):
    team = town.team()
    key = town.key(team)
    for path in (f"/keys/{key['id']}", f"/teams/{team}"):
        blocked = town.here.done("POST", f"{path}/block", reason="a doubt")
        assert (blocked["state"], blocked["blocked"]) == ("blocked", True)
        wait_until(lambda: town.status(key["key"]) == (403, "blocked"), what="the block")
        assert town.there.done("POST", f"{path}/unblock")["state"] == "active"
        soon(town, key["key"], 200)
    town.here.done("POST", f"/teams/{team}/block")
    assert town.here.done("GET", f"/keys/{key['id']}")["team_state"] == "blocked"


def test_an_end_comes_by_itself(town: Town):
    ends = datetime.now(UTC) + timedelta(seconds=3)
    key = town.key(town.team(), expires_at=ends.isoformat())
    wait_until(lambda: town.status(key["key"]) == (401, "expired_api_key"), 15, "the end")
    assert town.here.done("GET", f"/keys/{key['id']}")["state"] == "expired"
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert town.here.done("PATCH", f"/keys/{key['id']}", expires_at=later)["state"] == "active"
    soon(town, key["key"], 200)


def test_only_what_team_and_key_both_allow_may_be_asked_for(town: Town):
    team = town.team(sizes=["1920x1080", "1024x1024"], qualities=["speed"])
    key = town.key(team, sizes=["1024x1024"], models=["cogvideox-3"])
    soon(town, key["key"], 403)
    good = {"size": "1024x1024", "quality": "speed"}
    assert town.status(key["key"], **good)[0] == 200
    for change in ({"size": "1920x1080"}, {"quality": "quality"}):
        assert town.status(key["key"], **(good | change)) == (403, "not_allowed")
    town.here.done("PATCH", f"/keys/{key['id']}", sizes=None)
    wait_until(
        lambda: town.status(key["key"], **good | {"size": "1920x1080"})[0] == 200, what="the change"
    )


def test_what_is_spent_is_told_beside_the_budget_with_an_alert_near_its_end(town: Town):
    team = town.team(budget_month_fen=250, budget_total_fen=10**6)
    key = town.key(team, budget_day_fen=100)
    soon(town, key["key"], 402)
    told = town.there.done("GET", f"/teams/{team}")
    assert told["spending"]["month"] | {"period": ""} == {
        "period": "",
        "reserved_fen": 100,
        "spent_fen": 0,
        "budget_fen": 250,
        "left_fen": 150,
        "alert": False,
    }
    assert told["spending"]["day"]["budget_fen"] is None
    (listed,) = town.there.done("GET", f"/keys?team={team}")["keys"]
    assert (listed["spending"]["day"]["alert"], listed["spending"]["day"]["left_fen"]) == (True, 0)
    town.here.done("PATCH", f"/keys/{key['id']}", budget_day_fen=None)
    wait_until(lambda: town.status(key["key"])[0] == 200, what="the budget to be gone")
    month = town.here.done("GET", f"/teams/{team}")["spending"]["month"]
    assert (month["alert"], month["left_fen"]) == (True, 50)


def test_a_patch_changes_what_is_named_and_null_takes_it_back(town: Town):
    team = town.team(limit=7, weight=2, metadata={"cost_centre": "4711"})
    told = town.here.done("GET", f"/teams/{team}")
    assert (told["tier"], told["limit"], told["cap"]) == (None, 7, 7)
    told = town.here.done("PATCH", f"/teams/{team}", tier="V1")
    assert (told["tier"], told["limit"], told["cap"], told["weight"]) == ("V1", None, 10, 2.0)
    told = town.here.done("PATCH", f"/teams/{team}", weight=None, overflow="reject")
    assert (told["weight"], told["overflow"], told["tier"]) == (1.0, "reject", "V1")
    assert told["metadata"] == {"cost_centre": "4711"}


def test_a_team_is_taken_out_with_its_keys_once_it_has_no_tasks(town: Town):
    team = town.team()
    key = town.key(team)
    soon(town, key["key"], 200)
    status, code, message, _ = town.here.refused("DELETE", f"/teams/{team}")
    assert (status, code) == (409, "conflict")
    assert "tasks that wait or are in flight: block it first" in message

    def gone() -> bool:
        town.vendor.end_all()
        return town.here.ask("DELETE", f"/teams/{team}?reason=over").status_code == 200

    wait_until(gone, what="its tasks to end")
    soon(town, key["key"], 401)
    assert town.there.refused("GET", f"/teams/{team}")[2] == "there is no such team"


def test_what_the_settings_have_is_shown_and_changed_there(town: Town):
    told = town.here.done("GET", "/teams/films")
    assert (told["source"], told["tier"]) == ("settings", "V3")
    (key,) = town.here.done("GET", "/keys?team=films")["keys"]
    assert (key["source"], key["hint"]) == ("settings", f"...{TEAM_KEY[-4:]}")
    for method, path in (
        ("PATCH", "/teams/films"),
        ("DELETE", "/teams/films"),
        ("POST", "/teams/films/block"),
        ("PATCH", f"/keys/{key['id']}"),
        ("DELETE", f"/keys/{key['id']}"),
        ("POST", f"/keys/{key['id']}/rotate"),
        ("POST", f"/keys/{key['id']}/block"),
    ):
        status, code, message, _ = town.here.refused(method, path)
        assert (status, code) == (409, "conflict"), path
        assert "is in the settings: change it there (GATEWAY_TEAMS" in message
    assert "there is a team films already" in town.here.refused("POST", "/teams", name="films")[2]
    # Its teams may have more keys.
    soon(town, town.key("films")["key"], 200)


@pytest.mark.parametrize(
    ("path", "said", "param", "words"),
    [
        ("/teams", {}, "name", "missing"),
        ("/teams", {"name": "a b"}, "name", "1 to 64 letters"),
        ("/teams", {"name": "x", "tier": "V9"}, "tier", "only V0, V1, V2, V3"),
        ("/teams", {"name": "x", "wieght": 2}, "wieght", "did you mean weight?"),
        ("/teams", {"name": "x", "models": ["cogvidoex-3"]}, "models.0", "only cogvideox-3"),
        ("/teams", {"name": "x", "sizes": ["1x1"]}, "sizes.0", "1920x1080"),
        ("/teams", {"name": "x", "budget_day_fen": 1.5}, "budget_day_fen", "integer"),
        ("/teams", {"name": "x", "expires_at": "2030-01-01T00:00:00"}, "expires_at", "time zone"),
        ("/teams", {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at", "is over"),
        ("/teams", {"name": "x", "expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at", "9999"),
        ("/teams", {"name": "x", "metadata": {"a": "\x1b[2J"}}, "metadata.a", "control characters"),
        ("/keys", {"team": "films", "name": "a\u202eb"}, "name", "control characters"),
        ("/keys", {"team": "films", "name": "a\u2028b"}, "name", "control characters"),
        ("/teams", {"name": "x", "reason": 5}, "reason", "text"),
        ("/keys", {}, "team", "missing"),
        ("/keys", {"team": "nobody"}, "team", "there is no such team, only"),
        ("/keys", {"team": "films", "overflow": "wait"}, "overflow", "'queue' or 'reject'"),
        ("/prices", {"model": "cogvideox-3"}, "price_fen", "missing"),
        ("/prices", {"model": "cogvideox-3", "price_fen": -1}, "price_fen", "greater"),
        ("/prices", {"model": "cogvideox-3", "price_fen": 1, "size": "1x1"}, "size", "1920x1080"),
        ("/prices", {"model": "cogvideox-3", "price_fen": 1, "team": "x"}, "team", "only"),
        (
            "/prices",
            {"model": "cogvideox-3", "price_fen": 1, "starts_at": "0001-01-01T00:00:00+14:00"},
            *("starts_at", "9999"),
        ),
        ("/operators", {"name": "x"}, "role", "missing"),
        ("/operators", {"name": "x", "role": "root"}, "role", "'admin' or 'viewer'"),
        ("/operators", {"name": "x", "role": "viewer", "team": "nobody"}, "team", "only"),
        ("/operators", {"name": "x", "role": "admin", "team": "films"}, "team", "only a viewer"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(
    town: Town, path: str, said: dict[str, Any], param: str, words: str
):
    status, code, message, field = town.here.refused("POST", path, **said)
    assert (status, field) == (400, param), message
    assert code in ("invalid_field", "missing_field")
    assert words in message


def test_a_change_of_what_cannot_change_says_what_to_do(town: Town):
    team = town.team()
    key = town.key(team)
    status, _, message, field = town.here.refused("PATCH", f"/teams/{team}", name="other")
    assert (status, field, "add another team" in message) == (400, "name", True)
    status, _, message, field = town.here.refused("PATCH", f"/keys/{key['id']}", team="films")
    assert (status, field, "make a key of the other team" in message) == (400, "team", True)
    refused = town.here.refused("POST", f"/teams/{team}/block", tier="V1")
    assert refused[2] == "tier: reason is all that can be said here"


def test_a_price_holds_for_what_is_admitted_from_then_on(town: Town):
    team = town.team()
    key = town.key(team)["key"]
    made = town.here.done("POST", "/prices", model="cogvideox-3", price_fen=30, team=team)
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    town.here.done("POST", "/prices", model="cogvideox-3", price_fen=40, team=team, starts_at=later)
    mine = [p for p in town.there.done("GET", "/prices")["prices"] if p["team"] == team]
    assert [(p["price_fen"], p["source"]) for p in mine] == [(30, "store"), (40, "store")]

    def reserved() -> int:
        return town.here.done("GET", f"/teams/{team}")["spending"]["total"]["reserved_fen"]

    soon(town, key, 200)  # both gateways know of all by now
    before = reserved()
    town.status(key)
    assert reserved() == before + 30
    town.there.done("DELETE", f"/prices/{made['id']}?reason=wrong")
    assert town.here.refused("DELETE", f"/prices/{made['id']}")[:2] == (404, "not_found")


def test_a_viewer_looks_at_everything_and_changes_nothing(town: Town):
    team = town.team()
    key = town.key(team)
    _, viewer = town.operator("viewer")
    for path in ("/teams", "/keys", "/prices", "/operators", "/audit", "/accounts", "/slots"):
        assert viewer.ask("GET", path).status_code == 200, path
    for method, path in (
        ("POST", "/teams"),
        ("PATCH", f"/teams/{team}"),
        ("DELETE", f"/teams/{team}"),
        ("POST", f"/teams/{team}/block"),
        ("POST", "/keys"),
        ("PATCH", f"/keys/{key['id']}"),
        ("DELETE", f"/keys/{key['id']}"),
        ("POST", f"/keys/{key['id']}/rotate"),
        ("POST", "/prices"),
        ("POST", "/operators"),
        ("POST", "/accounts"),
    ):
        assert viewer.refused(method, path)[:2] == (403, "not_allowed"), path


def test_to_a_teams_own_viewer_there_are_no_others(town: Town):
    mine, other = town.team(), town.team()
    my_key, other_key = town.key(mine), town.key(other)
    _, viewer = town.operator("viewer", team=mine)
    assert [each["name"] for each in viewer.done("GET", "/teams")["teams"]] == [mine]
    assert [each["id"] for each in viewer.done("GET", "/keys")["keys"]] == [my_key["id"]]
    assert viewer.done("GET", f"/keys?team={other}")["keys"] == []
    assert viewer.done("GET", f"/keys/{my_key['id']}")["team"] == mine
    for there, nowhere in (
        (f"/teams/{other}", "/teams/team-of-nobody"),
        (f"/keys/{other_key['id']}", "/keys/key_0000000000000000"),
    ):
        answers = [viewer.ask("GET", path) for path in (there, nowhere)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].content == answers[1].content
        for method in ("PATCH", "DELETE"):
            assert [viewer.ask(method, path).status_code for path in (there, nowhere)] == [403] * 2
    for path in ("/accounts", "/slots", "/prices", "/operators", "/audit"):
        assert viewer.refused("GET", path)[:2] == (403, "not_allowed"), path
    assert viewer.http.get("/metrics").status_code == 403


def test_no_route_tells_a_teams_own_viewer_of_another(town: Town):
    """Whatever routes there are: the reference lists them, so that no new one is forgotten."""
    mine, other = town.team(), town.team()
    key = town.key(other)
    _, viewer = town.operator("viewer", team=mine)
    document = httpx.get(f"{town.running[0].url}/admin/openapi.json").json()
    looks = [path for path, methods in document["paths"].items() if "get" in methods]
    assert "/admin/teams/{team}" in looks
    for path in looks:
        answers = []
        for team, key_id in ((other, key["id"]), ("nobody", "key_0000000000000000")):
            there = path.replace("{key_id}", key_id)
            answers.append(viewer.http.get(re.sub(r"\{\w+\}", team, there)))
        ours, nobodys = answers
        assert ours.status_code in (200, 403, 404), path
        if "{" in path:
            assert ours.status_code != 200, path
            assert (ours.status_code, ours.content) == (nobodys.status_code, nobodys.content), path
        for word in (other, key["id"], key["hint"]):
            assert word not in ours.text, path


def test_an_operator_who_is_removed_is_one_no_longer(town: Town):
    operator_id, admin = town.operator("admin")
    admin.done("POST", "/teams", name=f"team-{next(_numbers)}")
    town.there.done("DELETE", f"/operators/{operator_id}", reason="gone")
    wait_until(lambda: admin.ask("GET", "/teams").status_code == 401, what="the key to be nobody's")
    assert town.here.refused("DELETE", f"/operators/{operator_id}")[:2] == (404, "not_found")
    same = {"name": "the-same", "role": "viewer"}
    town.here.done("POST", "/operators", **same)
    assert "operator the-same already" in town.here.refused("POST", "/operators", **same)[2]


def test_the_audit_tells_who_did_what_with_before_and_after_and_no_secret(town: Town):
    team = town.team(tier="V0")
    key = town.key(team)
    rotated = town.here.done("POST", f"/keys/{key['id']}/rotate")
    operator_id, admin = town.operator("admin")
    admin.done("PATCH", f"/teams/{team}", tier="V1", reason="more work")
    answer = town.there.ask("GET", "/audit?last=1000")
    entries = answer.json()["entries"]
    last = entries[-1]
    assert (last["action"], last["on"], last["reason"]) == ("teams.set", team, "more work")
    assert operator_id in last["who"]
    assert last["before"]["name"] == last["after"]["name"] == team
    assert last["after"]["tier"] == "V1"
    assert [e["action"] for e in entries if e["on"] == key["id"]] == ["keys.create", "keys.rotate"]
    for secret in (key["key"], rotated["key"], admin.http.headers["authorization"].split()[1]):
        assert secret not in answer.text
    assert "digest" not in answer.text
    assert len(town.here.done("GET", "/audit?last=2")["entries"]) == 2
    for bad in ("0", "1001", "x", "-1", ""):
        assert town.here.refused("GET", f"/audit?last={bad}")[3] == "last"


def test_no_list_has_a_secret(town: Town):
    key = town.key(town.team())
    made = town.here.done("POST", "/operators", name=f"o-{next(_numbers)}", role="viewer")
    for path in ("/keys", f"/keys/{key['id']}", "/operators", "/teams"):
        text = town.here.ask("GET", path).text
        for secret in (key["key"], made["key"], TEAM_KEY, OTHER_KEY, ADMIN_KEY):
            assert secret not in text
        assert "digest" not in text
    answer = town.here.ask("POST", "/keys", team="films")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"


def test_edits_at_the_same_time_are_all_kept_or_told(town: Town):
    team = town.team()

    def spoil(i: int) -> int:
        operator = town.here if i % 2 else town.there
        return operator.ask("PATCH", f"/teams/{team}", metadata={f"k{i}": "v"}).status_code

    with ThreadPoolExecutor(8) as operators:
        statuses = list(operators.map(spoil, range(16)))
    assert set(statuses) <= {200, 409}
    entries = town.here.done("GET", "/audit?last=100")["entries"]
    changes = [json.dumps(e["after"]) for e in entries if e["on"] == team]
    assert len(changes) == 1 + statuses.count(200)
