"""A pool of 200 accounts under a backlog: how soon an end is known, and its slot used again.

2,000 tasks of 60 to 120 s in flight, 10,000 more that wait, two gateway processes, one store. What
is told here was counted by the simulator, from when all is handed in and the first task of each
slot is over (nothing can be known of durations before) until hardly anything waits any more or the
time is over. `refills.py` says which submit is matched with which end. Kept must be:

- an end is known after a tenth of the task's duration (median),
- the next submit to that account follows within 250 ms (median) and a second (p99),
- at no more than 8 looks a task,
- never over a limit, nothing made twice, nothing refused because an account was full.

Then the same with fewer accounts and tasks of 58 to 62 s: where durations are known more narrowly,
fewer looks must do. All of these end within seconds of one another, so that one round of them tells
little; there the second round is waited for as well.

    python -m bench.pool [--accounts 200] [--seconds 330] [--scale 1] [--expected] [--only wide]
    python -m bench.pool --accounts 10 --seconds 30 --scale 10      # to try it

Exits with 1 if something is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis

from bench import load
from bench.__main__ import server
from bench.costs import Processes, StoreCosts
from bench.refills import Made, Window, lateness, percentile, refills, slot_time_in_use, told_within
from gateway.store.embedded import EmbeddedStore

MODEL = "cogvideox-3"
MOST_LATE, MEDIAN_REFILL, P99_REFILL, MOST_LOOKS = 0.1, 0.25, 1.0, 8.0
CONNECTIONS = 32
# The tasks are read so long after the window's end: a slot that is still empty then is told as one.
GRACE_SECONDS = 2.0
PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One measurement. Times are those of the tasks as they are run."""

    name: str
    accounts: int
    limit: int
    queued: int
    shortest: float
    longest: float
    seconds: float
    scale: float
    workers: int
    rounds_before: int
    """So many tasks of each slot are over before anything is measured."""
    expected: bool
    """Whether the gateway is told the durations (EXPECTED_SECONDS)."""

    @property
    def slots(self) -> int:
        return self.accounts * self.limit

    @property
    def tasks(self) -> int:
        return self.slots + self.queued

    def names(self) -> list[str]:
        return [f"account-{i:03}" for i in range(self.accounts)]

    def settings(self, vendor_url: str, team_key: str, folder: str) -> dict[str, str]:
        accounts = [
            {
                "name": name,
                "base_url": f"{vendor_url}/api/paas/v4",
                "limit": self.limit,
                "api_keys": [f"{name}-key.one"],
            }
            for name in self.names()
        ]
        team = {"name": "bench", "tier": "all", "keys": [team_key]}
        settings = {
            "GATEWAY_PORT": "0",
            "GATEWAY_WORKERS": str(self.workers),
            "GATEWAY_DATA_DIR": folder,
            "GATEWAY_LOG_LEVEL": "warning",
            "GATEWAY_ACCOUNTS": json.dumps(accounts),
            "GATEWAY_TIERS": json.dumps({"all": self.slots}),
            "GATEWAY_TEAMS": json.dumps([team]),
            "GATEWAY_QUEUE_TASKS_PER_TEAM": str(self.tasks),
            "GATEWAY_FIRST_LOOK_SECONDS": str(2 / self.scale),
            "GATEWAY_LONGEST_LOOK_SECONDS": str(15 / self.scale),
        }
        if self.expected:
            span = [self.shortest, self.longest]
            settings["GATEWAY_EXPECTED_SECONDS"] = json.dumps({MODEL: span})
        return settings


@dataclass(frozen=True)
class Stage:
    """What is running: a gateway, its store, and the vendor that judges."""

    url: str
    team_key: str
    simulator: httpx.Client
    store: redis.Redis
    processes: Processes

    def total(self) -> dict[str, Any]:
        total: dict[str, Any] = self._read("/stats")["total"]
        return total

    def made(self) -> list[Made]:
        """All tasks, in the order in which they were accepted."""
        made: list[Made] = []
        last = 0
        while page := self._read(f"/tasks?order=oldest&limit={PAGE}&after={last}"):
            made += page
            last = page[-1]["number"]
        return made

    def _read(self, path: str) -> Any:
        return self.simulator.get(path).raise_for_status().json()


@contextmanager
def stage(plan: Plan) -> Iterator[Stage]:
    accounts = [
        {"name": name, "limit": plan.limit, "api_keys": [f"{name}-key.one"]}
        for name in plan.names()
    ]
    of_vendor = {
        "SIMULATOR_PORT": "0",
        "SIMULATOR_ACCOUNTS": json.dumps(accounts),
        "SIMULATOR_DURATION": f"{plan.shortest:g}-{plan.longest:g}",
    }
    team_key = f"sk-{secrets.token_hex(24)}"
    with (
        tempfile.TemporaryDirectory(prefix="gateway-pool-") as folder,
        server("gateway.simulator", pinned=False, **of_vendor) as (vendor_url, vendor_pid),
        httpx.Client(base_url=f"{vendor_url}/simulator", timeout=60) as simulator,
        server("gateway", "serve", pinned=False, **plan.settings(vendor_url, team_key, folder)) as (
            url,
            pid,
        ),
    ):
        while not _ready(url):
            time.sleep(0.1)
        with redis.Redis.from_url(EmbeddedStore(Path(folder)).url) as store:
            store_pid = int(store.info("server")["process_id"])
            processes = Processes(
                gateway=[p for p in _family(pid) if p.pid != store_pid],
                store=[psutil.Process(store_pid)],
                simulator=[psutil.Process(vendor_pid)],
                bench=[psutil.Process()],
            )
            yield Stage(url, team_key, simulator, store, processes)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:  # a process that has just begun to listen
        return False


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def hand_in(plan: Plan, at: Stage) -> None:
    body = json.dumps({"model": MODEL, "prompt": "A cat is playing with a ball."}).encode()
    headers = {"Authorization": f"Bearer {at.team_key}"}
    request = load.request_bytes("POST", f"{at.url}/v1/videos/generations", headers, body)
    costs = StoreCosts(at.store)
    with costs.watched():
        done = asyncio.run(load.run(at.url, request, requests=plan.tasks, connections=CONNECTIONS))
    p50, p99 = (done.percentile(share) * 1000 for share in (0.5, 0.99))
    print(
        f"  handed in {plan.tasks:,} in {done.seconds:.0f} s "
        f"({plan.tasks / done.seconds:.0f}/s, p50 {p50:.0f} ms, p99 {p99:.0f} ms)"
    )
    print("\n".join(costs.table()), flush=True)


def watch(plan: Plan, at: Stage) -> tuple[Window, StoreCosts]:
    """Wait for the rounds before to be over, then for the window's end."""
    patience = time.monotonic() + 5 * plan.longest
    while (accepted := at.total()["accepted"]) < (1 + plan.rounds_before) * plan.slots:
        if time.monotonic() > patience:
            sys.exit(f"after {5 * plan.longest:.0f} s only {accepted:,} tasks were submitted")
        time.sleep(min(1.0, plan.shortest / 10))
    at.processes.start()
    costs = StoreCosts(at.store)
    begin = end = time.time()
    with costs.watched():
        # As many as there are accounts: so there is still one for whichever has a slot free.
        while end < begin + plan.seconds and plan.tasks - at.total()["accepted"] > plan.accounts:
            end = time.time()
            time.sleep(1.0)
            costs.time_a_write()
            costs.take()
    return Window(begin, end), costs


@dataclass(frozen=True)
class Promise:
    """One line of the verdict."""

    what: str
    told: str
    kept: bool
    bound: str

    def __str__(self) -> str:
        word = "kept" if self.kept else "NOT KEPT"
        return f"  {self.what:34} {self.told:44} {word} ({self.bound})"


def judge(plan: Plan, made: list[Made], window: Window, read_at: float) -> list[Promise]:
    told = told_within(made, window)
    late = lateness(told)
    again = refills(made, plan.limit, window, read_at)
    looks = statistics.fmean(task["looks"] for task in told) if told else float("nan")
    median, p99 = (percentile(again.seconds, share) for share in (0.5, 0.99))
    never = f", {again.never} never" if again.never else ""
    return [
        Promise(
            "an end is known after",
            f"median {percentile(late, 0.5):.1%}, p99 {percentile(late, 0.99):.1%} of the duration",
            percentile(late, 0.5) <= MOST_LATE,
            f"{MOST_LATE:.0%}",
        ),
        Promise(
            "its slot is used again after",
            f"median {median * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms ({len(again.seconds)}{never})",
            median <= MEDIAN_REFILL and p99 <= P99_REFILL,
            f"{MEDIAN_REFILL * 1000:.0f} ms, {P99_REFILL * 1000:.0f} ms",
        ),
        Promise("looks a task", f"{looks:.2f}", looks <= MOST_LOOKS, f"{MOST_LOOKS:g}"),
        Promise("submits where no slot was free", str(again.early), again.early == 0, "0"),
    ]


def judge_figures(total: dict[str, Any]) -> Promise:
    kinds = ("over_limit", "refused_over_limit", "duplicates", "repeated_request_ids")
    counts = ", ".join(str(total[kind]) for kind in kinds)
    kept = not any(total[kind] for kind in kinds)
    return Promise("over limit, refused for it, twice", counts, kept, "0")


def tell(plan: Plan, made: list[Made], window: Window, at: Stage, costs: StoreCosts) -> None:
    told = told_within(made, window)
    submits = sum(task["accepted_at"] in window for task in made)
    looks = sum(look in window for task in made for look in task["look_times"])
    print(f"  measured for {window.seconds:.0f} s: {len(told):,} tasks")
    print(f"  slot time in use {slot_time_in_use(made, plan.slots, window):.1%}")
    print(f"  {submits / window.seconds:.1f} submits/s, {looks / window.seconds:.0f} looks/s")
    for kind, shares in at.processes.shares().items():
        print(f"  CPU of {kind:10} {' + '.join(f'{share:.0%}' for share in shares)} of a core")
    runnable = ", ".join(f"{mean:.1f}" for mean in psutil.getloadavg())
    print(
        f"  processes that wanted to run: {runnable} (1, 5, 15 min) on {psutil.cpu_count()} cores"
    )
    print("\n".join(costs.table()))


def measure(plan: Plan) -> tuple[bool, float]:
    """Whether everything was kept, and the looks a task."""
    durations = "told beforehand" if plan.expected else "to be learned"
    print(
        f"{plan.name}: {plan.accounts} accounts of {plan.limit} slots, {plan.queued:,} queued on "
        f"top, tasks of {plan.shortest:g} to {plan.longest:g} s, {plan.workers} gateway processes, "
        f"durations {durations}",
        flush=True,
    )
    with stage(plan) as at:
        hand_in(plan, at)
        window, costs = watch(plan, at)
        time.sleep(GRACE_SECONDS)
        # Others are accepted while page after page is read: of those before them it was read then
        # that they run, though they are over by now.
        read_at = time.time()
        made = [task for task in at.made() if task["accepted_at"] < read_at]
        tell(plan, made, window, at, costs)
        promises = [*judge(plan, made, window, read_at), judge_figures(at.total())]
    print("\n".join(map(str, promises)), flush=True)
    looks = [task["looks"] for task in told_within(made, window)]
    return all(promise.kept for promise in promises), statistics.fmean(looks or [float("nan")])


def plans(given: argparse.Namespace) -> dict[str, Plan]:
    def plan(
        name: str, accounts: int, shortest: float, longest: float, seconds: float, rounds: int
    ) -> Plan:
        return Plan(
            name=name,
            accounts=accounts,
            limit=given.limit,
            queued=accounts * given.limit * 5 if given.queued is None else given.queued,
            shortest=shortest / given.scale,
            longest=longest / given.scale,
            seconds=seconds,
            scale=given.scale,
            workers=given.workers,
            rounds_before=rounds,
            expected=given.expected,
        )

    return {
        "wide": plan("wide", given.accounts, 60, 120, given.seconds, 1),
        "narrow": plan("narrow", max(1, given.accounts // 4), 58, 62, given.seconds / 2, 2),
    }


def main() -> None:
    options = argparse.ArgumentParser(
        prog="python -m bench.pool", description=__doc__.splitlines()[0]
    )
    options.add_argument("--accounts", type=int, default=200)
    options.add_argument("--limit", type=int, default=10, help="slots of an account")
    options.add_argument("--queued", type=int, help="tasks on top; unset: five for each slot")
    options.add_argument("--seconds", type=float, default=330.0, help="how long it is measured")
    options.add_argument("--scale", type=float, default=1.0, help="times as fast as real tasks")
    options.add_argument("--workers", type=int, default=2, help="gateway processes")
    options.add_argument("--expected", action="store_true", help="tell the durations beforehand")
    options.add_argument("--only", choices=("wide", "narrow"))
    given = options.parse_args()

    chosen = [plan for name, plan in plans(given).items() if given.only in (None, name)]
    results = [measure(plan) for plan in chosen]
    kept = all(good for good, _ in results)
    if len(results) == 2:
        (_, wide), (_, narrow) = results
        fewer = Promise("looks where durations are narrow", f"{narrow:.2f}", narrow < wide, "fewer")
        print(fewer)
        kept = kept and fewer.kept
    if not kept:
        sys.exit("not everything was kept")


if __name__ == "__main__":
    main()
