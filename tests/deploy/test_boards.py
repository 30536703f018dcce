"""Every panel of the Grafana boards shows something, by a real Prometheus that scrapes a gateway of
two processes under load. The boards are checked this way, and not in a Grafana server."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway.telemetry.metrics import ALL, Kind
from tests.deploy.prometheus import Prometheus, scraping
from tests.harness import OTHER_KEY, TEAM_KEY, Processes, wait_until

FOLDER = Path(__file__).parents[2] / "deploy" / "grafana"
VALUES = {
    "$__rate_interval": "10s",
    "$__range": "30s",
    "$account": ".*",
    "$team": ".*",
}
TEAMS = [
    {"name": "films", "tier": "V3", "keys": [TEAM_KEY], "budget_month_fen": 100000},
    {"name": "adverts", "tier": "V0", "keys": [OTHER_KEY]},
]


def makes() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_boards", FOLDER / "make_boards.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BOARDS = {path.stem: json.loads(path.read_text()) for path in (FOLDER / "boards").glob("*.json")}
PANELS = [
    pytest.param(target["expr"], id=f"{name}: {panel['title']} {target['refId']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
    for target in panel["targets"]
]


def test_the_boards_are_those_of_the_code():
    module = makes()
    for name, content in module.BOARDS.items():
        assert (FOLDER / "boards" / name).read_text() == module.text(content), "make metrics"


def test_boards_are_in_grafanas_form():
    for board in BOARDS.values():
        assert isinstance(board["schemaVersion"], int)
        assert re.fullmatch(r"[a-z-]{1,40}", board["uid"])
        ids = [panel["id"] for panel in board["panels"]]
        assert ids == sorted(set(ids))
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            assert panel["type"] in ("timeseries", "stat")
            assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert place["x"] + place["w"] <= 24
            assert not cells & taken, panel["title"]
            taken |= cells


def test_boards_ask_for_metrics_that_there_are():
    known = {metric.name for metric in ALL}
    suffixes = {m.name: ("_bucket", "_sum", "_count") for m in ALL if m.kind is Kind.HISTOGRAM}
    known |= {name + suffix for name, all_of in suffixes.items() for suffix in all_of}
    for board in BOARDS.values():
        asked = set(re.findall(r"\bgateway_\w+", json.dumps(board)))
        assert asked <= known, asked - known


@pytest.fixture(scope="module")
def prometheus(shared: Processes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It has scraped a gateway of two processes for a while: with a queue, failures, a rest."""
    vendor = shared.simulator({"main": 2, "poor": 2}, duration="0.2-0.8")
    running = shared.gateway(
        vendor, {"main": 2, "poor": 2}, GATEWAY_WORKERS="2", GATEWAY_TEAMS=TEAMS
    )
    teams = [shared.caller(running), shared.caller(running, OTHER_KEY)]
    folder = tmp_path_factory.mktemp("prometheus")
    with scraping(folder, [running.url], "groups: []") as started:
        vendor.fault(kind="task_fails", on="submit", probability=0.3)
        vendor.fault(kind="error", on="submit", account="poor", code="1113", status=429)
        for i in range(40):
            teams[i % 2].created(prompt=f"number {i}")
        wait_until(lambda: started.query("sum(gateway_settlements_total) > 30"), 60)
        yield started


@pytest.mark.parametrize("expression", PANELS)
def test_a_panel_shows_something(prometheus: Prometheus, expression: str):
    for name, value in VALUES.items():
        expression = expression.replace(name, value)

    def shown() -> list[dict[str, Any]]:
        return prometheus.query(expression)

    assert wait_until(shown, 20, f"a series of {expression}")
