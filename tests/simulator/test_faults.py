"""Every fault as a client sees it, and what the vendor accepted all the same."""

import asyncio
from typing import Any

import httpx
import pytest

from .conftest import API, MODEL, Driver, bearer, code_of, running, wait_until

AN_HOUR = 3600


def gives_up(simulator: Driver) -> None:
    """A client that waits a moment for its submit and then hangs up."""
    with pytest.raises(httpx.ReadTimeout):
        simulator.http.post(
            f"{API}/videos/generations",
            json={"model": MODEL, "prompt": "a cat"},
            headers=bearer("one-a"),
            timeout=0.05,
        )


def test_error_refuses_with_any_status_code_and_message(simulator: Driver) -> None:
    simulator.fault(on="submit", kind="error", status=434, code="1220", message="no")
    response = simulator.submit()
    assert response.status_code == 434
    assert response.json() == {"error": {"code": "1220", "message": "no"}}
    assert simulator.total()["refused"] == {"1220": 1}
    assert simulator.total()["accepted"] == 0


def test_error_knows_the_status_of_documented_codes(simulator: Driver) -> None:
    simulator.fault(on="submit", kind="error", code="1305", times=1)
    simulator.fault(on="submit", kind="error", times=1)
    assert [simulator.submit().status_code for _ in range(2)] == [429, 500]


def test_error_can_be_flat_or_the_page_of_a_proxy(simulator: Driver) -> None:
    simulator.fault(on="submit", kind="error", code="1214", envelope="flat", times=1)
    simulator.fault(on="submit", kind="error", status=502, envelope="html", times=1)
    assert simulator.submit().json()["code"] == 1214
    page = simulator.submit()
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html")


def test_redirect_leads_away_and_accepts_nothing(simulator: Driver) -> None:
    simulator.fault(on="submit", kind="redirect", location="http://elsewhere.invalid/")
    response = simulator.submit()
    assert (response.status_code, response.headers["location"]) == (
        307,
        "http://elsewhere.invalid/",
    )
    assert simulator.total()["accepted"] == 0


@pytest.mark.parametrize(
    ("rule", "accepted"),
    [
        ({"kind": "cut"}, 0),
        ({"kind": "hang", "seconds": 0}, 0),
        ({"kind": "hang", "seconds": 0.01}, 0),
        ({"kind": "accept_then_cut"}, 1),
        ({"kind": "accept_then_hang", "seconds": 0.01}, 1),
        ({"kind": "truncated"}, 0),
        ({"kind": "truncated", "accepted": True}, 1),
    ],
)
def test_a_cut_connection_does_not_tell_whether_the_task_was_accepted(
    simulator: Driver, rule: dict[str, Any], accepted: int
) -> None:
    simulator.fault(on="submit", **rule)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        simulator.submit()
    assert simulator.total()["accepted"] == accepted


@pytest.mark.parametrize(
    ("kind", "accepted"), [("hang", 0), ("accept_then_hang", 1), ("delay", 0), ("late_accept", 0)]
)
def test_a_client_that_gives_up_on_a_silent_vendor(
    simulator: Driver, kind: str, accepted: int
) -> None:
    simulator.fault(on="submit", kind=kind, seconds=AN_HOUR)
    gives_up(simulator)
    total = simulator.total()
    assert (total["submits"], total["accepted"]) == (1, accepted)


def test_late_accept_starts_the_task_after_the_client_has_left(simulator: Driver) -> None:
    simulator.fault(on="submit", kind="late_accept", seconds=0.3)
    gives_up(simulator)
    wait_until(lambda: simulator.total()["accepted"] == 1)
    assert len(simulator.tasks()) == 1


def test_late_accept_answers_a_client_that_has_waited(simulator: Driver) -> None:
    simulator.fault(on="submit", kind="late_accept", seconds=0.01)
    assert simulator.status(simulator.accepted()) == "PROCESSING"


def test_late_accept_finds_the_limit_of_that_moment(simulator: Driver) -> None:
    simulator.account("one", limit=0)
    simulator.fault(on="submit", kind="late_accept", seconds=0.01)
    assert code_of(simulator.submit()) == "1302"


def test_a_reset_forgets_a_late_accept_that_is_still_to_come(simulator: Driver) -> None:
    simulator.fault(on="submit", kind="late_accept", seconds=0.2)
    gives_up(simulator)
    simulator.control("POST", "reset")
    # A fault that waits longer than the first one had left tells when that one is over.
    simulator.fault(on="submit", kind="late_accept", seconds=0.3)
    simulator.accepted(request_id="task-1")
    assert [task["request_id"] for task in simulator.tasks()] == ["task-1"]


def test_delay_answers_as_usual_in_the_end(simulator: Driver) -> None:
    simulator.fault(on="submit", kind="delay", seconds=0.01)
    simulator.fault(on="look", kind="delay", seconds=0.01)
    assert simulator.status(simulator.accepted()) == "PROCESSING"


def test_accept_then_error_hides_an_accepted_task_behind_an_error(simulator: Driver) -> None:
    simulator.fault(on="submit", kind="accept_then_error")
    response = simulator.submit()
    assert (response.status_code, code_of(response)) == (500, "500")
    assert simulator.total()["accepted"] == 1
    assert simulator.total()["refused"] == {}


@pytest.mark.parametrize("accepted", [False, True])
def test_garbage_is_a_page_with_status_200(simulator: Driver, accepted: bool) -> None:
    simulator.fault(on="submit", kind="garbage", accepted=accepted)
    response = simulator.submit()
    assert response.status_code == 200
    assert response.text.startswith("<html>")
    assert simulator.total()["accepted"] == accepted


def test_drip_sends_a_right_answer_in_many_pieces(simulator: Driver) -> None:
    simulator.fault(on="submit", kind="drip", seconds=0.1)
    with simulator.http.stream(
        "POST",
        f"{API}/videos/generations",
        json={"model": MODEL, "prompt": "a cat"},
        headers=bearer("one-a"),
    ) as response:
        pieces = list(response.iter_raw())
    assert len(pieces) > 3
    assert b"PROCESSING" in b"".join(pieces)
    assert simulator.total()["accepted"] == 1


@pytest.mark.parametrize("accepted", [False, True])
def test_huge_is_valid_json_and_very_long(simulator: Driver, accepted: bool) -> None:
    simulator.fault(on="submit", kind="huge", megabytes=3, accepted=accepted)
    response = simulator.submit()
    assert len(response.content) > 3 * 1024 * 1024
    assert ("id" in response.json()) == accepted
    assert simulator.total()["accepted"] == accepted


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ("status_only", {}),
        ("error_object", {"error": {"code": "1301", "message": "unsafe"}}),
        ("error_text", {"error": "unsafe"}),
        ("message", {"message": "unsafe"}),
    ],
)
def test_task_fails_ends_the_task_in_fail_with_the_reason_in_one_of_four_shapes(
    simulator: Driver, shape: str, reason: dict[str, Any]
) -> None:
    simulator.fault(on="submit", kind="task_fails", shape=shape, code="1301", message="unsafe")
    task = simulator.accepted(request_id="task-1")
    assert simulator.status(task) == "PROCESSING"
    simulator.end()
    response = simulator.look(task)
    assert response.status_code == 200
    assert response.json() == {
        "model": MODEL,
        "request_id": "task-1",
        "task_status": "FAIL",
        **reason,
    }
    assert simulator.lane("one")["failed"] == 1


def test_task_takes_sets_how_long_a_task_runs(simulator: Driver) -> None:
    simulator.account("one", duration=0)
    simulator.fault(on="submit", kind="task_takes", seconds=3600, prompt_contains="long")
    long, short = simulator.accepted(prompt="a long one"), simulator.accepted()
    assert simulator.status(short) == "SUCCESS"
    assert simulator.status(long) == "PROCESSING"
    made = simulator.control("GET", f"tasks/{long}")
    assert round(made["ends_at"] - made["accepted_at"]) == 3600


def test_unknown_status_is_a_word_that_nobody_documented(simulator: Driver) -> None:
    task = simulator.accepted()
    simulator.end()
    simulator.fault(on="look", kind="unknown_status", status="QUEUEING", times=1)
    assert simulator.status(task) == "QUEUEING"
    assert simulator.total()["ended_unseen"] == 1
    assert simulator.status(task) == "SUCCESS"


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "error", "code": "1302"},
        {"kind": "garbage"},
        {"kind": "huge", "megabytes": 1},
        {"kind": "redirect"},
    ],
)
def test_a_spoilt_look_does_not_tell_the_end(simulator: Driver, rule: dict[str, Any]) -> None:
    task = simulator.accepted()
    simulator.end()
    simulator.fault(on="look", times=1, **rule)
    assert "SUCCESS" not in simulator.look(task).text
    assert simulator.total()["ended_unseen"] == 1
    assert simulator.status(task) == "SUCCESS"
    assert simulator.total()["ended_unseen"] == 0


@pytest.mark.parametrize("kind", ["cut", "truncated"])
def test_a_look_can_be_cut(simulator: Driver, kind: str) -> None:
    task = simulator.accepted()
    simulator.fault(on="look", kind=kind, times=1)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        simulator.look(task)
    assert simulator.status(task) == "PROCESSING"
    assert simulator.total()["looks"] == 2


def test_a_rule_hits_only_the_account_and_the_prompts_that_it_names(simulator: Driver) -> None:
    simulator.fault(on="submit", kind="error", account="two", prompt_contains="dog")
    assert simulator.submit("one-a", prompt="a dog").status_code == 200
    assert simulator.submit("two-a", prompt="a cat").status_code == 200
    assert simulator.submit("two-a", prompt="a dog").status_code == 500


def test_a_rule_on_looks_goes_by_the_task(simulator: Driver) -> None:
    cat, dog = simulator.accepted(prompt="a cat"), simulator.accepted(prompt="a dog")
    simulator.fault(on="look", kind="error", account="one", prompt_contains="dog")
    assert simulator.look(cat, "two-a").status_code == 200
    assert simulator.look(dog, "two-a").status_code == 500


def test_the_first_rule_that_fits_and_is_not_used_up_wins(simulator: Driver) -> None:
    for code in ("1305", "1234"):
        simulator.fault(on="submit", kind="error", code=code, status=429, times=1)
    codes = [code_of(simulator.submit()) for _ in range(2)]
    assert codes == ["1305", "1234"]
    simulator.accepted()
    assert [rule["fired"] for rule in simulator.control("GET", "faults")] == [1, 1]


def test_a_rule_is_not_used_up_where_the_vendor_itself_refuses(simulator: Driver) -> None:
    simulator.account("one", limit=0)
    simulator.fault(on="submit", kind="accept_then_cut", times=1)
    assert code_of(simulator.submit()) == "1302"
    assert code_of(simulator.submit(fps=7)) == "1214"
    assert simulator.control("GET", "faults")[0]["fired"] == 0


def test_chance_can_be_repeated_with_a_seed(simulator: Driver) -> None:
    def outcomes() -> list[int]:
        simulator.control("POST", "reset", everything=True)
        simulator.account("one", limit=50)
        simulator.fault(on="submit", kind="error", probability=0.5)
        return [simulator.submit().status_code for _ in range(30)]

    first = outcomes()
    assert set(first) == {200, 500}
    assert outcomes() == first


def test_rules_can_be_replaced_and_deleted(simulator: Driver) -> None:
    simulator.fault(on="submit", kind="cut")
    rules = [{"on": "submit", "kind": "garbage"}]
    replaced = simulator.control("POST", "faults", rules=rules, replace=True)
    assert [rule["kind"] for rule in replaced] == ["garbage"]
    assert simulator.control("DELETE", "faults") == []
    simulator.accepted()


@pytest.mark.parametrize(
    "rule",
    [
        {"on": "submit", "kind": "explode"},
        {"on": "look", "kind": "accept_then_cut"},
        {"on": "look", "kind": "garbage", "accepted": True},
        {"on": "submit", "kind": "unknown_status"},
        {"on": "submit", "kind": "hang"},
        {"on": "submit", "kind": "cut", "second": 1},
        {"on": "submit", "kind": "cut", "probability": 2},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(simulator: Driver, rule: dict[str, Any]) -> None:
    response = simulator.http.post("/simulator/faults", json={"rules": [rule]})
    assert response.status_code == 422
    assert simulator.control("GET", "faults") == []


async def test_a_hanging_fault_does_not_keep_the_simulator_from_stopping() -> None:
    with running() as (process, url):
        async with httpx.AsyncClient(base_url=url) as http:
            rule = {"on": "submit", "kind": "accept_then_hang", "seconds": AN_HOUR}
            await http.post("/simulator/faults", json={"rules": [rule]})
            hanging = asyncio.create_task(
                http.post(
                    f"{API}/videos/generations",
                    json={"model": MODEL, "prompt": "a cat"},
                    headers=bearer("demo-key.one"),
                    timeout=None,
                )
            )
            while not (await http.get("/simulator/stats")).json()["total"]["accepted"]:
                pass
            process.terminate()
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await hanging
        assert process.wait(timeout=10) == 0
