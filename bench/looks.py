"""How much slot time is in use under a backlog, against how many looks a task costs.

The vendor's tasks take 30 to 60 s, evenly spread, and the gateway is told so (EXPECTED_SECONDS).
What a look finds late is slot time lost: looks d seconds apart lose d/2 a task, and how many there
are is the price. First the curve as the schedule computes it, then measured, five times as fast,
by the simulator's own count of slot seconds.

    python -m bench.looks [--scale 5] [--rounds 8]

Exits with 1 if the gateway's own setting does not keep 97 % of the slot time in use at no more
than 8 looks a task.
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
from typing import Any

import httpx

from bench.__main__ import server
from gateway.lifecycle.look_schedule import LookSchedule
from gateway.settings import Settings

SHORTEST, LONGEST = 30.0, 60.0
SLOTS = 20
OWN = Settings.model_fields["looks_per_task"].default
AIMS = (4.0, 5.5, OWN, 10.0)
LEAST_IN_USE, MOST_LOOKS = 0.97, 8.0
ENDS = 2000


def computed(looks_per_task: float) -> tuple[float, float]:
    """Looks a task and the share of slot time in use, over all ends between the two times."""
    plan = LookSchedule(
        expected_seconds={"": (SHORTEST, LONGEST)},
        looks_per_task=looks_per_task,
        first_seconds=2,
        longest_seconds=15,
    )
    looks, used, held = 0, 0.0, 0.0
    for i in range(ENDS):
        end = SHORTEST + (LONGEST - SHORTEST) * (i + 0.5) / ENDS
        age = plan.first("")
        looks += 1
        while age < end:
            age += plan.delay("", age)
            looks += 1
        used, held = used + end, held + age
    return looks / ENDS, used / held


def at_even_distances(looks: float) -> float:
    """The share in use if as many looks were made at even distances."""
    mean = (SHORTEST + LONGEST) / 2
    return mean / (mean + (LONGEST - SHORTEST) / 2 / (looks - 0.5) / 2)


@contextmanager
def gateway(scale: float, looks_per_task: float) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """A gateway before a simulated account of 20 slots: the way to it, and to the simulator."""
    key = f"sk-{secrets.token_hex(24)}"
    duration = f"{SHORTEST / scale:g}-{LONGEST / scale:g}"
    with (
        tempfile.TemporaryDirectory(prefix="gateway-looks-") as folder,
        server("gateway.simulator", "--port", "0", "--duration", duration, pinned=False) as vendor,
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
                "GATEWAY_EXPECTED_SECONDS": json.dumps(
                    {"cogvideox-3": [SHORTEST / scale, LONGEST / scale]}
                ),
                "GATEWAY_LOOKS_PER_TASK": str(looks_per_task),
                "GATEWAY_FIRST_LOOK_SECONDS": str(2 / scale),
                "GATEWAY_LONGEST_LOOK_SECONDS": str(15 / scale),
            }
            with (
                server("gateway", "serve", pinned=False, **settings) as own,
                httpx.Client(
                    base_url=own[0], headers={"Authorization": f"Bearer {key}"}, timeout=30
                ) as team,
            ):
                yield team, simulator


def measured(scale: float, looks_per_task: float, rounds: int) -> tuple[float, float]:
    """The same figures by the simulator's count, while more waits than there are slots."""
    with gateway(scale, looks_per_task) as (team, simulator):
        body = {"model": "cogvideox-3", "prompt": "A cat is playing with a ball."}
        for _ in range((rounds + 2) * SLOTS):
            team.post("/v1/videos/generations", json=body).raise_for_status()
        counted = rounds * SLOTS
        while (total := _read(simulator, "/stats")["total"])["accepted"] < counted:
            time.sleep(0.1)
        # Then until the last of them has ended: those that take longer cost more looks.
        while True:
            tasks = _read(simulator, f"/tasks?order=oldest&limit={counted}")
            if all(task["told_at"] is not None for task in tasks):
                break
            time.sleep(0.1)
        return sum(task["looks"] for task in tasks) / counted, total["slot_time_in_use"]


def _read(simulator: httpx.Client, path: str) -> Any:
    return simulator.get(path).raise_for_status().json()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--scale", type=float, default=5.0, help="times as fast as real tasks")
    options.add_argument("--rounds", type=int, default=8, help="tasks a slot")
    given = options.parse_args()

    print("computed: tasks of 30 to 60 s, evenly spread")
    print("  looks a task   slot time in use   at even distances")
    for aim in (3, 4, 5, 6, 7, 8, 10, 15):
        looks, in_use = computed(aim)
        print(f"  {looks:12.1f}   {in_use:16.1%}   {at_even_distances(looks):17.1%}")
    print(f"measured by the simulator, {given.scale:g} times as fast, {SLOTS} slots, a backlog")
    print("  looks a task   slot time in use")
    kept = False
    for aim in AIMS:
        looks, in_use = measured(given.scale, aim, given.rounds)
        own = " <- LOOKS_PER_TASK as it is set" if aim == OWN else ""
        print(f"  {looks:12.1f}   {in_use:16.1%}{own}", flush=True)
        if aim == OWN:
            kept = in_use >= LEAST_IN_USE and looks <= MOST_LOOKS
    if not kept:
        sys.exit(f"not kept: {LEAST_IN_USE:.0%} at no more than {MOST_LOOKS:g} looks a task")


if __name__ == "__main__":
    main()
