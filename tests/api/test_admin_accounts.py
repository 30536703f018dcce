"""Accounts changed over HTTP while gateways run: two on one store, one of them without a worker."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pytest

from tests.admin import Operator
from tests.harness import ADMIN_KEY, TEAM_KEY, Processes, Vendor, wait_until

LIMITS = {"main": 2}
EXTRA = {"name": "extra", "limit": 5, "api_keys": ["extra-key.one", "extra-key.two"]}
OTHER = {"name": "other", "limit": 5, "api_keys": [f"other-key.{i}" for i in range(9)]}


class Town:
    """A vendor with three accounts, of which the settings have one; two gateways, one operator at
    each, and a team."""

    def __init__(self, processes: Processes, stack: ExitStack) -> None:
        self.vendor = processes.simulator(LIMITS, accounts=[EXTRA, OTHER], duration="3600")
        running = [
            processes.gateway(self.vendor, LIMITS),
            processes.gateway(self.vendor, LIMITS, "serve", "--no-worker"),
        ]
        self.here, self.there = (stack.enter_context(closing(Operator(r))) for r in running)
        self.team, self.other_door = map(processes.caller, running)

    def extra(self, **said: Any) -> dict[str, Any]:
        """Make the account `extra` of what the vendor knows of it."""
        said = {"limit": 5, "api_keys": ["extra-key.one"]} | said
        return self.here.add("extra", base_url=self.vendor.base_url, **said)


@pytest.fixture(scope="module")
def _town(shared: Processes) -> Iterator[Town]:
    with ExitStack() as stack:
        yield Town(shared, stack)


@pytest.fixture
def town(_town: Town) -> Iterator[Town]:
    """The town, put back afterwards to the one account of the settings, with nothing running."""
    yield _town
    _town.vendor.no_faults()
    _town.vendor.change_account("extra", revoked_keys=[], arrears=False)

    def quiet() -> bool:
        _town.vendor.end_all()
        slots = _town.here.done("GET", "/slots")
        waits = sum(slots["queue"]["classes"].values())
        return not waits and not any(lane["tasks"] for lane in slots["accounts"])

    for name in _town.here.accounts():
        _town.here.done("POST", f"/accounts/{name}/resume")
    wait_until(quiet, what="all tasks to end")
    for name, account in _town.here.accounts().items():
        if account["source"] == "store":
            _town.here.done("DELETE", f"/accounts/{name}")


def in_flight(vendor: Vendor, account: str) -> int:
    return int(vendor.account(account)["in_flight"])


def test_nothing_opens_without_the_admin_key(town: Town):
    paths = [("GET", "/admin/accounts"), ("GET", "/admin/slots"), ("POST", "/admin/accounts")]
    paths += [("PATCH", "/admin/accounts/main"), ("DELETE", "/admin/accounts/main")]
    paths += [("POST", f"/admin/accounts/main/{word}") for word in ("pause", "test", "drain")]
    for method, path in [*paths, ("POST", "/admin/accounts/import")]:
        for headers in ({}, {"Authorization": f"Bearer {TEAM_KEY}"}):
            answer = httpx.request(method, f"{town.team.url}{path}", headers=headers)
            assert answer.status_code == 401, path
            assert answer.json()["error"]["code"] in ("missing_api_key", "invalid_api_key")


def test_a_port_of_its_own_wants_the_key_as_well(processes: Processes):
    running = processes.gateway(None, LIMITS, GATEWAY_ADMIN_PORT="0")
    line = running.process.stdout.readline()
    url = line.split()[-1]
    assert line.startswith("admin plane listening on ")
    assert httpx.get(f"{url}/metrics").status_code == 200
    assert httpx.get(f"{url}/admin/accounts").status_code == 401
    key = {"Authorization": f"Bearer {ADMIN_KEY}"}
    assert httpx.get(f"{url}/admin/accounts", headers=key).status_code == 200
    assert httpx.get(f"{url}/admin/docs").status_code == 200
    assert httpx.get(f"{running.url}/admin/accounts", headers=key).status_code == 404


def test_an_account_that_is_made_takes_tasks_at_once_wherever_they_come_in(town: Town):
    made = town.extra(weight=100, reason="more room")
    assert made["source"] == "store"
    assert (made["state"], made["limit"], made["way_back"]) == ("active", 5, None)
    assert [key["hint"] for key in made["keys"]] == ["..."]
    assert "extra-key" not in str(made)
    for caller in (town.team, town.other_door):
        caller.created()
    assert in_flight(town.vendor, "extra") == 2
    (lane,) = town.there.account("extra")["models"]
    assert (lane["in_flight"], lane["limit"], lane["effective_limit"]) == (2, 5, 5)
    audit = town.here.account("extra")
    assert audit["shadowed"] is False


def test_an_edit_at_one_gateway_is_seen_by_the_other(town: Town):
    town.extra()
    town.there.done("PATCH", "/accounts/extra", tier="V2")
    wait_until(lambda: town.here.account("extra")["tier"] == "V2", what="word of the edit")
    assert town.here.lane("extra")["limit"] == 15
    changed = town.here.done("PATCH", "/accounts/extra", limit=1, weight=3, base_url=None)
    assert (changed["tier"], changed["limit"], changed["weight"]) == (None, 1, 3.0)
    assert changed["base_url"] == "https://open.bigmodel.cn/api/paas/v4"
    back = town.here.done("PATCH", "/accounts/extra", weight=None, limits={"cogvideox-3": 4})
    assert (back["weight"], back["models"][0]["limit"]) == (1.0, 4)


def test_keys_come_and_go_by_their_ids(town: Town):
    (first,) = town.extra()["keys"]
    both = town.here.done("PATCH", "/accounts/extra", add_keys=["extra-key.two"])["keys"]
    assert len(both) == 2
    (left,) = town.here.done("PATCH", "/accounts/extra", remove_keys=[first["id"]])["keys"]
    assert left["id"] != first["id"]
    town.here.done("PATCH", "/accounts/extra", api_keys=["extra-key.one"])
    assert town.here.account("extra")["keys"] == [first]
    status, code, message, param = town.here.refused(
        "PATCH", "/accounts/extra", remove_keys=["000000000000"]
    )
    assert (status, code, param) == (400, "invalid_field", "remove_keys")
    assert first["id"] in message


@pytest.mark.parametrize(
    ("said", "param", "words"),
    [
        ({"tier": "V9"}, "tier", "only V0, V1, V2, V3"),
        ({"tier": "V0", "limit": 1}, "tier", 'either "tier" or "limit"'),
        ({"limits": {"cogvidoex-3": 1}}, "limits.cogvidoex-3", "cogvideox-3"),
        ({"models": ["cogvidoex-3"]}, "models.cogvidoex-3", "cogvideox-3"),
        ({"wieght": 2}, "wieght", "did you mean weight?"),
        ({"provider": "geekai"}, "provider", "cannot be changed"),
        ({"base_url": "bigmodel.cn"}, "base_url", "https://"),
        ({"api_keys": []}, "api_keys", "at least 1"),
        ({"api_keys": ["a b"]}, "api_keys", "printable"),
        ({"api_keys": ["k"], "add_keys": ["l"]}, "api_keys", "either"),
        ({"add_keys": "k"}, "add_keys", "list"),
        ({"weight": 0}, "weight", "greater than"),
        ({"reason": 5}, "reason", "text"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(
    town: Town, said: dict[str, Any], param: str, words: str
):
    before = town.extra()
    status, code, message, field = town.here.refused("PATCH", "/accounts/extra", **said)
    assert (status, code, field) == (400, "invalid_field", param)
    assert words in message
    assert town.here.account("extra") == before


def test_what_does_not_fit_what_there_is_is_a_conflict_that_says_what_to_do(town: Town):
    town.extra()
    same = {"base_url": town.vendor.base_url, "limit": 1}
    conflicts = {
        "there is an account extra already": ("POST", "/accounts", {"name": "extra"}),
        "there is an account main already": ("POST", "/accounts", {"name": "main"}),
        "is in the settings: change it there (GATEWAY_ACCOUNTS": ("PATCH", "/accounts/main", {}),
        "account main is in the settings": ("DELETE", "/accounts/main", {}),
        "a key of account main already": (
            *("POST", "/accounts"),
            {"name": "new", "api_keys": ["main-key.two"]},
        ),
        "a key of account extra already": (
            *("POST", "/accounts"),
            {"name": "new", "api_keys": ["new-key", "extra-key.one"]},
        ),
    }
    for words, (method, path, said) in conflicts.items():
        body = same | {"api_keys": ["new-key"]} | said if method == "POST" else said
        status, code, message, _ = town.here.refused(method, path, **body)
        assert (status, code) == (409, "conflict"), message
        assert words in message
        assert "-key" not in message
    assert town.here.refused("PATCH", "/accounts/nobody", limit=1)[:2] == (404, "not_found")
    assert town.here.refused("POST", "/accounts/nobody/pause")[:2] == (404, "not_found")
    assert town.here.refused("POST", "/accounts/nobody/test")[:2] == (404, "not_found")


def test_edits_at_the_same_time_are_all_kept_or_told(town: Town):
    """Each adds its own key: whoever was overtaken is told so, and no key that was confirmed is
    lost."""
    town.extra()
    with ThreadPoolExecutor(8) as operators:
        statuses = list(
            operators.map(
                lambda i: (
                    (town.here if i % 2 else town.there)
                    .ask("PATCH", "/accounts/extra", add_keys=[f"at-once-key.{i}"])
                    .status_code
                ),
                range(16),
            )
        )
    assert set(statuses) <= {200, 409}
    assert len(town.here.account("extra")["keys"]) == 1 + statuses.count(200)


def test_a_pause_is_told_with_its_reason_and_its_way_back(town: Town):
    town.extra()
    paused = town.here.done("POST", "/accounts/extra/pause", reason="an alert at the vendor")
    assert (paused["state"], paused["reason"]) == ("paused", "an alert at the vendor")
    assert paused["since"].endswith("Z")
    assert paused["until"] is None
    assert "gateway accounts resume extra" in paused["way_back"]
    for _ in range(3):
        town.team.created()
    assert in_flight(town.vendor, "extra") == 0
    assert town.here.lane("extra")["queued"] == 1
    assert town.there.done("POST", "/accounts/extra/resume")["state"] == "active"
    wait_until(lambda: in_flight(town.vendor, "extra") == 1, what="what waited to go on")


def test_an_account_is_drained_and_then_removed(town: Town):
    town.extra(weight=100)
    task = town.team.created()
    assert in_flight(town.vendor, "extra") == 1
    status, code, message, _ = town.here.refused("DELETE", "/accounts/extra")
    assert (status, code) == (409, "conflict")
    assert "tasks hold 1 of its slots: drain it first" in message
    draining = town.here.done("POST", "/accounts/extra/drain")
    assert draining["state"] == "draining"
    assert "1 still run on it" in draining["way_back"]
    town.team.created()
    assert in_flight(town.vendor, "extra") == 1
    town.vendor.end_all()
    assert town.team.ended(task)["task_status"] == "SUCCESS"
    drained = wait_until(
        lambda: (a := town.there.account("extra"))["state"] == "drained" and a, what="drained"
    )
    assert "gateway accounts remove extra" in drained["way_back"]
    assert town.here.done("DELETE", "/accounts/extra?reason=sold") == {
        "name": "extra",
        "removed": True,
    }
    wait_until(lambda: "extra" not in town.there.accounts(), what="word of it")


def test_a_test_tells_a_good_key_from_a_revoked_one(town: Town):
    town.extra(api_keys=["extra-key.one", "extra-key.two"])
    assert town.here.done("POST", "/accounts/extra/test")["works"] is True
    town.vendor.change_account("extra", revoked_keys=["extra-key.two"])
    submits = town.vendor.total()["submits"]
    tested = town.here.done("POST", "/accounts/extra/test")
    assert tested["works"] is False
    assert [key["result"].partition(":")[0] for key in tested["keys"]] == ["works", "refused"]
    assert "1002" in tested["keys"][1]["result"]
    assert town.vendor.total()["submits"] == submits


def test_a_vendor_that_is_not_reached_says_nothing_of_a_key(town: Town):
    town.extra()
    town.here.done("PATCH", "/accounts/extra", base_url="http://127.0.0.1:9/v4")
    (key,) = town.here.done("POST", "/accounts/extra/test")["keys"]
    assert key["result"] == "cannot tell: ConnectError"


def test_an_import_makes_an_account_of_each_line(town: Town):
    lines = "\ufeff# bought today\n\nother-key.1\nfilms,other-key.2\n  other-key.3\nother-key.1\n"
    form = {"limit": 1, "base_url": town.vendor.base_url}
    answer = town.here.ask("POST", "/accounts/import", lines=lines, **form)
    assert answer.status_code == 201
    assert answer.json() == {
        "made": [
            {"account": "account-1", "keys": 1},
            {"account": "films", "keys": 1},
            {"account": "account-2", "keys": 1},
        ],
        "added": [],
        "skipped": [{"line": 6, "account": None}],
    }
    # Again, with one line more: what is there is skipped, and the numbers go on.
    more = town.here.done("POST", "/accounts/import", lines=f"{lines}other-key.4", **form)
    assert more["made"] == [{"account": "account-3", "keys": 1}]
    assert [skip["line"] for skip in more["skipped"]] == [3, 4, 5, 6]
    town.team.created()
    assert sum(in_flight(town.vendor, name) for name in ("main", "other")) == 1


def test_an_import_may_go_into_one_account(town: Town):
    form = {"limit": 2, "base_url": town.vendor.base_url}
    lines = "other-key.1\nother-key.2\nmain-key.one"
    made = town.here.done("POST", "/accounts/import", lines=lines, into="other", **form)
    assert made["made"] == [{"account": "other", "keys": 2}]
    assert made["skipped"] == [{"line": 3, "account": "main"}]
    added = town.here.done("POST", "/accounts/import", lines="other-key.3", into="other")
    assert added["added"] == [{"account": "other", "keys": 1}]
    assert len(town.here.account("other")["keys"]) == 3
    refused = town.here.refused(
        "POST", "/accounts/import", lines="other-key.4", into="other", limit=3
    )
    assert refused[:2] == (400, "invalid_field")


def test_one_bad_line_and_nothing_is_imported(town: Town):
    lines = "other-key.1\nfilms other key\nfilms; other-key.2\nmain other-key.3\nschlüssel\n"
    lines += f"{'k' * 49} films\n"
    status, code, message, param = town.here.refused(
        "POST", "/accounts/import", lines=lines, limit=1
    )
    assert (status, code, param) == (400, "invalid_field", "lines")
    for number, cause in (
        (2, "more than"),
        (3, "the name"),
        (4, "already"),
        (5, "printable"),
        (6, "come first"),
    ):
        assert f"line {number}: " in message
        assert cause in message
    assert "line 1" not in message
    assert "other" not in message
    assert "kkk" not in message
    assert list(town.here.accounts()) == ["main"]


def test_a_cause_is_told_with_when_it_is_tried_again(processes: Processes):
    vendor = processes.simulator(LIMITS, duration="3600")
    rests = {"GATEWAY_ACCOUNT_REST_SECONDS": 600, "GATEWAY_KEY_REST_SECONDS": 600}
    running = processes.gateway(vendor, LIMITS, **rests)
    team, operator = processes.caller(running), Operator(running)
    vendor.change_account("main", arrears=True)
    team.created()
    told = wait_until(
        lambda: (a := operator.account("main"))["state"] == "resting" and a, what="the rest"
    )
    assert told["reason"].startswith("1113")
    assert told["last_error"]["reason"] == told["reason"]
    assert told["since"] < told["until"]
    assert "gateway accounts resume main" in told["way_back"]
    (line,) = [line for line in running.log_text().splitlines() if " ERROR " in line]
    assert "account main is left alone" in line
    assert "gateway accounts resume main" in line
    metrics = operator.http.get("/metrics").text
    assert 'gateway_account_state{account="main",state="resting"} 1.0' in metrics
    assert 'gateway_account_state{account="main",state="active"} 0.0' in metrics
    assert 'gateway_slots_effective_limit{account="main",model="cogvideox-3"} 2.0' in metrics
    # Paid; nobody waits for ten minutes.
    keys = ["main-key.one", "main-key.two"]
    vendor.change_account("main", arrears=False, revoked_keys=keys)
    operator.done("POST", "/accounts/main/resume")
    told = wait_until(
        lambda: (a := operator.account("main"))["state"] == "no_working_key" and a, what="no key"
    )
    assert {key["state"] for key in told["keys"]} == {"resting"}
    vendor.change_account("main", revoked_keys=[])
    operator.done("POST", "/accounts/main/resume")
    wait_until(lambda: in_flight(vendor, "main") == 1, what="the task to go on")
    assert operator.account("main")["state"] == "active"
    operator.close()


def test_the_slots_are_told_with_their_tasks_and_the_queue(town: Town):
    tasks = [town.team.created() for _ in range(3)]
    told = town.there.done("GET", "/slots")
    (lane,) = told["accounts"]
    assert (lane["account"], lane["limit"], lane["in_flight"], lane["free"]) == ("main", 2, 2, 0)
    assert [task["id"] for task in lane["tasks"]] == tasks[:2]
    assert {(task["team"], task["status"]) for task in lane["tasks"]} == {("films", "in_progress")}
    assert told["queue"] == {"classes": {"cogvideox-3@bigmodel": 1}, "teams": {"films": 1}}


def test_the_reference_lists_every_path_of_the_plane(town: Town):
    document = httpx.get(f"{town.team.url}/admin/openapi.json").json()
    of_bills = "/admin/usage"  # told of with what they are
    assert sorted(path for path in document["paths"] if not path.startswith(of_bills)) == [
        "/admin/accounts",
        "/admin/accounts/import",
        "/admin/accounts/{name}",
        *(f"/admin/accounts/{{name}}/{word}" for word in ("drain", "pause", "resume", "test")),
        "/admin/audit",
        "/admin/events",
        "/admin/keys",
        "/admin/keys/{key_id}",
        *(f"/admin/keys/{{key_id}}/{word}" for word in ("block", "rotate", "unblock")),
        "/admin/operators",
        "/admin/operators/{operator_id}",
        "/admin/overview",
        "/admin/playground",
        "/admin/prices",
        "/admin/prices/{price_id}",
        "/admin/session",
        "/admin/slots",
        "/admin/tasks",
        "/admin/tasks/{task_id}",
        *(f"/admin/tasks/{{task_id}}/{word}" for word in ("cancel", "content", "release")),
        "/admin/teams",
        "/admin/teams/{team}",
        *(f"/admin/teams/{{team}}/{word}" for word in ("block", "unblock")),
    ]
    page = httpx.get(f"{town.team.url}/admin/docs").text
    assert "/admin/openapi.json" in page
    assert httpx.get(f"{town.team.url}/admin/docs/static/swagger-ui.css").status_code == 200
    assert "/admin/accounts" not in httpx.get(f"{town.team.url}/openapi.json").json()["paths"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"secret"', b"\xff", b'{"limit": NaN}'])
def test_a_body_that_is_none_is_refused(town: Town, body: bytes):
    answer = town.here.http.post("/admin/accounts", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "malformed_body"
    assert "secret" not in answer.text


def test_what_was_learned_of_durations_is_told(processes: Processes):
    vendor = processes.simulator({"main": 5}, duration="0.2-0.4")
    running = processes.gateway(vendor, {"main": 5})
    team = processes.caller(running)
    with closing(Operator(running)) as operator:
        assert operator.lane("main")["durations"] is None
        for task_id in [team.created() for _ in range(10)]:
            team.ended(task_id)
        learned = wait_until(lambda: operator.lane("main")["durations"])
    # Of those that ended together not all are kept.
    assert 8 <= learned["ends"] <= 10
    assert learned["shortest_seconds"] <= learned["typical_seconds"] <= learned["longest_seconds"]
