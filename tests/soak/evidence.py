"""What is known once everything is quiet: from the simulator, the store and every replica."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from redis import Redis

from tests.harness import Vendor, run_command
from tests.soak.stage import POOL, Replica, Stage
from tests.soak.traffic import Job

TAG = f"{{gw:{POOL}}}"
_PAGE = 1000
_READERS = 4
_CLAIM = re.compile(r"(.+)-(\d+)")


@dataclass(frozen=True, kw_only=True)
class Made:
    """A task as the vendor has it."""

    id: str
    number: int
    request_id: str
    account: str
    status: str
    body: dict[str, Any]
    accepted_at: float
    ends_at: float
    told_at: float | None
    looks: int

    @property
    def task(self) -> str:
        """The gateway's task: the vendor's request_id is `<task>-<claim number>`."""
        return found[1] if (found := _CLAIM.fullmatch(self.request_id)) else self.request_id

    @property
    def claim(self) -> str:
        return found[2] if (found := _CLAIM.fullmatch(self.request_id)) else ""


_TOLD = [each.name for each in fields(Made)]


class Verified(NamedTuple):
    """What `gateway slots --verify` or `gateway usage verify` said."""

    at: float
    status: int
    stdout: str
    stderr: str

    @property
    def agrees(self) -> bool:
        said = ("slots and records agree\n", "the ledger and all sums agree: ")
        return self.status == 0 and self.stdout.startswith(said)

    @property
    def store_was_away(self) -> bool:
        return "the store does not answer" in self.stderr


class Reading(NamedTuple):
    status: int
    body: Any


@dataclass(kw_only=True)
class Evidence:
    """All that the judge gets to see."""

    jobs: list[Job]
    limits: dict[str, int]
    caps: dict[str, int]
    stats: dict[str, Any]
    """The simulator's own count."""
    made: list[Made]
    records: dict[str, dict[str, str]]
    ledger: list[dict[str, str]]
    left: dict[str, int]
    """Keys of the store that a quiet gateway must not have, and how much is in them."""
    readings: dict[int, dict[str, Reading]]
    """By replica: what it says of every task."""
    verified: list[Verified]
    """Of the slots."""
    books: list[Verified]
    """Of the ledger and its sums."""
    billed: dict[str, int]
    """By team, what it owes, as operators are told: fen."""
    unknown: list[str]
    """What operators are told of unknown outcomes: the vendor's request_ids."""
    bad_exits: list[str] = field(default_factory=list)
    odd_answers: list[str] = field(default_factory=list)
    in_time: bool = True
    """Whether the gateway became quiet within its time."""


def vendors_tasks(vendor: Vendor) -> list[Made]:
    """All of them, though a page has a thousand at most: by the first letters of their ids."""
    found: list[Made] = []
    prefixes = ["task_"]
    with httpx.Client(base_url=vendor.url, timeout=60, trust_env=False) as http:
        while prefixes:
            asked = {"request_id": prefixes.pop(), "limit": str(_PAGE)}
            page = http.get("/simulator/tasks", params=asked).raise_for_status().json()
            if len(page) == _PAGE:
                prefixes += [asked["request_id"] + digit for digit in "0123456789abcdef"]
            else:
                found += [Made(**{name: task[name] for name in _TOLD}) for task in page]
    return sorted(found, key=lambda made: made.number)


def read_records(store: Redis) -> dict[str, dict[str, str]]:
    """Every task's record, as it is stored."""
    keys = list(store.scan_iter(f"{TAG}:task:*", count=1000))
    records: dict[str, dict[str, str]] = {}
    for start in range(0, len(keys), _PAGE):
        some = keys[start : start + _PAGE]
        with store.pipeline(transaction=False) as pipeline:
            for key in some:
                pipeline.hgetall(key)
            hashes = pipeline.execute()
        records |= {
            key.removeprefix(f"{TAG}:task:"): record
            for key, record in zip(some, hashes, strict=True)
        }
    return records


def read_ledger(store: Redis) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = []
    for day in store.zrange(f"{TAG}:ledger_days", 0, -1):
        start = "-"
        while page := store.xrange(f"{TAG}:ledger:{day}", start, "+", count=_PAGE):
            entries += [fields for _, fields in page]
            start = f"({page[-1][0]}"
    return entries


def read_bill(settings: dict[str, Any]) -> tuple[dict[str, int], list[str]]:
    """What operators are told at the keyboard: by team what it owes, and the unknown outcomes."""

    def told(*words: str) -> Any:
        since = ("--from", "2020-01-01", "--format", "json")
        done = run_command("usage", *words, *since, **settings)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    billed = {row["team"]: row["charged_fen"] for row in told("show")["rows"]}
    return billed, [task["request_id"] for task in told("unknown")["tasks"]]


# Sets, sorted sets, hashes and strings of what is under way. Nothing is, so none may be there.
_UNDER_WAY = (
    *("slots", "places", "transit", "unknown", "leases", "due"),
    *("queue", "waiting", "classes", "deadlines"),
)


def read_left(store: Redis) -> dict[str, int]:
    """What a quiet gateway has left behind, by key."""
    left: dict[str, int] = {}
    for key in store.scan_iter(f"{TAG}:*", count=1000):
        name = key.removeprefix(f"{TAG}:").partition(":")[0]
        if name in _UNDER_WAY:
            kind = store.type(key)  # "none" for what has gone since it was listed
            if kind in ("set", "zset"):
                left[key] = store.scard(key) if kind == "set" else store.zcard(key)
        elif name == "images" and store.ttl(key) < 0:  # those never admitted have a lifetime
            left[key] = 1
    for team, held in store.hgetall(f"{TAG}:bytes").items():
        if int(held):
            left[f"{TAG}:bytes {team}"] = int(held)
    return left


async def read_everywhere(
    jobs: list[Job], replicas: list[Replica], clients: dict[int, httpx.AsyncClient]
) -> dict[int, dict[str, Reading]]:
    """Ask every replica for every task that was acknowledged."""
    readings: dict[int, dict[str, Reading]] = {replica.number: {} for replica in replicas}

    async def read(number: int, todo: list[Job]) -> None:
        for job in todo:
            for task in dict.fromkeys(job.ids):
                readings[number][task] = await _read(clients[number], task, job.team.key)

    async with asyncio.TaskGroup() as readers:
        for number in readings:
            for first in range(_READERS):
                readers.create_task(read(number, jobs[first::_READERS]))
    return readings


async def _read(client: httpx.AsyncClient, task: str, key: str) -> Reading:
    """Nothing is struck any more, so only a connection that was kept too long may fail."""
    headers = {"Authorization": f"Bearer {key}"}
    for _ in range(3):
        with suppress(httpx.TransportError):
            answer = await client.get(f"/v1/async-result/{task}", headers=headers, timeout=30)
            return Reading(answer.status_code, answer.json())
    return Reading(0, "no answer")


def complaints(stage: Stage) -> Counter[str]:
    """What the replicas' logs call an error, by its words without names and numbers."""
    found: Counter[str] = Counter()
    for replica in stage.replicas:
        with replica.log.open(encoding="utf-8", errors="replace") as log:
            for line in log:
                if " ERROR " in line:
                    found[_worded(line.split(" ERROR ", 1)[1])] += 1
                elif re.match(r"[\w.]+(Error|Exception|Warning|Group)\b", line):
                    found[_worded(line)] += 1
    return found


def _worded(line: str) -> str:
    return re.sub(r"task_[0-9a-f]+|\b\d[\d.]*\b", "_", line).strip()[:160]


def lines_about(task: str, logs: list[Path]) -> list[str]:
    """What the replicas said of a task, in the order of time."""
    lines = [
        f"{line.rstrip()} [{log.stem}]"
        for log in logs
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if task in line
    ]
    return sorted(lines)
