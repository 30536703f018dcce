"""Teams whose tasks have ended in every way there is, so that there is something in the books."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import redis

from gateway.store.keyspace import Keyspace
from tests import noon
from tests.harness import OTHER_KEY, TEAM_KEY, TEAMS, Caller, Processes, run_command

LIMITS = {"main": 1}
SMALL, LARGE = {"size": "1920x1080", "quality": "speed"}, {"size": "3840x2160"}
SETTINGS: dict[str, Any] = {
    "GATEWAY_TIME_ZONE": str(noon.ZONE),
    "GATEWAY_TEAMS": [
        TEAMS[0] | {"budget_day_fen": 1000, "budget_total_fen": 5000},
        TEAMS[1],
        {"name": "games", "keys": ["sk-games-0123456789abcdef0123456789abcdef"]},
    ],
    "GATEWAY_PRICES": [{"model": "cogvideox-3", "size": "3840x2160", "price_fen": 250}],
}


class Bookish:
    """A gateway whose films have three small videos and a large one completed, one failed, one
    cancelled, one of unknown outcome and one under way; adverts have one completed."""

    def __init__(self, processes: Processes) -> None:
        self.vendor = processes.simulator(LIMITS, duration="3600")
        self.settings = processes.settings(self.vendor, LIMITS) | SETTINGS
        self.running = processes.gateway(self.vendor, LIMITS, **SETTINGS)
        self.films = processes.caller(self.running, TEAM_KEY)
        self.adverts = processes.caller(self.running, OTHER_KEY)
        self.tasks: dict[str, list[str]] = {"completed": [], "of adverts": []}
        for _ in range(2):
            self.tasks["completed"].append(self._complete(self.films, **SMALL))
        self.tasks["completed"].append(self._complete(self.films, **LARGE))
        self.tasks["of adverts"].append(self._complete(self.adverts, **SMALL))
        self.vendor.fault(on="submit", kind="task_fails")
        self.tasks["failed"] = [self._complete(self.films, **SMALL)]
        self.vendor.no_faults()
        runs, waits = self.films.created(**SMALL), self.films.created(**SMALL)
        self.films.http.post(f"/v1/videos/{waits}/cancel").raise_for_status()
        self._end(self.films, runs)
        self.tasks["completed"].append(runs)
        self.tasks["cancelled"] = [waits]
        lost = self.films.created(**SMALL)
        why = ("--reason", "for a test", "--force")
        released = run_command("slots", "release", lost, *why, **self.settings)
        assert released.returncode == 0, released.stderr
        self.tasks["unknown"] = [lost]
        self.vendor.end_all()
        self.tasks["live"] = [self.films.created(**SMALL)]

    def _complete(self, caller: Caller, **fields: Any) -> str:
        task = caller.created(**fields)
        self._end(caller, task)
        return task

    def _end(self, caller: Caller, task: str) -> None:
        self.vendor.end_all()
        caller.ended(task)


def know_viewer(store_url: str, pool: str, key: str, team: str | None) -> None:
    """Let there be an operator who may look, at one team or at all."""
    keys, digest = Keyspace(pool), hashlib.sha256(key.encode()).hexdigest()
    record = {
        "name": "looker",
        "role": "viewer",
        "team": team,
        "created_ms": 0,
        "secrets": [{"hint": "...", "digest": digest}],
    }
    with redis.Redis.from_url(store_url) as client:
        client.hset(keys.operators, f"op_{digest[:16]}", json.dumps(record))
        client.incr(keys.tenants_version)
        client.publish(keys.events, "tenants looker")
