"""Each alert fires by its real fault, in a real Prometheus that scrapes real gateways.

Here they fire at once (`for` is 0), look back over seconds, and where hours or hundreds of tasks
would have to go by, mean less: what is tried is that the fault is seen, and that nothing else is
taken for it. When they fire in earnest `rules.test.yml` says, and promtool tries.
"""

from __future__ import annotations

import itertools
import re
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import redis
import yaml

from gateway.store.embedded import EmbeddedStore
from tests.admin import Operator
from tests.deploy.prometheus import RULES, scraping, tool
from tests.harness import TEAM_KEY, Processes, Running, Vendor, wait_until

NAMES = [rule["alert"] for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]]
RUNBOOK = RULES.parents[1] / "runbook.md"
LESS = {
    "GatewayQueueWaits": ("> 1800", "> 1"),
    "GatewayEndsKnownLate": ("> 30", "> 0.01"),
    "GatewayVendorFails": ("> 10", "> 1"),
}
"""What would take hours, or hundreds of tasks."""
LIMITS = {"main": 3, "poor": 2, "small": 3, "deaf": 2}


def at_once(rules: str) -> str:
    """The same rules for the impatient."""
    read = yaml.safe_load(rules)
    for rule in read["groups"][0]["rules"]:
        rule["for"] = "0s"
        expression = re.sub(r"\[\d+m\]", "[10s]", rule["expr"])
        if rule["alert"] in LESS:
            usual, less = LESS[rule["alert"]]
            assert usual in expression
            expression = expression.replace(usual, less)
        rule["expr"] = expression
    return yaml.safe_dump(read)


def test_promtool_finds_the_rules_right_and_when_they_fire():
    for command in (["check", "rules", RULES.name], ["test", "rules", "rules.test.yml"]):
        done = subprocess.run(
            [tool("promtool"), *command],
            cwd=RULES.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_line_in_the_runbook():
    lines = re.findall(r"^\| (Gateway\w+) \|", RUNBOOK.read_text(), re.M)
    assert lines == NAMES


def test_all_is_quiet_while_all_is_well(processes: Processes, tmp_path: Path):
    vendor = processes.simulator({"main": 3}, duration="0.3")
    running = processes.gateway(vendor, {"main": 3}, GATEWAY_WORKERS="2")
    team = processes.caller(running)
    with scraping(tmp_path / "prometheus", [running.url], at_once(RULES.read_text())) as prometheus:
        for i in range(4):
            team.ended(team.created(prompt=f"number {i}"))
        settled = "sum(gateway_settlements_total) == 4 and on () sum(rate(up[10s])) >= 0"
        wait_until(lambda: prometheus.query(settled))
        # Here an end is late at once; and of the first scrape there is no rate of anything yet.
        wait_until(lambda: prometheus.firing() <= {"GatewayEndsKnownLate"}, what="quiet")


def test_each_alert_fires_by_its_fault(processes: Processes, tmp_path: Path):
    with ExitStack() as stack:
        embedded = stack.enter_context(EmbeddedStore(tmp_path / "own"))
        vendor: Vendor = processes.simulator(LIMITS, duration="3600")
        settings = {
            "GATEWAY_REDIS_URL": embedded.url,
            "GATEWAY_MAX_AGE_SECONDS": "1",
            "GATEWAY_QUEUE_TASKS": "8",
            "GATEWAY_SUBMIT_TIMEOUT_SECONDS": "2",
            "GATEWAY_SUBMIT_WAIT_SECONDS": "0.2",
            "GATEWAY_STORE_TIMEOUT_SECONDS": "0.5",
            "GATEWAY_ACCOUNT_REST_SECONDS": "600",
            "GATEWAY_CONCURRENCY_REST_SECONDS": "600",
            "GATEWAY_TEAMS": [
                {"name": "films", "limit": 9, "keys": [TEAM_KEY], "budget_total_fen": 1500}
            ],
        }
        running: Running = processes.gateway(vendor, LIMITS, **settings)
        root = stack.enter_context(closing(Operator(running)))
        films = processes.caller(running)
        rules = at_once(RULES.read_text())
        # The vendor refuses one account, takes fewer on another, and never answers for a third.
        vendor.fault(kind="error", on="submit", account="poor", code="1113", status=429)
        vendor.fault(kind="error", on="submit", account="small", code="1302", status=429)
        vendor.fault(kind="cut", on="submit", account="deaf")
        for i in range(16):
            films.submit(prompt=f"number {i}")
        # Somebody takes a task out of its slot by hand, before it is looked for.
        with closing(redis.Redis.from_url(embedded.url, decode_responses=True)) as store:
            (slots,) = wait_until(lambda: store.keys("*:slots:deaf:cogvideox-3"))
            assert store.spop(slots) is not None
        prometheus = stack.enter_context(scraping(tmp_path / "prometheus", [running.url], rules))
        seen: set[str] = set()

        def fires(*names: str, meanwhile: Callable[[], object] = lambda: None) -> None:
            def told() -> bool:
                meanwhile()
                seen.update(prometheus.firing())
                return set(names) <= seen

            wait_until(told, 90, " and ".join(names))

        fires("GatewaySlotDrift", "GatewayAccountOut")
        fires("GatewayUnknownOutcomes", "GatewayTasksOverdue")
        fires("GatewayQueueWaits", "GatewayQueueNearlyFull")
        fires("GatewayAccountSlow")
        vendor.no_faults()
        # The team is at its cap, so slots stay free though its tasks wait.
        for name in ("poor", "small"):
            root.done("POST", f"/accounts/{name}/resume")
        root.done(
            "POST",
            "/accounts",
            name="idle",
            tier="V3",
            base_url=vendor.base_url,
            api_keys=["x" * 20],
        )
        fires("GatewayIdleSlots", "GatewayBudgetNearlySpent")
        # Most of what ends failed, and it was known late.
        vendor.fault(kind="task_fails", on="submit")
        vendor.settings(duration=2)
        vendor.end_all()
        numbers = itertools.count()
        # Rates need more than the first of each: more and more fail.
        fires(
            "GatewayVendorFails",
            "GatewayEndsKnownLate",
            meanwhile=lambda: films.submit(prompt=f"late {next(numbers)}"),
        )

        # A process that is held up, again and again.
        def held_up() -> bool:
            running.signal(signal.SIGSTOP)
            try:
                subprocess.run(["sleep", "0.8"], check=True)
            finally:
                running.signal(signal.SIGCONT)
            seen.update(prometheus.firing())
            return "GatewaySlow" in seen

        wait_until(held_up, 90, "GatewaySlow")
        embedded.stop()
        fires("GatewayStoreDown", "GatewayErrors", meanwhile=lambda: films.submit(prompt="x"))
        embedded.start()
        running.stop()
        fires("GatewayDown")
        alone = processes.gateway(vendor, LIMITS, "serve", "--no-worker", **settings)
        with scraping(tmp_path / "second", [alone.url], rules) as second:
            wait_until(lambda: "GatewayNoBackgroundWork" in second.firing(), 60)
        seen.add("GatewayNoBackgroundWork")
        alone.stop()
        assert seen == set(NAMES)


def test_what_compose_gives_prometheus_is_right(tmp_path: Path):
    """With the paths of the container in place of ours."""
    text = (RULES.parent / "prometheus.yml").read_text()
    (tmp_path / "key").write_text("key")
    (tmp_path / "prometheus.yml").write_text(
        text.replace("/etc/prometheus/rules.yml", str(RULES)).replace(
            "/run/secrets/admin_key", str(tmp_path / "key")
        )
    )
    done = subprocess.run(
        [tool("promtool"), "check", "config", str(tmp_path / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
