"""All cases: a place, what strikes there, and the scenario in which that place is reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.failpoints import scenarios
from tests.failpoints.blows import STRIKES, Blow
from tests.failpoints.scenarios import Scenario

# Every call that the lifecycle makes to the store, and what must be going on for it to be made.
STORE_CALLS: dict[str, Scenario] = {
    "info": scenarios.STARTING,
    "read_accounts": scenarios.STARTING,
    "read_tenants": scenarios.STARTING,
    "configure": scenarios.STARTING,
    "put_images": scenarios.PLAIN,
    "admit": scenarios.PLAIN,
    "get_task": scenarios.PLAIN,
    "get_images": scenarios.PLAIN,
    "queue_place": scenarios.LOOKED_UP,
    "team_limits": scenarios.LIMITS_ASKED,
    "cancel": scenarios.CANCELLED,
    "claim_waiting": scenarios.WAITING,
    "mark_sending": scenarios.PLAIN,
    "record_accepted": scenarios.PLAIN,
    "record_lost": scenarios.LOST,
    "give_back": scenarios.REFUSED,
    "take_due": scenarios.RUNNING,
    "look_again": scenarios.MISREAD,
    "read_durations": scenarios.MISREAD,
    "settle": scenarios.PLAIN,
    "sweep": scenarios.ABANDONED,
}

# A call of the store's adapters that has no case, and why.
EXCLUDED_CALLS = {
    "release": "made by an operator's command alone, in a process of its own without failpoints",
    "read_audit": "only reads, for a command",
    "note": "made at an operator's wish, after the step itself",
    "read_steps": "only reads, for an operator",
    "list_all_tasks": "the same",
    "read_tasks": "the same",
    "verify_slots": "the same, and it only reads",
    "verify_team": "the same, and it only reads",
    "list_tasks": "only reads, for a caller who asks again where it was not answered",
    "forget": "touches only what is over, at its caller's wish; asked again, it is gone",
    "take_renewal": "touches only what is over: nothing of a task's life waits for it",
    "renew_links": "the same",
    "read_slots": "only reads, for commands and /metrics; nothing of a task's life waits for it",
    "read_queue": "the same",
    "read_rests": "the same",
    "read_limits": "the same",
    "read_troubles": "the same",
    "put_account": "made at an operator's wish, who sees that it was not answered, and looks",
    "remove_account": "the same",
    "set_account_state": "the same",
    "reseal_account": "the same",
    "put_tenant": "the same",
    "retire_secrets": "the same",
    "begin_session": "of an operator's browser; who is not answered signs in again",
    "read_session": "the same",
    "end_session": "the same",
    "read_spending": "only reads, for the admin plane",
    "read_ledger": "only reads what is over, for bills and for the files of the ledger",
    "read_ledger_days": "the same",
    "count_ledger": "the same",
    "read_archives": "the same",
    "read_time": "the same",
    "read_usage": "the same",
    "read_usage_hours": "the same",
    "read_spend": "the same",
    "read_sums": "only reads, for gateway usage verify",
    "read_reserved": "the same",
    "read_ledger_form": "the same",
    "archive_day": "moves what is over; tests/store/test_ledger_archive.py has its crashes",
    "drop_sums": "the same",
}

# The steps of one request to the vendor, as the HTTP library (httpcore) tells them.
STEPS = [
    f"{step}.{edge}"
    for step in (
        "connection.connect_tcp",
        "http11.send_request_headers",
        "http11.send_request_body",
        "http11.receive_response_headers",
        "http11.receive_response_body",
        "http11.response_closed",
    )
    for edge in ("started", "complete")
]
# The task is marked `sending` right behind this step's own hook, so the step still comes before.
_LAST_STEP_BEFORE_THE_MARK = "http11.send_request_headers.started"

# Steps that are no place of their own, and why.
_OWN_STARTS = ("connection.connect_tcp.started", _LAST_STEP_BEFORE_THE_MARK)
EXCLUDED_STEPS = (
    {
        f"{what} {step}": "nothing happens between it and the end of the step before"
        for what in ("submit", "look")
        for step in STEPS
        if step.endswith(".started") and step not in _OWN_STARTS
    }
    | {
        f"{what} connection.connect_tcp.complete": "the same moment as the start of the headers; "
        "but here the HTTP library forgets the connection when its hook raises, as only tests do"
        for what in ("submit", "look")
    }
    | {"look http11.send_request_body.complete": "a look has no body"}
)


class Unknown(StrEnum):
    """Whether the outcome of one submit more than the scenario's own stays unknown."""

    NO = "no"
    ONE = "one"
    MAYBE = "maybe"
    """It is a race between the zombie's own time-out and what it was about to do."""


@dataclass(frozen=True)
class Case:
    place: str
    blow: Blow
    scenario: Scenario
    first: int = 1
    """Which time that the place is reached."""
    unknown: Unknown = Unknown.NO
    label: str = ""

    @property
    def id(self) -> str:
        return f"{self.place}{self.label}: {self.blow}"


def all_cases() -> list[Case]:
    return [
        *_round_the_store(),
        *_on_the_way_to_the_vendor(),
        *_looking(),
        *_on_rarer_ways(),
        *_with_the_world_changing(),
    ]


def _round_the_store() -> Iterator[Case]:
    for call, scenario in STORE_CALLS.items():
        for edge in ("before", "after"):
            for blow in STRIKES:
                place = f"{edge} {call}"
                yield Case(place, blow, scenario, unknown=_unknown_at_the_store(place, blow))


def _unknown_at_the_store(place: str, blow: Blow) -> Unknown:
    """From the mark until its outcome is recorded, a submit whose process breaks off is unknown."""
    if place not in ("after mark_sending", "before record_accepted", "before give_back"):
        return Unknown.NO
    if blow is Blow.RESET:
        return Unknown.NO  # the process is still there, and tells the store again
    if blow is Blow.PAUSE and place == "before record_accepted":
        return Unknown.NO  # late, and taken in all the same
    return Unknown.ONE


def _on_the_way_to_the_vendor() -> Iterator[Case]:
    marked = False
    for step in STEPS:
        for blow in STRIKES if f"submit {step}" not in EXCLUDED_STEPS else ():
            unknown = Unknown.NO
            if marked:
                unknown = Unknown.MAYBE if blow is Blow.PAUSE else Unknown.ONE
            yield Case(f"submit {step}", blow, scenarios.PLAIN, unknown=unknown)
        marked = marked or step == _LAST_STEP_BEFORE_THE_MARK


def _looking() -> Iterator[Case]:
    for step in STEPS:
        for blow in STRIKES:
            if f"look {step}" not in EXCLUDED_STEPS:
                yield Case(f"look {step}", blow, scenarios.RUNNING)


def _on_rarer_ways() -> Iterator[Case]:
    """A call that is also made for another reason."""
    for blow in (Blow.KILL, Blow.PAUSE, Blow.RESET):
        unknown = Unknown.ONE if blow is Blow.KILL else Unknown.NO
        yield Case(
            "before settle",
            blow,
            scenarios.REFUSED_FOR_GOOD,
            unknown=unknown,
            label=" (refused for good)",
        )
    for blow in (Blow.KILL, Blow.PAUSE, Blow.RESET):
        yield Case("after admit", blow, scenarios.ASKED_AGAIN, first=5, label=" (asked for again)")


def _with_the_world_changing() -> Iterator[Case]:
    """A process that is held at a place while its store, or its orchestrator, does something."""
    for place in ("admit", "mark_sending", "record_accepted", "settle"):
        scenario = STORE_CALLS[place]
        yield Case(f"before {place}", Blow.STORE_KILLED, scenario)
        yield Case(f"after {place}", Blow.STORE_KILLED, scenario)
        yield Case(f"before {place}", Blow.STORE_STALLS, scenario)
    for place in ("before record_accepted", "before settle", "before admit", "before put_images"):
        yield Case(place, Blow.STORE_FULL, scenarios.PLAIN)
    for place in (
        "after admit",
        "before mark_sending",
        "submit http11.send_request_headers.started",
        "submit http11.send_request_body.complete",
        "before record_accepted",
        "before settle",
    ):
        yield Case(place, Blow.TOLD_TO_STOP, scenarios.PLAIN)
    for call in ("claim_waiting", "sweep"):
        yield Case(f"after {call}", Blow.TOLD_TO_STOP, STORE_CALLS[call])


CASES = all_cases()

# A part of each kind and each phase, for every run of the whole suite of tests.
IN_EVERY_RUN = frozenset(
    {
        # taken in
        "before admit: kill",
        "after admit: reset",
        "after admit: pause",
        "after put_images: kill",
        # claimed and marked
        "before mark_sending: pause",
        "after mark_sending: reset",
        "after get_images: raise",
        # on the way to the vendor and back
        "submit connection.connect_tcp.started: reset",
        "submit http11.send_request_body.complete: reset",
        "submit http11.send_request_body.complete: pause",
        "submit http11.receive_response_headers.complete: kill",
        "submit http11.receive_response_body.complete: cancel",
        # recorded
        "before record_accepted: reset",
        "before record_accepted: pause",
        "after record_accepted: kill",
        "before give_back: reset",
        # looked at and settled
        "after take_due: kill",
        "look http11.receive_response_headers.complete: cancel",
        "before settle: pause",
        "after settle: reset",
        # swept up
        "after sweep: kill",
        # the store and the orchestrator
        "before settle: store killed",
        "submit http11.send_request_body.complete: told to stop",
    }
)
