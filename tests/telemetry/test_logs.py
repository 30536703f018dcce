"""The log as programs read it: an object a line, a line a step, no prompt unless asked for."""

from __future__ import annotations

import json
from typing import Any

from tests.harness import Processes, Running

LIMITS = {"main": 3}
PROMPT = "a very secret unicorn"


def lines(running: Running) -> list[dict[str, Any]]:
    return [json.loads(line) for line in running.log_text().splitlines()]


def a_life(processes: Processes, **settings: str) -> tuple[str, list[dict[str, Any]]]:
    """What is logged of one task."""
    vendor = processes.simulator(LIMITS, duration="0.2")
    running = processes.gateway(vendor, LIMITS, GATEWAY_LOG_FORMAT="json", **settings)
    team = processes.caller(running)
    task = team.created(prompt=PROMPT)
    team.ended(task)
    running.stop()
    return task, [line for line in lines(running) if line.get("task") == task]


def test_each_step_of_a_life_is_a_line_with_its_ids(processes: Processes):
    task, steps = a_life(processes)
    assert [step["message"].removeprefix(f"task {task} ").split()[0] for step in steps] == [
        *("of", "goes", "is", "completed"),
    ]
    for step in steps:
        assert step["team"] == "films"
        assert step["level"] == "INFO"
        assert step["at"]
    _, sent, accepted, ended = steps
    assert (sent["account"], sent["provider"], sent["claim"]) == ("main", "bigmodel", 1)
    assert accepted["provider_task"] == ended["provider_task"]
    assert (ended["status"], ended["outcome"], ended["price_fen"]) == ("completed", "charged", 100)
    assert PROMPT not in json.dumps(steps)


def test_prompts_are_written_where_that_is_asked_for(processes: Processes):
    _, steps = a_life(processes, GATEWAY_LOG_PROMPTS="true")
    assert steps[0]["prompt"] == PROMPT
