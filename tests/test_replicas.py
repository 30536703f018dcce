"""Several processes on one store: never overbooked, never idle, the ledger agrees throughout."""

from __future__ import annotations

import asyncio

import httpx

from tests.harness import TEAM_KEY, Processes, run_command, wait_until

LIMITS = {"v0": 5, "v1": 10}
TASKS = 200


async def _submit_all(urls: list[str]) -> list[str]:
    headers = {"Authorization": f"Bearer {TEAM_KEY}"}
    async with httpx.AsyncClient(headers=headers, timeout=60) as http:

        async def submit(i: int) -> str:
            body = {"model": "cogvideox-3", "prompt": f"number {i}"}
            answer = await http.post(f"{urls[i % len(urls)]}/v1/videos/generations", json=body)
            assert answer.status_code == 200, answer.text
            return str(answer.json()["id"])

        return await asyncio.gather(*(submit(i) for i in range(TASKS)))


async def test_two_replicas_share_two_accounts_to_the_last_slot(processes: Processes):
    vendor = processes.simulator(LIMITS, duration="0.3-0.9")
    replicas = [processes.gateway(vendor, LIMITS) for _ in range(2)]
    tasks = await _submit_all([replica.url for replica in replicas])
    assert len(set(tasks)) == TASKS

    settings = processes.settings(vendor, LIMITS)
    verified = []

    def all_seen() -> bool:
        verified.append(run_command("slots", "--verify", **settings))
        return bool(vendor.total()["succeeded"] == TASKS and not vendor.total()["ended_unseen"])

    wait_until(all_seen, 120, "all tasks")
    assert {(done.returncode, done.stdout) for done in verified} == {
        (0, "slots and records agree\n")
    }
    total = vendor.total()
    assert total["accepted"] == TASKS
    assert vendor.account("v0")["peak_in_flight"] == 5
    assert vendor.account("v1")["peak_in_flight"] == 10
    assert total["refused"] == {}
    assert total["duplicates"] == 0
    assert total["looks_with_foreign_key"] == 0
    # Each account's work went through both of its keys.
    assert {task["api_key"] for task in vendor.tasks()} == {
        f"{account}-key.{which}" for account in LIMITS for which in ("one", "two")
    }
    teams_view = [processes.caller(replica) for replica in replicas]
    for task_id in tasks:
        answers = [team.task(task_id) for team in teams_view]
        assert answers[0] == answers[1]
        assert answers[0]["task_status"] == "SUCCESS"


async def test_api_without_worker_and_a_worker_beside_it(processes: Processes):
    vendor = processes.simulator({"main": 2}, duration="0.3")
    api = processes.caller(processes.gateway(vendor, {"main": 2}, "serve", "--no-worker"))
    tasks = [api.created(prompt=f"number {i}") for i in range(5)]
    # It submits what it admitted straight into a slot, and looks at nothing.
    assert vendor.total()["accepted"] == 2
    assert vendor.total()["looks"] == 0
    processes.gateway(vendor, {"main": 2}, "worker")
    assert {api.ended(task)["task_status"] for task in tasks} == {"SUCCESS"}


async def test_several_api_processes_of_one_serve(processes: Processes):
    vendor = processes.simulator({"main": 5}, duration="60")
    running = processes.gateway(vendor, {"main": 5}, GATEWAY_WORKERS="3", GATEWAY_ADMIN_PORT="0")
    team = processes.caller(running)
    tasks = [team.created(prompt=f"number {i}") for i in range(12)]
    wait_until(lambda: vendor.total()["in_flight"] == 5)
    vendor.settings(duration=0.1)
    vendor.end_all()
    assert {team.ended(task)["task_status"] for task in tasks} == {"SUCCESS"}
    assert vendor.total()["peak_in_flight"] == 5
    assert team.http.get("/metrics").status_code == 404
    assert running.stop() == 0


def test_a_thousand_gets_cause_no_request_to_the_vendor(processes: Processes):
    vendor = processes.simulator({"main": 5}, duration="0.2")
    quick = processes.gateway(vendor, {"main": 5})
    ended = processes.caller(quick).created()
    processes.caller(quick).ended(ended)
    quick.stop()
    # From here on the product's own looks are so seldom that none falls into the test.
    vendor.settings(duration=3600)
    seldom = {"GATEWAY_FIRST_LOOK_SECONDS": "600", "GATEWAY_LONGEST_LOOK_SECONDS": "600"}
    team = processes.caller(processes.gateway(vendor, {"main": 5}, **seldom))
    tasks = [ended, *(team.created() for _ in range(7))]  # five of these run and two wait

    def requests() -> dict[str, int]:
        counts = vendor.stats()["requests"]
        return {path: count for path, count in counts.items() if path != "/simulator"}

    before = requests()
    words = [team.task(tasks[i % len(tasks)])["task_status"] for i in range(1000)]
    assert requests() == before
    assert words.count("SUCCESS") == 125
    assert words.count("PROCESSING") == 875
