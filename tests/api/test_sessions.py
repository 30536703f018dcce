"""Browsers that sign in to the admin plane, at two gateways on one store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pytest
import redis

from gateway.store.embedded import EmbeddedStore
from tests.admin import Operator
from tests.harness import ADMIN_KEY, TEAM_KEY, Processes, Running, wait_until

LIMITS = {"main": 1}
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


class Town:
    """Two gateways, and an operator with the admin key."""

    def __init__(self, processes: Processes, stack: ExitStack) -> None:
        self.stack = stack
        self.running = [processes.gateway(None, LIMITS) for _ in range(2)]
        self.root = stack.enter_context(closing(Operator(self.running[0])))

    def browser(self, door: int = 0) -> httpx.Client:
        return self.stack.enter_context(closing(browser(self.running[door])))


def browser(running: Running) -> httpx.Client:
    return httpx.Client(base_url=f"{running.url}/admin", timeout=30)


def signed_in(one: httpx.Client, key: str = ADMIN_KEY, **headers: str) -> httpx.Response:
    answer = one.post("/session", json={"key": key}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.fixture(scope="module")
def town(shared: Processes) -> Iterator[Town]:
    with ExitStack() as stack:
        yield Town(shared, stack)


def made(town: Town, **said: Any) -> dict[str, Any]:
    return town.root.done("POST", "/operators", **said)


def test_a_browser_signs_in_is_known_everywhere_and_signs_out(town: Town):
    one = town.browser()
    answer = signed_in(one)
    assert answer.json() == {
        "id": "admin key",
        "name": "admin key",
        "role": "admin",
        "team": None,
    }
    cookie = answer.headers["set-cookie"]
    for part in ("gateway_session=", "HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"):
        assert part in cookie
    assert "Secure" not in cookie
    elsewhere = town.browser(1)
    elsewhere.cookies = one.cookies
    assert elsewhere.get("/session").json()["role"] == "admin"
    assert elsewhere.get("/teams").status_code == 200
    assert one.delete("/session", headers=OWN_PAGE).json() == {"signed_out": True}
    assert "gateway_session" not in one.cookies
    assert elsewhere.get("/session").status_code == 401


def test_whoever_signs_in_again_leaves_no_session_behind(town: Town):
    one, copied = town.browser(), town.browser()
    signed_in(one)
    copied.cookies = httpx.Cookies(one.cookies)
    assert copied.get("/session").status_code == 200
    signed_in(one)
    assert one.get("/session").status_code == 200
    assert copied.get("/session").status_code == 401


def test_behind_https_the_cookie_goes_nowhere_else(town: Town):
    answer = signed_in(town.browser(), **{"X-Forwarded-Proto": "https"})
    assert "Secure" in answer.headers["set-cookie"]


def test_a_wrong_key_is_refused_whatever_is_wrong_about_it(town: Town):
    good = made(town, name="gone", role="admin")
    town.root.done("DELETE", f"/operators/{good['id']}")
    answers = [
        town.browser().post("/session", json={"key": key})
        for key in ("", "x", TEAM_KEY, ADMIN_KEY[:-1], good["key"], "schlüssel")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert not any("set-cookie" in answer.headers for answer in answers)
    # And nobody is kept out for it.
    signed_in(town.browser())


@pytest.mark.parametrize("body", [{}, {"key": 5}, {"key": None}])
def test_a_body_without_a_key_is_named(town: Town, body: dict[str, Any]):
    error = town.browser().post("/session", json=body).json()["error"]
    assert (error["code"], error["param"]) == ("missing_field", "key")


def test_with_a_session_only_our_own_pages_change_anything(town: Town):
    one = town.browser()
    signed_in(one)
    host = one.base_url.netloc.decode()
    for headers in (
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": f"http://{host}.elsewhere.example"},
    ):
        for method, path in (("POST", "/teams"), ("DELETE", "/session"), ("PATCH", "/teams/films")):
            answer = one.request(method, path, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_allowed")
    for headers in (OWN_PAGE, {"Sec-Fetch-Site": "none"}, {"Origin": f"http://{host}"}):
        answer = one.patch("/teams/films", headers=headers)
        assert answer.status_code == 409  # it is of the settings, which is another matter
    # A look changes nothing, and whoever shows the key itself is no page.
    assert one.get("/teams", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    key = {"Authorization": f"Bearer {ADMIN_KEY}"}
    assert one.patch("/teams/films", headers=key).status_code == 409


def test_no_foreign_page_signs_a_browser_in(town: Town):
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}):
        answer = town.browser().post("/session", json={"key": ADMIN_KEY}, headers=headers)
        assert answer.status_code == 403


def test_a_viewer_who_signed_in_only_looks_and_may_sign_out(town: Town):
    one = town.browser()
    viewer = made(town, name="films-lead", role="viewer", team="films")
    assert signed_in(one, viewer["key"]).json() == {
        "id": viewer["id"],
        "name": "films-lead",
        "role": "viewer",
        "team": "films",
    }
    assert [team["name"] for team in one.get("/teams").json()["teams"]] == ["films"]
    assert one.get("/accounts").status_code == 403
    assert one.post("/teams", json={"name": "x"}, headers=OWN_PAGE).status_code == 403
    assert one.delete("/session", headers=OWN_PAGE).status_code == 200


def test_a_session_ends_with_its_operator(town: Town):
    admin = made(town, name="passing", role="admin")
    one = town.browser(1)
    signed_in(one, admin["key"])
    town.root.done("DELETE", f"/operators/{admin['id']}")
    wait_until(lambda: one.get("/session").status_code == 401, what="the session to end")
    assert one.get("/teams").json()["error"]["code"] == "invalid_api_key"


def test_a_session_of_the_admin_key_ends_when_that_is_changed(processes: Processes):
    first = processes.gateway(None, LIMITS)
    second = processes.gateway(None, LIMITS, GATEWAY_ADMIN_KEY=f"{ADMIN_KEY}-the-next")
    with closing(browser(first)) as one, closing(browser(second)) as other:
        signed_in(one)
        other.cookies = one.cookies
        assert one.get("/session").status_code == 200
        assert other.get("/session").status_code == 401


def test_the_store_keeps_no_secret_of_a_session_and_forgets_it_by_itself(
    town: Town, store_url: str
):
    one = town.browser()
    signed_in(one)
    with redis.Redis.from_url(store_url, decode_responses=True) as client:
        names = list(client.scan_iter(match="*:session:*"))
        assert names
        for name in names:
            assert one.cookies["gateway_session"] not in name
            assert 0 < client.pttl(name) <= 12 * 3600 * 1000


def test_without_the_store_nobody_knows_a_session(processes: Processes, tmp_path_factory: Any):
    with EmbeddedStore(tmp_path_factory.mktemp("store")) as own:
        running = processes.gateway(None, LIMITS, GATEWAY_REDIS_URL=own.url)
        one = browser(running)
        signed_in(one)
    with closing(one):
        answer = one.get("/session")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
        key = {"Authorization": f"Bearer {ADMIN_KEY}"}
        assert one.get("/session", headers=key).status_code == 200
