"""What a team is told while it waits, and when it may not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.harness import OTHER_KEY, TEAM_KEY, TEAMS, Caller, Processes, Vendor, wait_until


@pytest.fixture
def vendor(processes: Processes) -> Vendor:
    return processes.simulator({"main": 2}, duration="3600")


def team_of(processes: Processes, vendor: Vendor, **settings: Any) -> Caller:
    running = processes.gateway(
        vendor, {"main": 2}, GATEWAY_EXPECTED_SECONDS={"cogvideox-3": [80, 120]}, **settings
    )
    return processes.caller(running)


def queue_of(headers: Any) -> tuple[str | None, str | None]:
    return headers.get("x-queue-position"), headers.get("x-estimated-start-seconds")


def test_position_and_estimate_are_told_at_the_submit_and_on_polls(
    processes: Processes, vendor: Vendor
):
    team = team_of(processes, vendor)
    submits = [team.submit() for _ in range(5)]
    # Tasks take 100 s and two slots serve them: one comes free every 50 s.
    told = [("0", "0"), ("0", "0"), ("1", "50"), ("2", "100"), ("3", "150")]
    assert [queue_of(answer.headers) for answer in submits] == told
    last = submits[-1].json()["id"]
    poll = team.http.get(f"/v1/async-result/{last}")
    assert queue_of(poll.headers) == ("3", "150")
    running = team.http.get(f"/v1/async-result/{submits[0].json()['id']}")
    assert queue_of(running.headers) == (None, None)
    team.http.post(f"/v1/videos/{submits[2].json()['id']}/cancel")
    assert queue_of(team.http.get(f"/v1/async-result/{last}").headers) == ("2", "100")


def test_limits_tell_own_slots_queue_and_estimate(processes: Processes, vendor: Vendor):
    team = team_of(processes, vendor)
    other = processes.caller(processes.started[0], OTHER_KEY)
    free = team.http.get("/v1/limits").json()
    assert free["team"] == "films"
    assert free["slots"] == {"limit": 20, "in_flight": 0}
    assert free["models"] == [
        {
            "model": "cogvideox-3",
            "waiting": 0,
            "next_position": 0,
            "estimated_start_seconds": 0,
        }
    ]
    for _ in range(4):
        team.created()
    busy = team.http.get("/v1/limits").json()
    assert busy["slots"]["in_flight"] == 2
    assert busy["queue"]["tasks"] == 2
    assert 0 < busy["queue"]["bytes"] < busy["queue"]["bytes_limit"]
    assert busy["models"][0]["waiting"] == 2
    assert busy["models"][0]["next_position"] == 3
    assert busy["models"][0]["estimated_start_seconds"] == 150
    # Another team sees its own, and the place that it would have.
    theirs = other.http.get("/v1/limits").json()
    assert (theirs["team"], theirs["slots"]["in_flight"]) == ("adverts", 0)
    assert theirs["models"][0]["waiting"] == 0
    assert theirs["models"][0]["next_position"] in (1, 2)
    assert team.http.get("/v1/limits", headers={"Authorization": "Bearer x"}).status_code == 401


def _refused(answer: Any) -> None:
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "1302"
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert answer.headers["x-should-retry"] == "false"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_who_rejects_overflow_is_refused_instead_of_queued(processes: Processes, vendor: Vendor):
    team = team_of(processes, vendor)
    for _ in range(2):
        assert team.submit(overflow="reject").status_code == 200
    _refused(team.submit(overflow="reject"))
    assert team.submit(overflow="queue").status_code == 200
    wrong = team.submit(overflow="maybe")
    assert wrong.status_code == 400
    assert wrong.json()["error"]["param"] == "overflow"
    assert '"queue"' in wrong.json()["error"]["message"]


def test_a_team_may_reject_overflow_by_its_settings(processes: Processes, vendor: Vendor):
    impatient = TEAMS[0] | {"overflow": "reject"}
    team = team_of(processes, vendor, GATEWAY_TEAMS=[impatient])
    for _ in range(2):
        assert team.submit().status_code == 200
    _refused(team.submit())
    assert team.submit(overflow="queue").status_code == 200


def test_a_full_queue_refuses_and_has_room_again(processes: Processes, vendor: Vendor):
    team = team_of(processes, vendor, GATEWAY_QUEUE_TASKS_PER_TEAM="2", GATEWAY_QUEUE_TASKS="3")
    other = Caller(team.url, OTHER_KEY)
    tasks = [team.created() for _ in range(4)]
    _refused(team.submit())
    assert other.submit().status_code == 200
    _refused(other.submit())
    team.http.post(f"/v1/videos/{tasks[-1]}/cancel")
    assert team.submit().status_code == 200
    other.close()


def test_a_task_that_waits_too_long_fails(processes: Processes, vendor: Vendor):
    team = team_of(processes, vendor)
    for _ in range(2):
        team.created()
    patient, hasty = team.created(), team.created(queue_timeout_seconds=0.5)
    ended = team.ended(hasty)
    assert ended["task_status"] == "FAIL"
    assert ended["error"]["code"] == "queue_timeout"
    assert team.task(patient)["task_status"] == "PROCESSING"
    for wrong in (0, -1, "soon"):
        refused = team.submit(queue_timeout_seconds=wrong)
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == "queue_timeout_seconds"
    assert vendor.total()["accepted"] == 2


def test_a_setting_bounds_the_wait_of_all(processes: Processes, vendor: Vendor):
    team = team_of(processes, vendor, GATEWAY_QUEUE_TIMEOUT_SECONDS="0.5")
    for _ in range(2):
        team.created()
    assert team.ended(team.created())["error"]["code"] == "queue_timeout"


def test_a_flood_of_one_team_does_not_hold_up_another(processes: Processes, vendor: Vendor):
    """By the order in which the vendor got them."""
    teams = [
        {"name": "flood", "tier": "V3", "keys": [TEAM_KEY]},
        {"name": "calm", "tier": "V3", "keys": [OTHER_KEY]},
    ]
    flood = processes.caller(processes.gateway(vendor, {"main": 2}, GATEWAY_TEAMS=teams))
    calm = processes.caller(processes.started[0], OTHER_KEY)
    for i in range(40):
        flood.created(prompt=f"flood {i}")
    for i in range(5):
        calm.created(prompt=f"calm {i}")
    vendor.settings(duration=0.05)
    vendor.end_all()
    wait_until(lambda: vendor.total()["succeeded"] == 45, what="all tasks")
    order = [task["body"]["prompt"].split()[0] for task in vendor.tasks()]
    assert order[:2] == ["flood", "flood"]
    assert order[2:].index("calm") <= 1
    last_calm = len(order) - 1 - order[::-1].index("calm")
    assert order[2:last_calm].count("flood") <= 6


def test_after_a_wait_the_position_is_todays(processes: Processes, vendor: Vendor):
    team = team_of(processes, vendor)
    ids = [team.created() for _ in range(4)]
    with ThreadPoolExecutor(1) as hands:
        waiting = hands.submit(
            team.http.post,
            "/v1/videos/generations",
            json={"model": "cogvideox-3", "prompt": "patient"},
            headers={"Prefer": "wait=4"},
        )
        wait_until(lambda: team.http.get("/v1/limits").json()["queue"]["tasks"] == 3)
        team.http.post(f"/v1/videos/{ids[2]}/cancel")
        assert queue_of(waiting.result().headers) == ("2", "100")
