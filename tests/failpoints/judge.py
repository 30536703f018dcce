"""The verdict: what the vendor counted, against the records, the ledger and the answers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.failpoints.cases import Unknown
from tests.failpoints.lane import LIMIT, Lane
from tests.failpoints.traffic import UNKNOWN, Job

_STATUSES = {"charged": {"completed"}, "free": {"failed", "cancelled"}, "unknown": {"failed"}}
# Keys of what is under way. When nothing is, none of them is there.
_UNDER_WAY = (
    *("slots", "places", "transit", "unknown", "leases", "due"),
    *("queue", "waiting", "classes", "deadlines"),
)


@dataclass(frozen=True)
class Evidence:
    """What is known once everything is over."""

    jobs: list[Job]
    ends: dict[str, str]
    """By task id, how it ended in the words of the replica that is left."""
    records: dict[str, dict[str, str]]
    ledger: list[dict[str, str]]
    made: list[dict[str, Any]]
    """The vendor's tasks of this case."""
    figures: dict[str, Any]
    left: list[str]
    differences: list[str]
    unknown: Unknown


def left_behind(lane: Lane) -> list[str]:
    """What a quiet pool must not have."""
    prefix = f"{lane.keys.tag}:"
    left = []
    for key in lane.redis.scan_iter(f"{prefix}*", count=1000):
        name = key.removeprefix(prefix).partition(":")[0]
        # Images that were stored and never admitted have a lifetime, and nobody needs them.
        if name in _UNDER_WAY or (name == "images" and lane.redis.ttl(key) < 0):
            left.append(key)
    held = lane.redis.hgetall(lane.keys.bytes)
    return left + [f"{team} holds {size} bytes" for team, size in held.items() if int(size)]


def violations(evidence: Evidence) -> list[str]:
    """Everything that must never be, in words; none when all is well."""
    checks = (_one_task_a_job, _ends, _vendors_count, _made_once, _ledger, _nothing_left)
    return [found for check in checks for found in check(evidence)]


def _one_task_a_job(evidence: Evidence) -> Iterator[str]:
    prompts = Counter(json.loads(r["request"])["prompt"] for r in evidence.records.values())
    for job in evidence.jobs:
        if prompts[job.prompt] != 1:
            yield f"{job.prompt!r} has {prompts[job.prompt]} records"
        if job.id not in evidence.records:
            yield f"{job.prompt!r} was told {job.id}, which is nowhere"
    if len(evidence.records) != len(evidence.jobs):
        yield f"there are {len(evidence.records)} records of {len(evidence.jobs)} jobs"


def _ends(evidence: Evidence) -> Iterator[str]:
    """Each as its scenario says, but for the one whose submit was struck."""
    others = [(job, evidence.ends[job.id or ""]) for job in evidence.jobs]
    others = [(job, end) for job, end in others if end not in job.ends]
    if evidence.unknown is Unknown.ONE and not others:
        yield "the outcome of the struck submit cannot be known, and yet it is told"
    for job, end in others:
        allowed = evidence.unknown is not Unknown.NO and end == UNKNOWN and len(others) == 1
        if not allowed:
            yield f"{job.prompt!r} ended as {end}"


def _vendors_count(evidence: Evidence) -> Iterator[str]:
    never = ("duplicates", "repeated_request_ids", "over_limit", "refused_over_limit")
    for name in (*never, "looks_with_foreign_key", "nulls_received", "unknown_fields_received"):
        if evidence.figures[name]:
            yield f"the vendor counted {evidence.figures[name]} {name}"
    if evidence.figures["peak_in_flight"] > LIMIT:
        yield f"{evidence.figures['peak_in_flight']} were in flight, of {LIMIT}"


def _made_once(evidence: Evidence) -> Iterator[str]:
    """At most once a task, and what its caller asked for, images included."""
    made = Counter(_task_of(each) for each in evidence.made)
    for task, times in made.items():
        if times > 1:
            yield f"{task} was accepted {times} times"
    asked = {job.id: job.body for job in evidence.jobs}
    for each in evidence.made:
        body = {name: said for name, said in each["body"].items() if name != "request_id"}
        if body != asked.get(_task_of(each)):
            yield f"the vendor was asked for something else: {each['body']}"


def _ledger(evidence: Evidence) -> Iterator[str]:
    entries = Counter(entry["task"] for entry in evidence.ledger)
    if entries != Counter(evidence.records.keys()):
        yield f"the ledger has {dict(entries)} for {list(evidence.records)}"
    for entry in evidence.ledger:
        task, outcome = entry["task"], entry["outcome"]
        record = evidence.records.get(task, {})
        if record.get("status") not in _STATUSES[outcome]:
            yield f"{task} is {outcome}, but {record.get('status')}"
        made = [e["id"] for e in evidence.made if _task_of(e) == task and e["status"] == "SUCCESS"]
        if outcome == "charged" and made != [record.get("provider_task_id")]:
            yield f"{task} is charged, but the vendor made {made}"
        if outcome == "free" and made:
            yield f"{task} is free, but the vendor made {made}"
        if outcome == "unknown" and record.get("error_code") != UNKNOWN:
            yield f"{task} is unknown, but ended as {record.get('error_code')}"


def _nothing_left(evidence: Evidence) -> Iterator[str]:
    for key in evidence.left:
        yield f"left behind: {key}"
    for difference in evidence.differences:
        yield f"slots and records differ: {difference}"


def _task_of(made: dict[str, Any]) -> str:
    """The gateway's task: its request_id is `<task>-<claim number>`."""
    return str(made["request_id"]).rpartition("-")[0]
