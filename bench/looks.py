"""How much slot time is in use under a backlog, against how many looks a task costs.

The vendor's tasks take 30 to 60 s, evenly spread. What a look finds late is slot time lost: looks d
seconds apart lose d/2 a task, and how many there are is the price. First the curve as a plan
computes it, then measured, five times as fast, by the simulator's own count of slot seconds: with
the gateway told how long tasks take (EXPECTED_SECONDS), which counts until enough is learned, and
with nothing told, which is what the first tasks are for. Another model takes 58 to 62 s: where
durations are known so narrowly, fewer looks keep as much in use.

    python -m bench.looks [--scale 5] [--rounds 10]

Exits with 1 if the gateway's own setting, with durations learned, does not keep 97 % of the slot
time in use at no more than 8 looks a task.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx

from bench.__main__ import server
from gateway.domain.durations import Expectation
from gateway.lifecycle.look_plan import LookPlan
from gateway.settings import Settings

SLOTS = 20
OWN = Settings.model_fields["looks_per_task"].default
LEAST_IN_USE, MOST_LOOKS = 0.97, 8.0
ENDS = 2000
# So many tasks come first and do not count: one for each slot where durations are told, as many as
# are kept of what was learned, and some more, where they are not.
WARM_UP = {"told": SLOTS, "learned": 80}


class Row(NamedTuple):
    """What is measured."""

    knows: str
    shortest: float
    longest: float
    aim: float


ROWS = (
    Row("told", 30.0, 60.0, 4.0),
    Row("told", 30.0, 60.0, OWN),
    Row("learned", 30.0, 60.0, OWN),
    Row("learned", 58.0, 62.0, OWN),
)
JUDGED = ROWS[2]


def computed(shortest: float, longest: float, aim: float) -> tuple[float, float]:
    """Looks a task and the share of slot time in use, over all ends between the two times."""
    plan = LookPlan(
        Expectation((shortest, longest)), looks=aim, smallest_gap=0.2, longest_late_gap=15
    )
    looks, used, held = 0, 0.0, 0.0
    for i in range(ENDS):
        end = shortest + (longest - shortest) * (i + 0.5) / ENDS
        age = 0.0
        while age < end:
            age = plan.next_age(age)
            looks += 1
        used, held = used + end, held + age
    return looks / ENDS, used / held


def at_even_distances(shortest: float, longest: float, looks: float) -> float:
    """The share in use if as many looks were made at even distances."""
    mean = (shortest + longest) / 2
    return mean / (mean + (longest - shortest) / 2 / (looks - 0.5) / 2)


@contextmanager
def gateway(scale: float, row: Row) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """A gateway before a simulated account of 20 slots: the way to it, and to the simulator."""
    key = f"sk-{secrets.token_hex(24)}"
    span = [row.shortest / scale, row.longest / scale]
    duration = f"{span[0]:g}-{span[1]:g}"
    with (
        tempfile.TemporaryDirectory(prefix="gateway-looks-") as folder,
        server(
            *("gateway.simulator", "--port", "0", "--duration", duration, "--seed", "1"),
            pinned=False,
        ) as vendor,
    ):
        account = {
            "name": "main",
            "base_url": f"{vendor[0]}/api/paas/v4",
            "limit": SLOTS,
            "api_keys": ["demo-key.one"],
        }
        with httpx.Client(base_url=f"{vendor[0]}/simulator") as simulator:
            simulator.patch("/accounts/demo", json={"limit": SLOTS}).raise_for_status()
            settings = {
                "GATEWAY_PORT": "0",
                "GATEWAY_DATA_DIR": folder,
                "GATEWAY_ACCOUNTS": json.dumps([account]),
                "GATEWAY_TEAMS": json.dumps([{"name": "bench", "tier": "V3", "keys": [key]}]),
                "GATEWAY_LOOKS_PER_TASK": str(row.aim),
                "GATEWAY_FIRST_LOOK_SECONDS": str(2 / scale),
                "GATEWAY_LONGEST_LOOK_SECONDS": str(15 / scale),
            }
            if row.knows == "told":
                settings["GATEWAY_EXPECTED_SECONDS"] = json.dumps({"cogvideox-3": span})
            with (
                server("gateway", "serve", pinned=False, **settings) as own,
                httpx.Client(
                    base_url=own[0], headers={"Authorization": f"Bearer {key}"}, timeout=30
                ) as team,
            ):
                yield team, simulator


def measured(scale: float, row: Row, rounds: int) -> tuple[float, float]:
    """The same figures by the simulator's count, while more waits than there are slots."""
    first, counted = WARM_UP[row.knows], rounds * SLOTS
    with gateway(scale, row) as (team, simulator):
        body = {"model": "cogvideox-3", "prompt": "A cat is playing with a ball."}
        for _ in range(first + counted + 2 * SLOTS):
            team.post("/v1/videos/generations", json=body).raise_for_status()
        # Until the last that counts has ended, and been seen: those that take longer cost more.
        while True:
            tasks = _read(simulator, f"/tasks?order=oldest&limit={first + counted + 1}")
            chosen = tasks[first : first + counted]
            if len(tasks) > first + counted and all(task["told_at"] for task in chosen):
                break
            time.sleep(0.1)
    begin, end = tasks[first]["accepted_at"], tasks[-1]["accepted_at"]
    used = sum(max(0.0, min(t["ends_at"], end) - max(t["accepted_at"], begin)) for t in tasks)
    return sum(task["looks"] for task in chosen) / counted, used / (SLOTS * (end - begin))


def _read(simulator: httpx.Client, path: str) -> Any:
    return simulator.get(path).raise_for_status().json()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--scale", type=float, default=5.0, help="times as fast as real tasks")
    options.add_argument("--rounds", type=int, default=10, help="tasks a slot")
    given = options.parse_args()

    for shortest, longest in ((30.0, 60.0), (58.0, 62.0)):
        print(f"computed: tasks of {shortest:g} to {longest:g} s, evenly spread")
        print("  aim   looks a task   slot time in use   at even distances")
        for aim in (2, 3, 4, 5, 6, 7, 8, 10, 15):
            looks, in_use = computed(shortest, longest, aim)
            even = at_even_distances(shortest, longest, looks)
            print(f"  {aim:3}   {looks:12.1f}   {in_use:16.1%}   {even:17.1%}")
    print(f"measured by the simulator, {given.scale:g} times as fast, {SLOTS} slots, a backlog")
    print(f"  (learned: from {WARM_UP['learned']} tasks that come first and do not count)")
    print("  durations           aim   looks a task   slot time in use")
    kept = False
    for row in ROWS:
        looks, in_use = measured(given.scale, row, given.rounds)
        own = " <- as it is set" if row.aim == OWN else ""
        what = f"{row.shortest:g} to {row.longest:g} s, {row.knows}"
        print(f"  {what:18} {row.aim:4}   {looks:12.1f}   {in_use:16.1%}{own}", flush=True)
        if row == JUDGED:
            kept = in_use >= LEAST_IN_USE and looks <= MOST_LOOKS
    if not kept:
        sys.exit(f"not kept: {LEAST_IN_USE:.0%} at no more than {MOST_LOOKS:g} looks a task")


if __name__ == "__main__":
    main()
