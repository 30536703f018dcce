"""The verdict: what must hold of the evidence, and every task of which it does not.

The judge trusts nobody. The simulator counts for itself; what it counted is counted once more
from its list of tasks; and what the gateway says (records, ledger, answers) is held against that.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tests.soak.evidence import Evidence, Made, Reading
from tests.soak.stage import MODEL, PRICE_FEN
from tests.soak.traffic import Job

COLUMNS = ("lost", "double", "over limit", "leaked", "ledger", "other")
LOST, DOUBLE, OVER_LIMIT, LEAKED, LEDGER, OTHER = COLUMNS

_ENDED = ("completed", "failed", "cancelled")
_REFUSED = "1301"
_OUTCOME_UNKNOWN = "submission_outcome_unknown"
# How a task may end here: done; failed at the vendor, with its reason or without; refused by it;
# unknown; cancelled.
_ENDS = ("SUCCESS", _REFUSED, "generation_failed", _OUTCOME_UNKNOWN, "cancelled")


class Violation(NamedTuple):
    """Something that must never be."""

    column: str
    what: str
    tasks: tuple[str, ...] = ()


def judge(evidence: Evidence) -> list[Violation]:
    """All violations, in the order of the columns."""
    found = [violation for check in _CHECKS for violation in check(evidence)]
    return sorted(found, key=lambda violation: COLUMNS.index(violation.column))


def _nothing_twice(evidence: Evidence) -> Iterator[Violation]:
    total = evidence.stats["total"]
    if total["duplicates"]:
        yield Violation(DOUBLE, f"the vendor counted {total['duplicates']} duplicates")
    if total["repeated_request_ids"]:
        repeated = total["repeated_request_ids"]
        yield Violation(DOUBLE, f"the vendor saw {repeated} request_ids a second time")
    for task, made in _by_task(evidence.made).items():
        if len(made) > 1:
            yield Violation(DOUBLE, f"was made {len(made)} times", (task,))


def _one_task_a_job(evidence: Evidence) -> Iterator[Violation]:
    """The same idempotency key always means the same task, wherever it is said."""
    prompts: defaultdict[str, list[str]] = defaultdict(list)
    for task, record in evidence.records.items():
        prompts[str(json.loads(record["request"])["prompt"])].append(task)
    for job in evidence.jobs:
        if len(set(job.ids)) > 1:
            yield Violation(DOUBLE, f"the key {job.key} was told two ids", tuple(set(job.ids)))
        records = prompts.pop(job.prompt, [])
        if len(records) > 1:
            yield Violation(DOUBLE, f"the key {job.key} has several records", tuple(records))
        elif not records:
            yield Violation(LOST, f"the key {job.key} has no record", tuple(job.ids[:1]))
        elif job.id not in (None, records[0]):
            what = f"the key {job.key} was told an id that has no record"
            yield Violation(LOST, what, (job.id, records[0]))
    for prompt, records in prompts.items():
        yield Violation(OTHER, f"records that nobody asked for: {prompt}", tuple(records))


def _never_over_limit(evidence: Evidence) -> Iterator[Violation]:
    total = evidence.stats["total"]
    if total["over_limit"]:
        yield Violation(OVER_LIMIT, f"the vendor was over a limit {total['over_limit']} times")
    if total["refused_over_limit"]:
        # An injected 1302 does not count here: these came when the account was full.
        refused = total["refused_over_limit"]
        yield Violation(OVER_LIMIT, f"the vendor refused {refused} submits to a full account")
    for account, limit in evidence.limits.items():
        peak = evidence.stats["accounts"][account][MODEL]["peak_in_flight"]
        if peak > limit:
            yield Violation(OVER_LIMIT, f"{account} had {peak} of {limit} in flight")
        made = [made for made in evidence.made if made.account == account]
        yield from _crowded(f"account {account}", made, limit)
    teams = {task: record["team"] for task, record in evidence.records.items()}
    for team, cap in evidence.caps.items():
        made = [made for made in evidence.made if teams.get(made.task) == team]
        yield from _crowded(f"team {team}", made, cap)


def _crowded(whose: str, made: list[Made], limit: int) -> Iterator[Violation]:
    running: set[str] = set()
    for starts, task in moments(made):
        if not starts:
            running.discard(task)
            continue
        running.add(task)
        if len(running) > limit:
            what = f"{whose} had {len(running)} of {limit} in flight when this one was accepted"
            yield Violation(OVER_LIMIT, what, (task,))


def moments(made: Iterable[Made]) -> list[tuple[bool, str]]:
    """Starts (True) and ends (False), in order; an end makes room for a start at the same time."""
    both = [(each.ends_at, False, each.task) for each in made]
    both += [(each.accepted_at, True, each.task) for each in made]
    return [(starts, task) for _, starts, task in sorted(both)]


def _nothing_lost(evidence: Evidence) -> Iterator[Violation]:
    if not evidence.in_time:
        yield Violation(LOST, "the gateway did not become quiet in time")
    for job in evidence.jobs:
        tasks = tuple(dict.fromkeys(job.ids))
        if not job.over:
            yield Violation(LOST, f"the key {job.key} never came to an end", tasks)
        for task in tasks:
            record = evidence.records.get(task, {})
            if (status := record.get("status", "not there")) not in _ENDED:
                yield Violation(LOST, f"its record is {status} when all is quiet", (task,))
            yield from _read_everywhere_alike(evidence, job, task)
    if (made := evidence.stats["total"]["accepted"]) != len(evidence.made):
        yield Violation(OTHER, f"the vendor accepted {made}, but lists {len(evidence.made)}")


def _read_everywhere_alike(evidence: Evidence, job: Job, task: str) -> Iterator[Violation]:
    said = {number: readings.get(task) for number, readings in evidence.readings.items()}
    if job.told is not None and job.told["id"] == task:
        right: Reading | None = Reading(200, job.told)
    else:
        right = next(iter(said.values()))
    if any(
        reading != right or reading is None or reading.status != 200 for reading in said.values()
    ):
        yield Violation(LOST, f"its client was told {job.told}, and now {said}", (task,))


def _nothing_leaked(evidence: Evidence) -> Iterator[Violation]:
    for key, amount in evidence.left.items():
        yield Violation(LEAKED, f"{key} still has {amount}")
    for verified in evidence.verified:
        if not verified.agrees and not verified.store_was_away:
            said = f"{verified.stdout} {verified.stderr}".strip()
            what = f"slots --verify after {verified.at:.0f} s: {verified.status}, {said}"
            yield Violation(LEAKED, what)
    if not evidence.verified or not evidence.verified[-1].agrees:
        yield Violation(LEAKED, "slots --verify does not agree when all is quiet")


def _ledger_exact(evidence: Evidence) -> Iterator[Violation]:
    entries = Counter(entry["task"] for entry in evidence.ledger)
    for task, count in entries.items():
        if count > 1:
            yield Violation(LEDGER, f"has {count} entries", (task,))
        if task not in evidence.records:
            yield Violation(LEDGER, "has an entry and no record", (task,))
    for task in evidence.records.keys() - entries.keys():
        yield Violation(LEDGER, "has no entry", (task,))

    charged = sum(int(e["price_fen"]) for e in evidence.ledger if e["outcome"] == "charged")
    completed = sum(record["status"] == "completed" for record in evidence.records.values())
    if charged != PRICE_FEN * completed:
        yield Violation(LEDGER, f"{charged} fen were charged for {completed} completed tasks")

    made = _by_task(evidence.made)
    for entry in evidence.ledger:
        record = evidence.records.get(entry["task"], {})
        yield from _entry_exact(entry, record, made.get(entry["task"], []))


def _bill_exact(evidence: Evidence) -> Iterator[Violation]:
    """Teams owe for the videos whose vendor's id we recorded; each other one that the vendor made
    is named among the unknown outcomes, so that nobody need wonder about his bill."""
    owed: Counter[str] = Counter()
    for made in evidence.made:
        record = evidence.records.get(made.task, {})
        if made.status != "SUCCESS":
            continue
        if record.get("provider_task_id") == made.id:
            owed[record["team"]] += PRICE_FEN
        elif (named := evidence.unknown.count(made.request_id)) != 1:
            what = f"was made as {made.request_id}, which is named {named} times as unknown"
            yield Violation(LEDGER, what, (made.task,))
    for team in {*owed, *evidence.billed}:
        if owed[team] != evidence.billed.get(team, 0):
            billed = evidence.billed.get(team, 0)
            yield Violation(LEDGER, f"{team} owes {owed[team]} fen, and is told {billed}")
    for said in evidence.books:
        if not said.agrees and not said.store_was_away:
            what = f"usage verify, at {said.at:.0f} s: {said.stdout}{said.stderr}".strip()
            yield Violation(LEDGER, what)
    if not evidence.books or not evidence.books[-1].agrees:
        yield Violation(LEDGER, "usage verify does not agree when all is quiet")


def _entry_exact(
    entry: dict[str, str], record: dict[str, str], made: list[Made]
) -> Iterator[Violation]:
    """One entry against the record, and against what the vendor made."""
    task, outcome = entry["task"], entry["outcome"]
    statuses = {"charged": ("completed",), "free": ("failed", "cancelled"), "unknown": ("failed",)}
    if record.get("status") not in statuses.get(outcome, ()):
        yield Violation(LEDGER, f"is {outcome}, but {record.get('status')}", (task,))
    if entry["team"] != record.get("team"):
        yield Violation(LEDGER, f"is on {entry['team']}'s bill, not its own team's", (task,))
    succeeded = [each for each in made if each.status == "SUCCESS"]
    if outcome == "charged":
        ids = [(each.id, each.claim) for each in succeeded]
        if ids != [(record.get("provider_task_id"), record.get("claim"))]:
            yield Violation(LEDGER, f"is charged, but the vendor made {ids}", (task,))
    elif outcome == "free" and succeeded:
        yield Violation(LEDGER, "is free, but the vendor made it", (task,))
    elif outcome == "unknown" and record.get("error_code") != _OUTCOME_UNKNOWN:
        yield Violation(LEDGER, f"is unknown, but ended as {record.get('error_code')}", (task,))


def _vendor_treated_well(evidence: Evidence) -> Iterator[Violation]:
    total = evidence.stats["total"]
    for figure in ("looks_with_foreign_key", "nulls_received", "unknown_fields_received"):
        if total[figure]:
            yield Violation(OTHER, f"{figure}: {total[figure]}")
    bodies = {job.prompt: job.body for job in evidence.jobs}
    for made in evidence.made:
        asked = bodies.get(str(made.body.get("prompt")), {})
        if {name: value for name, value in made.body.items() if name != "request_id"} != asked:
            yield Violation(OTHER, f"the vendor was asked for something else: {made.body}")
        if not made.claim or made.task not in evidence.records:
            yield Violation(OTHER, f"the vendor has a stranger's: {made.request_id}")


def _ends_as_expected(evidence: Evidence) -> Iterator[Violation]:
    for job in evidence.jobs:
        tasks = tuple(job.ids[:1])
        if job.over and job.end not in _ENDS:
            yield Violation(OTHER, f"ended as {job.end}", tasks)
        for code in job.refusals:
            if code != _REFUSED:
                yield Violation(OTHER, f"the key {job.key} was refused with {code}", tasks)
        record = evidence.records.get(job.id or "", {})
        wished = "cancel_asked_ms" in record
        if wished != (job.end == "cancelled") and job.over and job.id:
            yield Violation(OTHER, f"cancelled: {wished}, but told {job.end}", tasks)
        if job.cancel_answer in (200, 202) and not wished:
            what = f"the wish to cancel was answered {job.cancel_answer} and forgotten"
            yield Violation(OTHER, what, tasks)
    for what in evidence.odd_answers:
        yield Violation(OTHER, f"an odd answer: {what}")
    for what in evidence.bad_exits:
        yield Violation(OTHER, what)


def _by_task(made: Iterable[Made]) -> dict[str, list[Made]]:
    tasks: defaultdict[str, list[Made]] = defaultdict(list)
    for each in made:
        tasks[each.task].append(each)
    return dict(tasks)


_CHECKS: list[Callable[[Evidence], Iterator[Violation]]] = [
    _nothing_twice,
    _one_task_a_job,
    _never_over_limit,
    _nothing_lost,
    _nothing_leaked,
    _ledger_exact,
    _bill_exact,
    _vendor_treated_well,
    _ends_as_expected,
]
