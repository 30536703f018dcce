"""What it costs that somebody watches: 2,000 tasks running, 10,000 queued, and the dashboard open.

Rounds with nobody, and with a page of a real Chromium on the overview, take turns; what counts is
the CPU time of gateway and store within them. And what whoever opens the page waits for, with a
cold cache.

    python -m bench.watching [--rounds 4] [--record "what changed"]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from bench.__main__ import SUBMIT, cpu_seconds, pin, server, store_pid, write_down
from bench.load import request_bytes, run

ACCOUNTS, LIMIT, QUEUED = 100, 20, 10_000
ROUND_SECONDS = 10.0
ADMIN_KEY = f"sk-admin-{secrets.token_hex(24)}"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@contextlib.contextmanager
def crowded() -> Iterator[tuple[str, list[int]]]:
    """A gateway whose slots are taken, and thousands wait: its address, and whose CPU counts."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-bench-"))
        accounts = [
            {"name": f"account-{i:03}", "limit": LIMIT, "api_keys": [f"key-{i:03}.secret"]}
            for i in range(ACCOUNTS)
        ]
        vendor_url, _ = stack.enter_context(
            server(
                *("gateway.simulator", "--port", "0", "--duration", "600-1200"),
                *("--accounts", json.dumps(accounts)),
                pinned=False,
            )
        )
        key = f"sk-{secrets.token_hex(24)}"
        known = [{**each, "base_url": f"{vendor_url}/api/paas/v4"} for each in accounts]
        team = {"name": "bench", "limit": ACCOUNTS * LIMIT, "keys": [key], "queue_tasks": 20_000}
        url, pid = stack.enter_context(
            server(
                "gateway",
                "serve",
                GATEWAY_PORT="0",
                GATEWAY_DATA_DIR=folder,
                GATEWAY_LOG_LEVEL="warning",
                GATEWAY_ADMIN_KEY=ADMIN_KEY,
                GATEWAY_QUEUE_TASKS_PER_TEAM="20000",
                GATEWAY_SUBMIT_WAIT_SECONDS="0.01",
                GATEWAY_ACCOUNTS=json.dumps(known),
                GATEWAY_TEAMS=json.dumps([team]),
            )
        )
        while httpx.get(f"{url}/readyz").status_code != 200:
            time.sleep(0.1)
        headers = {"Authorization": f"Bearer {key}"}
        submit = request_bytes(
            "POST", f"{url}/v1/videos/generations", headers, json.dumps(SUBMIT).encode()
        )
        asyncio.run(run(url, submit, requests=ACCOUNTS * LIMIT + QUEUED, connections=32))
        admin = {"Authorization": f"Bearer {ADMIN_KEY}"}
        used = 0
        while used < ACCOUNTS * LIMIT:
            time.sleep(1)
            lanes = httpx.get(f"{url}/admin/overview", headers=admin, timeout=30).json()["lanes"]
            used = sum(slot[1] == "in_progress" for lane in lanes for slot in lane["slots"])
        yield url, [pid, store_pid(Path(folder))]


def page_of(browser: Browser, url: str) -> tuple[Page, dict[str, float]]:
    """A page of its own, signed in and on the overview; and what its visitor waited for, in ms."""
    page = browser.new_context(viewport={"width": 1360, "height": 900}).new_page()
    page.goto(f"{url}/dashboard")
    page.wait_for_selector("input[name=key]")
    paint = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
    weight = (
        "() => performance.getEntriesByType('resource').concat("
        "performance.getEntriesByType('navigation')).reduce((n, e) => n + e.transferSize, 0)"
    )
    waited = {"first paint, cold cache, ms": page.evaluate(paint)}
    waited["transferred, kB"] = page.evaluate(weight) / 1000
    page.fill("input[name=key]", ADMIN_KEY)
    began = time.perf_counter()
    page.click("form button.main")
    page.wait_for_selector(f".lane:nth-child({ACCOUNTS})")
    waited["overview with 2,000 slots, ms"] = (time.perf_counter() - began) * 1000
    return page, waited


def switched(page: Page) -> float:
    """From a click on another view to its first row, in ms."""
    began = time.perf_counter()
    page.click("nav a[href='#/tasks']")
    page.wait_for_selector("tbody tr")
    waited = (time.perf_counter() - began) * 1000
    page.click("nav a[href='#/overview']")
    page.wait_for_selector(".lane")
    return waited


def cpu_share(pids: list[int], seconds: float = ROUND_SECONDS) -> float:
    """Of one core, in percent."""
    before = sum(map(cpu_seconds, pids))
    time.sleep(seconds)
    return 100 * (sum(map(cpu_seconds, pids)) - before) / seconds


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.watching", description=__doc__)
    options.add_argument("--rounds", type=int, default=4)
    options.add_argument("--record", metavar="NOTE", help="append the table to bench/record.md")
    given = options.parse_args()
    path = shutil.which("chromium")
    if path is None:
        sys.exit("bench.watching needs Chromium (Debian: chromium)")
    pin(1)
    alone, watched, waits, views = [], [], [], []
    with (
        crowded() as (url, pids),
        sync_playwright() as playwright,
        contextlib.closing(
            playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        ) as browser,
    ):
        cpu_share(pids, 2 * ROUND_SECONDS)  # it warms up, and does not count
        for _ in range(given.rounds):
            alone.append(cpu_share(pids))
            page, waited = page_of(browser, url)
            watched.append(cpu_share(pids))
            views.append(switched(page))
            waits.append(waited)
            page.context.close()
    more = [with_page - without for with_page, without in zip(watched, alone, strict=True)]
    rows = [
        ("gateway and store, nobody watches", f"{statistics.median(alone):.0f} % of a core"),
        ("the same, one page on the overview", f"{statistics.median(watched):.0f} %"),
        ("what the page costs, round by round", f"{statistics.median(more):+.0f} %"),
        *((name, f"{statistics.median(each[name] for each in waits):,.0f}") for name in waits[0]),
        ("from a click to the list of tasks, ms", f"{statistics.median(views):,.0f}"),
    ]
    text = "\n".join(["| what | median |", "| --- | --: |", *(f"| {a} | {b} |" for a, b in rows)])
    about = (
        f"2,000 tasks running, 10,000 queued; {given.rounds} rounds of {ROUND_SECONDS:.0f} s each"
    )
    print(f"{about}\n\n{text}")
    if given.record:
        write_down(given.record, about, text)


if __name__ == "__main__":
    main()
