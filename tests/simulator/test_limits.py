"""What an account may have in flight, and who may ask."""

import asyncio
from collections import Counter

import httpx
import pytest

from .conftest import API, MODEL, Driver, bearer, code_of, wait_until


async def test_the_limit_holds_exactly_when_many_submit_at_once(simulator: Driver) -> None:
    body = {"model": MODEL, "prompt": "a cat"}
    async with httpx.AsyncClient(base_url=simulator.url) as http:
        answers = await asyncio.gather(
            *(
                http.post(f"{API}/videos/generations", json=body, headers=bearer("one-a"))
                for _ in range(40)
            )
        )
    assert Counter(answer.status_code for answer in answers) == {200: 5, 429: 35}
    assert {code_of(answer) for answer in answers if answer.status_code == 429} == {"1302"}
    lane = simulator.lane("one")
    assert (lane["submits"], lane["accepted"], lane["refused_over_limit"]) == (40, 5, 35)
    assert lane["refused"] == {"1302": 35}
    assert (lane["in_flight"], lane["peak_in_flight"], lane["limit"]) == (5, 5, 5)


def test_a_refusal_carries_neither_retry_after_nor_rate_limit_headers(simulator: Driver) -> None:
    simulator.account("one", limit=0)
    headers = simulator.submit().headers
    assert not [name for name in headers if name.startswith(("retry", "x-ratelimit"))]


def test_the_keys_of_an_account_share_its_limit(simulator: Driver) -> None:
    for key in ("one-a", "one-b", "one-a", "one-b", "one-a"):
        simulator.accepted(key)
    assert code_of(simulator.submit("one-b")) == "1302"


def test_another_account_is_not_affected(simulator: Driver) -> None:
    simulator.account("one", limit=0)
    assert code_of(simulator.submit("one-a")) == "1302"
    simulator.accepted("two-a")


def test_the_end_of_a_task_frees_its_place(simulator: Driver) -> None:
    first, _ = (simulator.accepted("two-a") for _ in range(2))
    assert code_of(simulator.submit("two-a")) == "1302"
    simulator.end(ids=[first])
    simulator.accepted("two-a")
    assert simulator.lane("two")["peak_in_flight"] == 2


def test_tasks_end_by_the_clock_even_if_nobody_looks(simulator: Driver) -> None:
    simulator.settings(duration=[0.01, 0.02])
    simulator.accepted()
    wait_until(lambda: simulator.total()["succeeded"] == 1)
    assert simulator.total()["in_flight"] == 0


def test_an_account_can_have_a_duration_of_its_own(simulator: Driver) -> None:
    simulator.account("two", duration=0.01)
    slow, fast = simulator.accepted("one-a"), simulator.accepted("two-a")
    wait_until(lambda: simulator.status(fast) == "SUCCESS")
    assert simulator.status(slow) == "PROCESSING"


def test_a_limit_can_differ_by_model(simulator: Driver) -> None:
    simulator.settings(models=[MODEL, "cogvideox-4"])
    simulator.account("two", limits={"cogvideox-4": 1})
    simulator.accepted("two-a", model="cogvideox-4")
    assert code_of(simulator.submit("two-a", model="cogvideox-4")) == "1302"
    simulator.accepted("two-a")


def test_a_limit_can_be_raised_and_lowered_while_tasks_run(simulator: Driver) -> None:
    simulator.account("one", limit=1)
    simulator.accepted()
    assert code_of(simulator.submit()) == "1302"
    simulator.account("one", tier="V1")
    simulator.accepted()
    assert simulator.lane("one")["over_limit"] == 0

    simulator.account("one", limit=1)
    simulator.account("one", arrears=False)
    assert code_of(simulator.submit()) == "1302"
    lane = simulator.lane("one")
    assert (lane["in_flight"], lane["limit"], lane["over_limit"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "1001"),
        ("Basic b25lOmE=", "1000"),
        ("Bearer stranger", "1002"),
        ("Bearer", "1002"),
    ],
)
def test_a_request_needs_a_known_key(
    simulator: Driver, authorization: str | None, code: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    for response in (
        simulator.http.post(f"{API}/videos/generations", json={}, headers=headers),
        simulator.http.get(f"{API}/async-result/1", headers=headers),
    ):
        assert (response.status_code, code_of(response)) == (401, code)
    assert simulator.total()["refused"] == {code: 1}
    assert simulator.total()["looks_refused"] == {code: 1}


def test_a_revoked_key_is_refused_while_the_others_of_its_account_work(simulator: Driver) -> None:
    task = simulator.accepted("one-b")
    simulator.account("one", revoked_keys=["one-b"])
    for response in (simulator.submit("one-b"), simulator.look(task, "one-b")):
        assert (response.status_code, code_of(response)) == (401, "1002")
    simulator.accepted("one-a")
    assert simulator.look(task, "one-a").status_code == 200


def test_an_account_in_arrears_is_refused_but_its_tasks_can_be_looked_at(simulator: Driver) -> None:
    task = simulator.accepted()
    simulator.account("one", arrears=True)
    response = simulator.submit()
    assert (response.status_code, code_of(response)) == (429, "1113")
    assert simulator.status(task) == "PROCESSING"
    simulator.account("one", arrears=False)
    simulator.accepted()


def test_a_look_with_a_key_of_another_account_is_answered_and_counted(simulator: Driver) -> None:
    task = simulator.accepted("one-a")
    assert simulator.look(task, "two-a").status_code == 200
    assert simulator.look(task, "one-b").status_code == 200
    assert simulator.lane("one")["looks_with_foreign_key"] == 1
    assert simulator.lane("two")["looks"] == 0


def test_strict_keys_hide_the_tasks_of_other_accounts(simulator: Driver) -> None:
    simulator.settings(strict_keys=True)
    task = simulator.accepted("one-a")
    foreign, unknown = simulator.look(task, "two-a"), simulator.look("123", "two-a")
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json() == unknown.json()
    assert simulator.lane("one")["looks_with_foreign_key"] == 1


def test_the_answer_for_an_unknown_id_is_a_setting(simulator: Driver) -> None:
    simulator.settings(unknown_id={"status": 400, "code": "1210"})
    response = simulator.look("123")
    assert (response.status_code, code_of(response)) == (400, "1210")
    assert simulator.total()["looks_refused"] == {"1210": 1}
