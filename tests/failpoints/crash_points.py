"""Where a gateway can break, numbered as in the project's catalogue of failures.

Each is covered by cases (patterns of their ids) or by tests of their own; `test_table.py` holds
this to be true. What has no number here is not about a process, its store or its vendor: the
clock, for instance, which the tests of the store have.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CrashPoint:
    what: str
    cases: tuple[str, ...] = ()
    """Patterns as for file names; each fits at least one case."""
    tests: tuple[str, ...] = ()


CRASH_POINTS: dict[int, CrashPoint] = {
    1: CrashPoint(
        "The caller leaves, or the process fails, before anything was taken in.",
        ("before admit: *", "before put_images: *"),
        ("test_half_a_request_leaves_nothing_behind",),
    ),
    2: CrashPoint(
        "It was taken in, and the store's answer is lost.",
        ("after admit: reset", "after admit: cancel", "before admit: store stalls"),
    ),
    3: CrashPoint(
        "It was taken in, and the process dies before its caller is told.",
        ("after admit: kill", "after get_task: kill", "after admit (asked for again): *"),
    ),
    4: CrashPoint(
        "The images are stored and the task is not, or they are gone when they are needed.",
        ("before put_images: *", "after put_images: *", "* get_images: *"),
    ),
    5: CrashPoint(
        "A slot is free, a task waits, and whoever was told of it is gone: nothing wakes anybody.",
        ("* claim_waiting: *", "after settle: *", "after record_accepted: *"),
    ),
    6: CrashPoint(
        "The process dies with a claim that it has not used, or never learns that it has it.",
        ("before mark_sending: kill", "after claim_waiting: reset", "after give_back: kill"),
    ),
    7: CrashPoint(
        "The process sleeps through the lease of its claim, and wakes up believing in it.",
        (
            "before mark_sending: pause",
            "after admit: pause",
            "submit http11.send_request_headers.started: pause",
        ),
    ),
    8: CrashPoint(
        "A task kills every process that takes it up.",
        tests=("test_a_task_that_kills_whoever_takes_it_is_given_up",),
    ),
    9: CrashPoint(
        "It is marked as sent, and no byte has left.",
        ("after mark_sending: *",),
    ),
    10: CrashPoint(
        "It was sent, and the answer does not come, or cannot be read.",
        (
            "submit http11.send_request_*.complete: *",
            "submit http11.receive_response_*: *",
            "* record_lost: *",
        ),
    ),
    12: CrashPoint(
        "It surely did not reach the vendor.",
        ("submit connection.connect_tcp.*: reset", "submit http11.send_request_headers.started: *"),
    ),
    13: CrashPoint(
        "The vendor says no: not now, not with this key, not ever.",
        ("* give_back: *", "before settle (refused for good): *"),
    ),
    14: CrashPoint(
        "Whoever looks after the running tasks dies, or two do it at once.",
        ("* take_due: *", "look *: kill", "look *: pause"),
    ),
    15: CrashPoint(
        "A look is answered with nonsense, or not at all.",
        ("* look_again: *", "look *: reset", "look *: raise", "look *: cancel"),
    ),
    16: CrashPoint(
        "The vendor has said that it is over, and it is not written down.",
        ("* settle: *",),
    ),
    17: CrashPoint(
        "Keys and limits change while tasks run.",
        tests=("test_limits_and_keys_that_change_under_running_tasks",),
    ),
    20: CrashPoint(
        "The sweeper dies, or many sweep at once.",
        ("* sweep: *",),
        ("test_many_sweepers_move_each_thing_once",),
    ),
    21: CrashPoint(
        "The store is killed, in the middle of a step or between two.",
        ("* admit: store killed", "* mark_sending: store killed", "* settle: store killed"),
    ),
    24: CrashPoint(
        "The store is full.",
        ("*: store full",),
    ),
    25: CrashPoint(
        "The store does not move for a while, and then does what nobody waits for any more.",
        ("*: store stalls",),
    ),
    26: CrashPoint(
        "The store comes back, and everybody rushes at it.",
        tests=("test_a_store_that_comes_back_is_not_overrun",),
    ),
    30: CrashPoint(
        "The process is told to stop, with work in its hands.",
        ("*: told to stop",),
    ),
}
