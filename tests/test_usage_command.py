"""`gateway usage`, as somebody at a keyboard meets it."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import pytest
import redis

from gateway.store.keyspace import Keyspace
from tests import noon
from tests.bookish import Bookish
from tests.harness import Processes, run_command

SHOWN = """\
team     tasks  completed  failed  cancelled  unknown  charged_fen  cost_fen
adverts      1          1       0          0        0          100       100
films        7          4       1          1        1          550       400
total        8          5       1          1        1          650       500
"""


class Keyboard:
    """Types `gateway usage ...` with the settings of a gateway."""

    def __init__(self, town: Bookish, folder: Path) -> None:
        self.town, self._folder = town, folder

    def types(self, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return run_command("usage", *words, **(self.town.settings | changes))

    def done(self, *words: str) -> str:
        done = self.types(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *words: str) -> str:
        refused = self.types(*words)
        assert refused.returncode == 1, refused.stdout + refused.stderr
        assert refused.stdout == ""
        assert "Traceback" not in refused.stderr
        return refused.stderr

    def reconciles(self, *lines: str, status: int, text: str | None = None) -> list[str]:
        """What is said of such a bill of this month, line by line."""
        bill = self._folder / "bill.csv"
        bill.write_text("\n".join(lines) + "\n" if text is None else text, encoding="utf-8")
        done = self.types("reconcile", str(bill), "--from", "2026-01-01")
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout.splitlines()

    def billed(self, what: str) -> list[str]:
        """Lines of a bill that is as it should be."""
        return [f"{task}-1,100" for task in self.town.tasks[what]]


@pytest.fixture(scope="module")
def town(shared: Processes) -> Bookish:
    return Bookish(shared)


@pytest.fixture
def keyboard(town: Bookish, tmp_path: Path) -> Keyboard:
    return Keyboard(town, tmp_path)


def test_help_is_all_that_one_needs(keyboard: Keyboard):
    helped = keyboard.done("--help")
    for command in ("show", "entries", "unknown", "statement", "verify", "reconcile"):
        assert f"\n  {command} " in helped
        assert "Usage: " in keyboard.done(command, "--help")
    assert "gateway usage statement films " in helped


def test_what_is_shown_is_this_month_by_team(keyboard: Keyboard):
    head, table = keyboard.done("show").split("\n", 1)
    assert head.startswith(f"settled from {noon.month()}-01T00:00:00")
    assert [line.split() for line in table.splitlines()] == [
        line.split() for line in SHOWN.splitlines()
    ]
    told = json.loads(
        keyboard.done("show", "--by", "status", "--team", "films", "--format", "json")
    )
    assert {row["status"]: row["tasks"] for row in told["rows"]} == {
        **{"cancelled": 1, "completed": 4, "failed": 1, "unknown": 1}
    }
    assert keyboard.done("show", "--format", "csv").startswith("team,tasks,completed,")
    assert "Error: group_by must be some of team," in keyboard.refused("show", "--by", "colour")
    assert "Error: there is no such team" in keyboard.refused("show", "--team", "nobody")


def test_entries_are_written_out(keyboard: Keyboard):
    rows = list(csv.DictReader(keyboard.done("entries", "--team", "films").splitlines()))
    assert sorted(row["task"] for row in rows) == sorted(
        task
        for what in ("completed", "failed", "cancelled", "unknown")
        for task in keyboard.town.tasks[what]
    )
    lines = keyboard.done("entries", "--status", "unknown", "--format", "jsonl").splitlines()
    assert [json.loads(line)["task"] for line in lines] == keyboard.town.tasks["unknown"]


def test_unknown_outcomes_are_listed_for_a_ticket(keyboard: Keyboard):
    (task,) = keyboard.town.tasks["unknown"]
    assert f"{task}-1" in keyboard.done("unknown")
    assert "no task of unknown outcome" in keyboard.done("unknown", "--team", "adverts")


def test_a_bill_is_last_months_unless_said(keyboard: Keyboard):
    assert " 0.00" in keyboard.done("statement", "films")
    said = keyboard.done("statement", "films", "--month", noon.month())
    assert f"Statement of films for {noon.month()}" in said
    assert ["total", "4", "5.50"] in [line.split() for line in said.splitlines()]
    told = json.loads(
        keyboard.done("statement", "films", "--month", noon.month(), "--format", "json")
    )
    assert told["total_fen"] == sum(line["amount_fen"] for line in told["lines"]) == 550
    assert "there is no such team" in keyboard.refused("statement", "nobody")
    assert "month must be like 2026-03" in keyboard.refused("statement", "films", "--month", "May")


def test_books_are_verified_and_a_wrong_sum_is_named(keyboard: Keyboard):
    assert keyboard.done("verify") == "the ledger and all sums agree: 8 entries of 1 day\n"
    keys = Keyspace(keyboard.town.settings["GATEWAY_POOL"])
    with redis.Redis.from_url(keyboard.town.settings["GATEWAY_REDIS_URL"]) as store:
        store.hincrby(keys.spend("all"), "team:films:spent", 1)
        found = keyboard.types("verify")
        store.hincrby(keys.spend("all"), "team:films:spent", -1)
    assert found.returncode == 1
    assert found.stdout == "spend:all says 551 fen spent by team:films, the ledger 550\n"


def test_a_bill_that_agrees_is_one_line(keyboard: Keyboard):
    right = [*keyboard.billed("completed"), *keyboard.billed("of adverts")]
    for lines in (right, ["request_id,amount_fen", *right], ["Request_ID, Amount_Fen", *right]):
        said = keyboard.reconciles(*lines, status=0)
        assert said[1:] == ["5 of 5 lines agree, 5.00 yuan; 0 differences"]
    with_mark = "\ufeffrequest_id,amount_fen\r\n" + "\r\n".join(right)
    assert keyboard.reconciles(status=0, text=with_mark)[1:] == [
        "5 of 5 lines agree, 5.00 yuan; 0 differences"
    ]


def test_whatever_differs_from_the_vendors_bill_is_named(keyboard: Keyboard):
    town = keyboard.town
    first, second, large, runs = town.tasks["completed"]
    (unknown,), (failed,), (live,) = (town.tasks[what] for what in ("unknown", "failed", "live"))
    said = keyboard.reconciles(
        f"{first}-1,120",
        f"{second}-1,100",
        f"{second}-1,100",
        f"{large}-2,100",
        f"{unknown}-1,100",
        f"{failed}-1,100",
        f"{live}-1,100",
        "somebody-1,100",
        "whatever,100",
        *keyboard.billed("of adverts"),
        status=1,
    )
    assert set(said[:-2]) == {
        f"{first}-1: the vendor bills 120 fen, 100 fen were expected",
        f"{second}-1: is billed twice, in the lines 2 and 3",
        f"{large}-2: the vendor bills 100 fen; we counted attempt 1 of this task, which is "
        "completed, and not this one",
        f"{large}-1: we charged 250 fen to films (main), the vendor bills nothing",
        f"{unknown}-1: the vendor bills 100 fen, we charged nothing to films: its outcome is "
        "unknown (main)",
        f"{failed}-1: the vendor bills 100 fen, we charged nothing to films: failed (main)",
        f"{live}-1: the vendor bills 100 fen; the task is in_progress, so it has no entry yet "
        "(line 7)",
        "somebody-1: the vendor bills 100 fen; we know no such request (line 8)",
        "whatever: the vendor bills 100 fen; we know no such request (line 9)",
        f"{runs}-1: we charged 100 fen to films (main), the vendor bills nothing",
    }
    assert said[-1] == "2 of 10 lines agree, 2.00 yuan; 10 differences"


def test_a_bill_of_another_time_is_found_all_the_same(keyboard: Keyboard, tmp_path: Path):
    """What was settled outside of the time of the bill is matched, and not missed on it."""
    bill = tmp_path / "early.csv"
    bill.write_text("\n".join(keyboard.billed("of adverts")))
    said = keyboard.done("reconcile", str(bill), "--to", "2026-02-01", "--account", "main")
    assert said.splitlines()[1] == "1 of 1 lines agree, 1.00 yuan; 0 differences"
    other = keyboard.types("reconcile", str(bill), "--to", "2026-02-01", "--account", "second")
    assert other.returncode == 1
    assert "it was made with main" in other.stdout


def test_bad_lines_of_a_bill_are_named_by_number_and_nothing_is_compared(
    keyboard: Keyboard, tmp_path: Path
):
    bill = tmp_path / "bad.csv"
    bill.write_text("request_id,amount_fen\ntask-1,100\ntask-2,1.5\n\ntask-3\n,7\ntask-4,-1\n")
    said = keyboard.refused("reconcile", str(bill))
    assert "nothing was compared" in said
    assert [line.split(":")[0] for line in said.splitlines()[-4:]] == [
        *("line 3", "line 5", "line 6", "line 7")
    ]
