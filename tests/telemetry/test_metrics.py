"""What Prometheus would read, from real gateways."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from gateway.store.embedded import EmbeddedStore
from gateway.telemetry.metrics import ALL, Kind
from gateway.telemetry.table import table
from tests.harness import ADMIN_KEY, Processes, Running, wait_until

LIMITS = {"main": 3}
PAGE = Path(__file__).parents[2] / "deploy" / "metrics.md"
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Scrape:
    """All samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.families = {each.name: each for each in text_string_to_metric_families(text)}
        self.series: Series = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def sum(self, name: str, **labels: str) -> float:
        wanted = labels.items()
        return sum(
            value for (each, of), value in self.series.items() if each == name and wanted <= of
        )


def scraped(url: str) -> Scrape:
    answer = httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    assert answer.status_code == 200, answer.text
    return Scrape(answer.text)


def test_the_page_about_metrics_is_that_of_the_code():
    assert PAGE.read_text() == table(), "make metrics"


def test_names_follow_the_conventions():
    for metric in ALL:
        assert re.fullmatch(r"gateway_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
        assert metric.text.endswith(".")


@pytest.fixture(scope="module")
def busy(shared: Processes) -> Iterator[tuple[Processes, Running]]:
    """Two processes that have seen six videos made, and one request for none."""
    vendor = shared.simulator(LIMITS, duration="0.2")
    running = shared.gateway(vendor, LIMITS, GATEWAY_WORKERS="2")
    team = shared.caller(running)
    tasks = [team.created(prompt=f"number {i}") for i in range(6)]
    assert {team.ended(task)["task_status"] for task in tasks} == {"SUCCESS"}
    assert team.submit(model="nobodys").status_code == 400
    yield shared, running


def test_processes_count_together_whichever_is_asked(busy: tuple[Processes, Running]):
    _, running = busy

    def told() -> Scrape | None:
        scrape = scraped(running.url)
        return scrape if scrape.sum("gateway_settlements_total") == 6 else None

    for _ in range(6):  # connections are new: both processes answer
        scrape = wait_until(told, what="six settlements")
        assert scrape.sum("gateway_submissions_total", answer="accepted") == 6
        assert scrape.sum("gateway_submits_total", team="films") == 7
        assert scrape.sum("gateway_submits_total", outcome="invalid") == 1
        assert scrape.sum("gateway_settlements_total", outcome="charged") == 6
        assert scrape.sum("gateway_task_duration_seconds_count") == 6
        assert scrape.sum("gateway_queue_wait_seconds_count", team="films") == 6
        assert scrape.sum("gateway_looks_total", answer="succeeded") == 6
        assert scrape.sum("gateway_spend_fen_total", team="films") == 600
        assert scrape.sum("gateway_store_up") == 1
        assert scrape.sum("gateway_slot_drift") == 0
        assert scrape.sum("gateway_slots_limit", account="main") == 3


def test_counts_outlive_the_process_that_made_them(busy: tuple[Processes, Running]):
    _, running = busy
    before = scraped(running.url).sum("gateway_settlements_total")
    children = [
        child
        for child in psutil.Process(running.process.pid).children()
        if "spawn_main" in " ".join(child.cmdline())
    ]
    children[0].send_signal(signal.SIGKILL)
    wait_until(lambda: not children[0].is_running() or children[0].status() == "zombie")
    for _ in range(6):
        assert scraped(running.url).sum("gateway_settlements_total") == before


def test_no_label_is_of_a_callers_making(busy: tuple[Processes, Running]):
    _, running = busy
    for path in ("/v1/videos/task_0123", "/nowhere/at/all", "/v1/%00", "/admin/tasks/task_55"):
        httpx.get(f"{running.url}{path}")
    httpx.request("BREW", f"{running.url}/v1/models")
    scrape = scraped(running.url)
    labels = {value for _, of in scrape.series for _, value in of}
    assert not [value for value in labels if re.search(r"task_\d|nowhere", value)]
    assert "BREW" not in labels
    counted = "gateway_http_requests_total"
    routes = {dict(of)["route"] for name, of in scrape.series if name == counted}
    assert {"other", "/v1/videos/generations"} <= routes
    known = {metric.name for metric in ALL}
    told = {name if name in known else f"{name}_total" for name in scrape.families}
    assert {name for name in told if name.startswith("gateway_")} <= known


def test_a_difference_between_slots_and_records_is_told(
    processes: Processes, store_url: str, pool: str
):
    vendor = processes.simulator(LIMITS, duration="3600")
    running = processes.gateway(vendor, LIMITS)
    task = processes.caller(running).created()
    wait_until(lambda: vendor.total()["in_flight"] == 1)
    with closing(redis.Redis.from_url(store_url)) as store:
        store.srem(f"{{gw:{pool}}}:slots:main:cogvideox-3", task)
    assert scraped(running.url).sum("gateway_slot_drift") > 0


def test_a_store_that_is_away_is_told_and_nothing_is_made_up(processes: Processes, tmp_path: Path):
    with EmbeddedStore(tmp_path / "own") as embedded:
        running = processes.gateway(None, LIMITS, GATEWAY_REDIS_URL=embedded.url)
        assert scraped(running.url).sum("gateway_store_up") == 1
        embedded.stop()
        wait_until(lambda: scraped(running.url).sum("gateway_store_up") == 0)
        scrape = scraped(running.url)
        assert "gateway_slots_limit" not in scrape.families
        assert scrape.sum("gateway_store_errors_total") > 0
        running.stop()


def test_a_worker_tells_of_itself_on_a_port_of_its_own(processes: Processes):
    vendor = processes.simulator(LIMITS, duration="0.2")
    api = processes.gateway(vendor, LIMITS, "serve", "--no-worker")
    worker = processes.gateway(vendor, LIMITS, "worker", GATEWAY_WORKER_PORT="0")
    url = re.search(r"http://[^\s)]+", worker.said)
    assert url is not None
    assert httpx.get(f"{url[0]}/healthz").json() == {"status": "ok"}
    wait_until(lambda: httpx.get(f"{url[0]}/readyz").status_code == 200)
    team = processes.caller(api)
    team.ended(team.created())
    scrape = Scrape(httpx.get(f"{url[0]}/metrics").text)
    assert scrape.sum("gateway_settlements_total") == 1
    assert scrape.sum("gateway_background_steps_total", loop="looks", result="ok") > 0
    assert worker.stop() == 0
