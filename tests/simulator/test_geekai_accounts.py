"""Keys, limits and figures of accounts at geekai, beside those at bigmodel."""

import pytest

from .conftest import API, GEEKAI, MODEL, Driver, GeekaiDriver, bearer, code_of


def test_a_key_is_unknown_on_the_other_vendors_paths(geekai: GeekaiDriver) -> None:
    bigmodel = Driver(geekai.http)
    for response, code in (
        (geekai.submit("one-a"), "401"),
        (geekai.look("1", "one-a"), "401"),
        (bigmodel.submit("gee-a"), "1002"),
        (bigmodel.look("1", "gee-a"), "1002"),
    ):
        assert (response.status_code, code_of(response)) == (401, code)
        assert "unknown key" in response.text
    assert geekai.total()["refused"] == geekai.total()["looks_refused"] == {"401": 1, "1002": 1}


@pytest.mark.parametrize("authorization", [None, "Basic b25lOmE=", "Bearer $GEEKAI_API_KEY"])
def test_a_request_needs_a_known_key(geekai: GeekaiDriver, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    response = geekai.http.post(f"{GEEKAI}/videos/generations", json={}, headers=headers)
    assert (response.status_code, code_of(response)) == (401, "401")


def test_a_task_is_unknown_on_the_other_vendors_paths(geekai: GeekaiDriver) -> None:
    bigmodel = Driver(geekai.http)
    ours, theirs = geekai.accepted(), bigmodel.accepted()
    assert geekai.look(theirs).status_code == bigmodel.look(ours).status_code == 404
    assert geekai.total()["looks"] == 0


def test_strict_keys_hide_the_tasks_of_other_accounts(geekai: GeekaiDriver) -> None:
    geekai.control("PUT", "accounts/other", vendor="geekai", limit=1, api_keys=["other-a"])
    task = geekai.accepted()
    assert geekai.look(task, "other-a").status_code == 200
    geekai.settings(strict_keys=True)
    assert geekai.look(task, "other-a").status_code == 404
    assert geekai.lane("gee")["looks_with_foreign_key"] == 2


def test_the_limit_counts_tasks_in_flight(geekai: GeekaiDriver) -> None:
    geekai.account("gee", limit=2)
    first, _ = geekai.accepted(), geekai.accepted()
    response = geekai.submit()
    assert (response.status_code, code_of(response)) == (429, "429")
    assert not [name for name in response.headers if name.startswith(("retry", "x-ratelimit"))]
    lane = geekai.lane("gee")
    assert (lane["refused_over_limit"], lane["refused"]) == (1, {"429": 1})
    geekai.end(ids=[first])
    geekai.accepted()
    Driver(geekai.http).accepted()


def test_an_account_in_arrears_and_a_revoked_key_are_refused(geekai: GeekaiDriver) -> None:
    task = geekai.accepted()
    geekai.account("gee", arrears=True)
    response = geekai.submit()
    assert (response.status_code, code_of(response)) == (402, "402")
    assert geekai.status(task) == "running"
    geekai.account("gee", revoked_keys=["gee-a"])
    assert geekai.look(task).status_code == 401


def test_tasks_are_listed_with_their_vendor_and_never_as_duplicates(geekai: GeekaiDriver) -> None:
    geekai.accepted()
    geekai.accepted()
    Driver(geekai.http).accepted(request_id="task-1")
    listed = [(task["vendor"], task["request_id"]) for task in geekai.tasks()]
    assert listed == [("geekai", None), ("geekai", None), ("bigmodel", "task-1")]
    assert geekai.tasks()[0]["body"] == {"model": MODEL, "prompt": "a cat", "async": True}
    narrowed = geekai.http.get("/simulator/tasks?request_id=task").json()
    assert [task["vendor"] for task in narrowed] == ["bigmodel"]
    assert geekai.total()["duplicates"] == 0


def test_requests_are_counted_by_path(geekai: GeekaiDriver) -> None:
    task = geekai.accepted()
    geekai.look(task)
    geekai.http.get(f"{GEEKAI}/video/{task}/result", headers=bearer("gee-a"))
    Driver(geekai.http).submit()
    requests = geekai.stats()["requests"]
    requests.pop("/simulator")
    assert requests == {
        f"{GEEKAI}/videos/generations": 1,
        f"{GEEKAI}/videos": 1,
        f"{GEEKAI}/video": 1,
        f"{API}/videos/generations": 1,
    }
