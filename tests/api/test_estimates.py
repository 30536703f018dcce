"""Progress and estimates by what was seen, in a process that looks at nothing itself."""

from __future__ import annotations

from gateway.domain.learning import FEWEST
from tests.harness import Processes, wait_until

LIMIT = {"main": 1}


def test_estimates_come_from_what_others_saw(processes: Processes):
    vendor = processes.simulator(LIMIT, duration="3600")
    team = processes.caller(processes.gateway(vendor, LIMIT, "serve", "--no-worker"))
    processes.gateway(vendor, LIMIT, "worker")

    def starts_in(task: str) -> int:
        answer = team.http.get(f"/v1/async-result/{task}")
        return int(answer.headers["x-estimated-start-seconds"])

    def progress(task: str) -> int:
        return team.http.get(f"/v1/videos/{task}").json()["progress"]

    first, second = team.created(), team.created()
    assert starts_in(second) == 60  # nobody knows yet: it is assumed
    assert progress(first) < 20
    vendor.settings(duration=0.2)
    vendor.end_all()
    for task in (first, second, *(team.created() for _ in range(FEWEST))):
        team.ended(task)
    vendor.settings(duration=3600)
    running, waiting = team.created(), team.created()
    wait_until(lambda: starts_in(waiting) < 20, what="an estimate that was learned")
    wait_until(lambda: progress(running) == 99)
    assert progress(waiting) == 0
    limits = team.http.get("/v1/limits").json()["models"][0]
    assert limits["estimated_start_seconds"] < 20
