"""Requests per CPU-second and latencies of a submit and of a cached result, side by side.

Each server runs alone on one core (the gateway's store on the same, and its CPU time counted with
the gateway's), the load on another.
The contestants take turns, round by round, so that a machine that slows down slows all of them;
what counts is the ratio within a round.

    python -m bench [--rounds 5] [--record "what changed"]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis

from bench.load import Load, request_bytes, run
from gateway.store.embedded import EmbeddedStore

RECORD = Path(__file__).parent / "record.md"
SUBMIT = {"model": "cogvideox-3", "prompt": "A cat is playing with a ball.", "size": "1920x1080"}
CONNECTIONS = 16
REQUESTS = 1500


@dataclass
class Contestant:
    """One server, and what was measured of one kind of request to it."""

    name: str
    url: str
    request: bytes
    pids: list[int]
    loads: list[Load] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def measure(self) -> None:
        before = sum(map(cpu_seconds, self.pids))
        load = asyncio.run(run(self.url, self.request, requests=REQUESTS, connections=CONNECTIONS))
        self.loads.append(load)
        self.cpu_seconds.append(sum(map(cpu_seconds, self.pids)) - before)

    def per_cpu_second(self) -> list[float]:
        return [
            len(load.latencies) / cpu
            for load, cpu in zip(self.loads, self.cpu_seconds, strict=True)
        ]


def cpu_seconds(pid: int) -> float:
    """What all threads of a process have used so far; Linux tells it in nanoseconds."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


@contextlib.contextmanager
def server(*arguments: str, pinned: bool = True, **environment: str) -> Iterator[tuple[str, int]]:
    """Start a server on the first core; yield its address and pid."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("GATEWAY_", "SIMULATOR_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=own | environment,
        preexec_fn=(lambda: pin(0)) if pinned else None,
    )
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "listening" in line)
        found = re.search(r"http://\S+", line)
        assert found is not None
        yield found[0], process.pid
    finally:
        process.terminate()
        process.wait(30)


def pin(core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[min(core, len(cores) - 1)]})


@contextlib.contextmanager
def contestants() -> Iterator[dict[str, list[Contestant]]]:
    """All servers, running, and the two kinds of request to each."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-bench-"))
        vendor_url, _ = stack.enter_context(
            server("gateway.simulator", "--port", "0", "--duration", "0.1", pinned=False)
        )
        key = f"sk-{secrets.token_hex(24)}"
        account = {
            "name": "bench",
            "base_url": f"{vendor_url}/api/paas/v4",
            "limit": 1,
            "api_keys": ["demo-key.one"],
        }
        gateway_url, gateway_pid = stack.enter_context(
            server(
                "gateway",
                "serve",
                GATEWAY_PORT="0",
                GATEWAY_DATA_DIR=folder,
                GATEWAY_LOG_LEVEL="warning",
                GATEWAY_ACCOUNTS=json.dumps([account]),
                GATEWAY_TEAMS=json.dumps([{"name": "bench", "tier": "V0", "keys": [key]}]),
            )
        )
        headers = {"Authorization": f"Bearer {key}"}
        ended = prepare(gateway_url, vendor_url, headers)
        servers = [("this gateway", gateway_url, [gateway_pid, store_pid(Path(folder))])]
        for name in ("fastapi", "uvicorn"):
            url, pid = stack.enter_context(server("bench.baselines", name))
            servers.append((f"bare {name}", url, [pid]))
        kinds: dict[str, list[Contestant]] = {"submit (queued durably)": [], "cached result": []}
        for name, url, pids in servers:
            submit = request_bytes(
                "POST", f"{url}/v1/videos/generations", headers, json.dumps(SUBMIT).encode()
            )
            result = request_bytes("GET", f"{url}/v1/async-result/{ended}", headers)
            kinds["submit (queued durably)"].append(Contestant(name, url, submit, pids))
            kinds["cached result"].append(Contestant(name, url, result, pids))
        yield kinds


def prepare(gateway_url: str, vendor_url: str, headers: dict[str, str]) -> str:
    """Make one video, then let a long one hold the only slot; return the first one's id."""
    with httpx.Client(base_url=gateway_url, headers=headers, timeout=30) as http:
        while http.get("/readyz").status_code != 200:
            time.sleep(0.1)
        ended: str = http.post("/v1/videos/generations", json=SUBMIT).json()["id"]
        while http.get(f"/v1/async-result/{ended}").json()["task_status"] != "SUCCESS":
            time.sleep(0.1)
        httpx.patch(f"{vendor_url}/simulator/settings", json={"duration": 36000}).raise_for_status()
        http.post("/v1/videos/generations", json=SUBMIT).raise_for_status()
    return ended


def store_pid(folder: Path) -> int:
    with redis.Redis.from_url(EmbeddedStore(folder).url) as client:
        return int(client.info("server")["process_id"])


def table(kinds: dict[str, list[Contestant]]) -> str:
    """Medians over the rounds; ratios are of the same round."""
    lines = [
        "| request | server | requests per CPU-second | share of bare uvicorn | p50 ms | p99 ms |",
        "| --- | --- | --: | --: | --: | --: |",
    ]
    for kind, rivals in kinds.items():
        bare = rivals[-1].per_cpu_second()
        for rival in rivals:
            per_second = rival.per_cpu_second()
            share = statistics.median(a / b for a, b in zip(per_second, bare, strict=True))
            p50, p99 = (
                statistics.median(load.percentile(p) for load in rival.loads) * 1000
                for p in (0.5, 0.99)
            )
            lines.append(
                f"| {kind} | {rival.name} | {statistics.median(per_second):,.0f} | {share:.2f} "
                f"| {p50:.1f} | {p99:.1f} |"
            )
    return "\n".join(lines)


def write_down(note: str, about: str, text: str) -> None:
    """Append a table to the record of all runs that somebody wanted to be kept."""
    today = datetime.datetime.now(tz=datetime.UTC).date()
    with RECORD.open("a") as record:
        record.write(f"\n## {today}: {note}\n\n{about}\n\n{text}\n")


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--record", metavar="NOTE", help="append the table to bench/record.md")
    given = options.parse_args()
    if not sys.platform.startswith("linux"):
        sys.exit("bench reads /proc and pins processes to cores: it needs Linux")
    pin(1)
    with contestants() as kinds:
        for number in range(given.rounds + 1):
            for rivals in kinds.values():
                for rival in rivals:
                    rival.measure()
                    if number == 0:  # the first round warms up and does not count
                        rival.loads.clear()
                        rival.cpu_seconds.clear()
        text = table(kinds)
    about = (
        f"{CONNECTIONS} connections, {REQUESTS} requests a round, median of {given.rounds} rounds"
    )
    print(f"{about}\n\n{text}")
    if given.record:
        write_down(given.record, about, text)


if __name__ == "__main__":
    main()
