"""The judge sees what is wrong: each test spoils one thing in evidence that is clean."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.soak.evidence import Evidence, Made, Reading, Verified
from tests.soak.judge import DOUBLE, LEAKED, LEDGER, LOST, OTHER, OVER_LIMIT, judge
from tests.soak.stage import MODEL, PRICE_FEN, TEAMS
from tests.soak.traffic import Job

DONE, LOST_ANSWER, CANCELLED = TASKS = tuple(f"task_{digit * 32}" for digit in "abc")
TEAM = TEAMS[0]


def made(task: str, **changes: Any) -> Made:
    fields: dict[str, Any] = {
        "id": f"vendor-{task}",
        "number": 1,
        "request_id": f"{task}-1",
        "account": "north",
        "status": "SUCCESS",
        "body": {"model": MODEL, "prompt": task, "request_id": f"{task}-1"},
        "accepted_at": 10.0,
        "ends_at": 12.0,
        "told_at": 12.3,
        "looks": 3,
    }
    return Made(**fields | changes)


def told(task: str, code: str | None) -> dict[str, Any]:
    if code is None:
        return {"id": task, "task_status": "SUCCESS"}
    return {"id": task, "task_status": "FAIL", "error": {"code": code, "message": ""}}


def job(number: int, task: str, code: str | None) -> Job:
    body = {"model": MODEL, "prompt": task}
    return Job(number, TEAM, f"key-{number}", body, ids=[task], told=told(task, code))


def record(task: str, status: str, **more: str) -> dict[str, str]:
    return {
        "status": status,
        "team": TEAM.name,
        "claim": "1",
        "request": json.dumps({"prompt": task}),
    } | more


def entry(task: str, outcome: str) -> dict[str, str]:
    return {"task": task, "team": TEAM.name, "outcome": outcome, "price_fen": str(PRICE_FEN)}


@pytest.fixture
def clean() -> Evidence:
    """Three tasks: one done, one whose answer was lost though it was made, one cancelled."""
    codes = {DONE: None, LOST_ANSWER: "submission_outcome_unknown", CANCELLED: "cancelled"}
    spotless = ("duplicates", "repeated_request_ids", "over_limit", "refused_over_limit")
    spotless += ("looks_with_foreign_key", "nulls_received", "unknown_fields_received")
    return Evidence(
        jobs=[job(number, task, code) for number, (task, code) in enumerate(codes.items())],
        limits={"north": 2},
        caps={TEAM.name: 2},
        stats={
            "total": dict.fromkeys(spotless, 0) | {"accepted": 2},
            "accounts": {"north": {MODEL: {"peak_in_flight": 2}}},
        },
        made=[made(DONE), made(LOST_ANSWER, number=2)],
        records={
            DONE: record(DONE, "completed", provider_task_id=f"vendor-{DONE}"),
            LOST_ANSWER: record(LOST_ANSWER, "failed", error_code="submission_outcome_unknown"),
            CANCELLED: record(CANCELLED, "cancelled", cancel_asked_ms="1"),
        },
        ledger=[entry(DONE, "charged"), entry(LOST_ANSWER, "unknown"), entry(CANCELLED, "free")],
        left={},
        readings={
            number: {task: Reading(200, told(task, code)) for task, code in codes.items()}
            for number in (0, 1)
        },
        verified=[Verified(60.0, 0, "slots and records agree\n", "")],
        books=[Verified(60.0, 0, "the ledger and all sums agree: 3 entries of 1 day\n", "")],
        billed={TEAM.name: PRICE_FEN},
        unknown=[f"{LOST_ANSWER}-1"],
    )


def columns(evidence: Evidence) -> set[str]:
    return {violation.column for violation in judge(evidence)}


def test_clean_evidence_is_clean(clean: Evidence):
    assert judge(clean) == []


Spoil = Callable[[Evidence], object]

SPOILT: dict[str, tuple[str, Spoil]] = {
    "made twice": (DOUBLE, lambda e: e.made.append(made(DONE, request_id=f"{DONE}-2"))),
    "vendor counted a duplicate": (DOUBLE, lambda e: e.stats["total"].update(duplicates=1)),
    "sent twice": (DOUBLE, lambda e: e.stats["total"].update(repeated_request_ids=1)),
    "two ids for a key": (DOUBLE, lambda e: e.jobs[0].ids.append(LOST_ANSWER)),
    "two records for a key": (
        DOUBLE,
        lambda e: e.records.update({"task_d": record(DONE, "failed")}),
    ),
    "full account": (OVER_LIMIT, lambda e: e.stats["total"].update(refused_over_limit=1)),
    "over the account's limit": (OVER_LIMIT, lambda e: e.limits.update(north=1)),
    "over the team's cap": (OVER_LIMIT, lambda e: e.caps.update({TEAM.name: 1})),
    "never ended": (LOST, lambda e: setattr(e.jobs[0], "told", None)),
    "no record": (LOST, lambda e: e.records.pop(CANCELLED)),
    "record under way": (LOST, lambda e: e.records[CANCELLED].update(status="queued")),
    "unreadable on a replica": (
        LOST,
        lambda e: e.readings[1].update({DONE: Reading(404, {})}),
    ),
    "another end on a replica": (
        LOST,
        lambda e: e.readings[1].update({DONE: Reading(200, told(DONE, "1301"))}),
    ),
    "never quiet": (LOST, lambda e: setattr(e, "in_time", False)),
    "a slot left": (LEAKED, lambda e: e.left.update({"slots:north": 1})),
    "verify disagrees": (
        LEAKED,
        lambda e: e.verified.insert(0, Verified(20.0, 1, "task_a is in a slot", "")),
    ),
    "verify gives no answer at the end": (
        LEAKED,
        lambda e: e.verified.append(Verified(70.0, 1, "", "error: the store does not answer")),
    ),
    "entry missing": (LEDGER, lambda e: e.ledger.pop()),
    "two entries": (LEDGER, lambda e: e.ledger.append(entry(DONE, "charged"))),
    "a stranger's entry": (LEDGER, lambda e: e.ledger.append(entry("task_d", "free"))),
    "charged for nothing": (LEDGER, lambda e: e.made.pop(0)),
    "free though it was made": (LEDGER, lambda e: e.ledger[1].update(outcome="free")),
    "wrong price": (LEDGER, lambda e: e.ledger[0].update(price_fen="1")),
    "another team's bill": (LEDGER, lambda e: e.ledger[0].update(team="others")),
    "billed too much": (LEDGER, lambda e: e.billed.update({TEAM.name: 1})),
    "billed to somebody else": (LEDGER, lambda e: e.billed.update(others=PRICE_FEN)),
    "an unknown outcome that is not named": (LEDGER, lambda e: e.unknown.clear()),
    "books that do not agree": (
        LEDGER,
        lambda e: e.books.insert(0, Verified(20.0, 1, "spend:all says 1 fen", "")),
    ),
    "books that nobody could read in the end": (
        LEDGER,
        lambda e: e.books.append(Verified(70.0, 1, "", "error: the store does not answer")),
    ),
    "another claim's": (LEDGER, lambda e: e.records[DONE].update(claim="2")),
    "cancel forgotten": (OTHER, lambda e: setattr(e.jobs[0], "cancel_answer", 202)),
    "cancel not told": (OTHER, lambda e: e.records[DONE].update(cancel_asked_ms="1")),
    "asked for something else": (OTHER, lambda e: e.made[0].body.update(quality="speed")),
    "a stranger at the vendor": (OTHER, lambda e: e.records.pop(DONE)),
    "an end that nobody ordered": (
        OTHER,
        lambda e: setattr(e.jobs[0], "told", told(DONE, "queue_timeout")),
    ),
    "a look with a foreign key": (
        OTHER,
        lambda e: e.stats["total"].update(looks_with_foreign_key=1),
    ),
    "a 500": (OTHER, lambda e: e.odd_answers.append("500")),
    "a bad exit": (OTHER, lambda e: e.bad_exits.append("replica 0")),
}


@pytest.mark.parametrize("what", SPOILT)
def test_the_judge_sees(clean: Evidence, what: str):
    column, spoil = SPOILT[what]
    spoilt = copy.deepcopy(clean)
    spoil(spoilt)
    assert column in columns(spoilt)


def test_a_store_that_is_away_meanwhile_is_no_difference(clean: Evidence):
    away = Verified(20.0, 1, "", "error: the store does not answer: Connection refused\n")
    clean.verified.insert(0, away)
    assert judge(clean) == []


def test_an_end_makes_room_for_a_start_at_the_same_moment(clean: Evidence):
    clean.made.append(made(CANCELLED, number=3, accepted_at=12.0, ends_at=13.0))
    assert OVER_LIMIT not in columns(clean)


def test_a_violation_names_its_task(clean: Evidence):
    clean.ledger.pop()
    assert [violation.tasks for violation in judge(clean)] == [(CANCELLED,)]
