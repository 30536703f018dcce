"""A real Prometheus. It is installed where that can be done; else the tests say so."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.harness import ADMIN_KEY, wait_until

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yml"


def tool(name: str) -> str:
    """Where `prometheus` or `promtool` is."""
    found = shutil.which(name)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        # Debian would start it as a service.
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "prometheus"]
        for command in (["apt-get", "update", "-qq"], install):
            subprocess.run(command, env=quiet, check=False, capture_output=True)
        found = shutil.which(name)
    if found is None:
        pytest.skip("needs Prometheus (Debian: prometheus), and could not install it")
    return found


class Prometheus:
    """What it knows."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = self._http.get("/query", params={"query": expression})
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        told: list[dict[str, Any]] = answer.json()["data"]["result"]
        return told

    def firing(self) -> set[str]:
        told = self._http.get("/alerts").json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in told if alert["state"] == "firing"}


@contextmanager
def scraping(folder: Path, urls: Sequence[str], rules: str) -> Iterator[Prometheus]:
    """One that scrapes these gateways each second, by these rules."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.yml").write_text(rules)
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [
            {
                "job_name": "gateway",
                "authorization": {"credentials": ADMIN_KEY},
                "static_configs": [{"targets": [url.removeprefix("http://") for url in urls]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (folder / "prometheus.log").open("wb")
    process = subprocess.Popen(
        [
            tool("prometheus"),
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _ready(url), what="Prometheus")
        with closing(httpx.Client(base_url=f"{url}/api/v1", timeout=30)) as http:
            yield Prometheus(http)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        log.close()


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").status_code == 200
    except httpx.TransportError:
        return False
