"""What is another team's does not exist: on every route that names a task, found by itself."""

from __future__ import annotations

import secrets

import httpx
import pytest

from gateway.dialects import DIALECTS
from gateway.dialects.contract import Operation, Route
from tests.harness import OTHER_KEY, TEAM_KEY, Caller, Processes, wait_until

# Whatever a dialect serves about a task, also what the reference does not list. A refusal of what
# none of our models can do asks for the key alone.
ROUTES = [
    route
    for dialect in DIALECTS
    for route in dialect.routes
    if "{task_id}" in route.path and route.operation is not Operation.REFUSE
]
# Of each answer but its own name and its time.
_OF_ITSELF = {"x-request-id", "date"}


@pytest.fixture(scope="module")
def callers(shared: Processes) -> tuple[Caller, Caller]:
    vendor = shared.simulator({"main": 5}, duration="0.2")
    gateway = shared.gateway(vendor, {"main": 5}, GATEWAY_POOL="isolation")
    return shared.caller(gateway, TEAM_KEY), shared.caller(gateway, OTHER_KEY)


@pytest.fixture(scope="module")
def theirs(callers: tuple[Caller, Caller]) -> str:
    """A video of the other team that is there to be had."""
    _, other = callers
    task = other.created()
    other.ended(task)
    wait_until(lambda: other.http.get(f"/v1/videos/{task}").json()["status"] == "completed")
    return task


def test_there_are_such_routes_in_every_dialect():
    assert {route.operation for route in ROUTES} >= {
        Operation.RETRIEVE,
        Operation.DELETE,
        Operation.CANCEL,
        Operation.CONTENT,
    }


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_anothers_task_and_none_are_the_same_to_the_byte(
    callers: tuple[Caller, Caller], theirs: str, route: Route
):
    team, other = callers

    def told(task_id: str) -> tuple[int, bytes, dict[str, str]]:
        answer: httpx.Response = team.http.request(
            route.method, route.path.replace("{task_id}", task_id)
        )
        headers = {k: v for k, v in answer.headers.items() if k not in _OF_ITSELF}
        return answer.status_code, answer.content, headers

    nobodys = f"task_{secrets.token_hex(16)}"
    assert told(theirs) == told(nobodys)
    assert told(theirs)[0] == 404
    assert other.http.get(f"/v1/videos/{theirs}").json()["status"] == "completed"


def test_a_list_shows_ones_own_alone(callers: tuple[Caller, Caller], theirs: str):
    team, other = callers
    own = team.created()
    assert [each["id"] for each in team.http.get("/v1/videos").json()["data"]] == [own]
    assert [each["id"] for each in other.http.get("/v1/videos").json()["data"]] == [theirs]
    after = team.http.get(f"/v1/videos?after={theirs}")
    none = team.http.get("/v1/videos?after=task_" + "0" * 32)
    assert (after.status_code, after.content) == (none.status_code, none.content)
