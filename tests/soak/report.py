"""What a soak prints at its end: one row for the record, and every violation with its history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.soak.events import Events
from tests.soak.evidence import Evidence, Made, lines_about
from tests.soak.judge import COLUMNS, Violation
from tests.soak.run import Outcome
from tests.soak.stage import MODEL

_MOST_TOLD = 10  # in full, of a column; and the logs' complaints
_MOST_LINES = 40


def table(outcome: Outcome) -> str:
    """The row that a record of soaks is made of."""
    ends = Counter(job.end for job in outcome.evidence.jobs)
    found = Counter(violation.column for violation in outcome.violations)
    row = {
        "tasks": len(outcome.evidence.jobs),
        "kills": outcome.strikes["kill"],
        "stops": outcome.strikes["drain"],
        "pauses": outcome.strikes["pause"],
        "store kills": outcome.strikes["store kill"],
        "seconds": round(outcome.seconds),
        "unknown": ends["submission_outcome_unknown"],
        "cancelled": ends["cancelled"],
        **{column: found[column] for column in COLUMNS},
    }
    lines = [row.keys(), ["--:"] * len(row), map(str, row.values())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def details(outcome: Outcome, events: Events, logs: list[Path]) -> Iterator[str]:
    """What else is worth knowing, then the violations."""
    evidence, total = outcome.evidence, outcome.evidence.stats["total"]
    rate = outcome.ended_in_chaos / max(outcome.chaos_seconds, 1e-9)
    up = f"{outcome.mean_up:.1f} of {len(evidence.readings)} replicas up on average"
    yield f"in chaos: {outcome.chaos_seconds:.0f} s, {rate:.1f} tasks/s, {up}"
    yield f"ends: {_counts(Counter(job.end for job in evidence.jobs))}"
    yield f"ledger: {_counts(Counter(entry['outcome'] for entry in evidence.ledger))}"
    yield f"vendor: {total['submits']} submits, {total['accepted']} accepted, refused " + _counts(
        Counter(total["refused"])
    )
    peaks = {
        account: figures[MODEL]["peak_in_flight"]
        for account, figures in evidence.stats["accounts"].items()
    }
    yield f"most in flight: {_counts(Counter(peaks))}; {total['refused_over_limit']} over a limit"
    seen = total["end_to_seen_seconds"]
    yield f"from an end to its first look: {seen['p50']:.2f} s p50, {seen['p99']:.2f} s p99"
    agreed = sum(verified.agrees for verified in evidence.verified)
    away = sum(verified.store_was_away for verified in evidence.verified)
    yield f"slots --verify: agreed {agreed} times, store away {away} times"
    agreed = sum(verified.agrees for verified in evidence.books)
    away = sum(verified.store_was_away for verified in evidence.books)
    yield f"usage verify: agreed {agreed} times, store away {away} times"
    yield f"billed: {_counts(Counter(evidence.billed))} fen; {len(evidence.unknown)} unknown"
    yield f"answers: {_counts(outcome.answers)}"
    for words, count in outcome.complaints.most_common(_MOST_TOLD):
        yield f"logged {count} times: {words}"
    told: Counter[str] = Counter()
    for violation in outcome.violations:
        told[violation.column] += 1
        if told[violation.column] <= _MOST_TOLD:
            yield ""
            yield from _told(violation, evidence, events, logs)
        else:
            yield f"VIOLATION ({violation.column}): {violation.what}, {violation.tasks}"
    if not outcome.violations:
        yield "no violation"


def _told(
    violation: Violation, evidence: Evidence, events: Events, logs: list[Path]
) -> Iterator[str]:
    """A violation with each of its tasks: at the vendor, in the store, in the replicas' logs."""
    yield f"VIOLATION ({violation.column}): {violation.what}"
    for task in violation.tasks:
        yield f"  {task}"
        made = [made for made in evidence.made if made.task == task]
        yield from (f"    vendor: {_history(each, events)}" for each in made)
        if not made:
            yield "    vendor: never accepted"
        yield f"    record: {evidence.records.get(task)}"
        yield from (f"    ledger: {e}" for e in evidence.ledger if e["task"] == task)
        yield from (f"    {line}" for line in lines_about(task, logs)[:_MOST_LINES])


def _history(made: Made, events: Events) -> str:
    def at(epoch: float | None) -> str:
        return "never" if epoch is None else f"{events.seconds(epoch):.2f} s"

    return (
        f"{made.request_id} is {made.id} on {made.account}: accepted at {at(made.accepted_at)}, "
        f"{made.status} at {at(made.ends_at)}, told at {at(made.told_at)}, {made.looks} looks"
    )


def _counts(counter: Counter[str | None]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common()) or "none"
