"""Seeded faults: each breaks one promise, and the suite named beside it must notice.

    python -m tests.mutants [NAME ...]

Works on a copy of the checkout. A mutant that survives means a test that cannot fail; so does one
whose text is no longer found, for then nobody knows what it tried. The model of a task's life has
mutants of its own (`python -m tests.modelcheck --mutants-only`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import click

ROOT = Path(__file__).parent.parent


_ARCHIVE = "tests/store/test_ledger_archive.py"
_EVENTS = "tests/api/test_admin_events.py"


class Suite(Enum):
    """What a mutant is tried with, as arguments to Python."""

    STATE_MACHINE = ("-m", "pytest", "-q", "-x", "tests/store/test_state_machine.py")
    STEPS = ("-m", "pytest", "-q", "-x", "tests/store", "--ignore=tests/store/test_embedded.py")
    FAILPOINTS = ("-m", "pytest", "-q", "-x", "tests/failpoints")
    VENDORS = ("-m", "pytest", "-q", "-x", "tests/dialects", "tests/test_both_vendors.py")
    WAITS = ("-m", "pytest", "-q", "-x", "tests/api/test_waiting_for_the_end.py")
    CONTENT = ("-m", "pytest", "-q", "-x", "tests/api/test_content.py")
    LOOKS = ("-m", "pytest", "-q", "-x", "tests/lifecycle", "-k", "look or turn")
    BOOKS = ("-m", "pytest", "-q", "-x", "tests/store/test_ledger.py", _ARCHIVE)
    BILLS = ("-m", "pytest", "-q", "-x", "tests/api/test_usage.py", "tests/test_usage_command.py")
    OPERATORS = ("-m", "pytest", "-q", "-x", "tests/api/test_admin_tasks.py", _EVENTS)
    SEEN = ("-m", "pytest", "-q", "-x", "tests/telemetry")
    SOAK = ("-m", "tests.soak", "--tasks", "200", "--seed", "7")


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    sound: str
    """What stands there."""
    broken: str
    suite: Suite
    environment: tuple[tuple[str, str], ...] = ()


# `make test` invents fewer histories than it takes to meet the rarest of these for sure.
MORE_EXAMPLES = {"GATEWAY_TEST_EXAMPLES": "400", "GATEWAY_TEST_ANY_FAILURE": "1"}
LUA = "gateway/store/lua"
MUTANTS = [
    Mutant(
        "what was sent is queued again",
        f"{LUA}/sweep.lua",
        "lose(id, task, 'no answer was recorded', now, rules)",
        "requeue(id, task, 'lost', rules)",
        Suite.STATE_MACHINE,
    ),
    Mutant(
        "an old claim may still send",
        f"{LUA}/mark_sending.lua",
        "if task.claim ~= number then return 0 end",
        "",
        Suite.STATE_MACHINE,
    ),
    Mutant(
        "a task ends more than once",
        f"{LUA}/settle.lua",
        "if task.claim ~= number or not may_end then return {0, {}, {}} end",
        "",
        Suite.STATE_MACHINE,
    ),
    Mutant(
        "a late answer is refused",
        f"{LUA}/record_accepted.lua",
        "if task.status ~= 'sending' and task.status ~= 'unknown' then return {0, {}} end",
        "if task.status ~= 'sending' then return {0, {}} end",
        Suite.STEPS,
    ),
    Mutant(
        "a freed slot keeps its team's place",
        f"{LUA}/moves.lua",
        "  redis.call('SREM', key('places', task.team), id)\n",
        "",
        Suite.STATE_MACHINE,
    ),
    Mutant(
        "a cancel frees the slot of what was sent",
        f"{LUA}/cancel.lua",
        "if task.status == 'queued' or task.status == 'claimed' then",
        "if task.status == 'queued' or task.status == 'claimed' or task.status == 'sending' then",
        Suite.STATE_MACHINE,
    ),
    Mutant(
        "the clock follows every jump",
        f"{LUA}/pool.lua",
        "if last[1] and step > 0 and step <= LONGEST_STEP_MS then",
        "if last[1] then",
        Suite.STATE_MACHINE,
    ),
    Mutant(
        "lost answers may take every slot",
        f"{LUA}/lanes.lua",
        "  return unknown + transit < lane.unknown_cap\n",
        "  return true\n",
        Suite.STATE_MACHINE,
    ),
    Mutant(
        "an idempotency key fits any request",
        f"{LUA}/admit.lua",
        "body == terms.body and 'replayed' or 'other_body'",
        "'replayed'",
        Suite.STATE_MACHINE,
    ),
    Mutant(
        "an end is written down twice",
        f"{LUA}/moves.lua",
        "local function heard(task)",
        "local finish_once = finish\n"
        "finish = function(...) finish_once(...) finish_once(...) end\n"
        "local function heard(task)",
        Suite.STATE_MACHINE,
    ),
    Mutant(
        "a cut connection counts as not sent",
        "gateway/providers/http.py",
        "            if gate.passed:\n                raise\n",
        "",
        Suite.FAILPOINTS,
    ),
    Mutant(
        "a process does not ask whether its claim still holds",
        "gateway/lifecycle/dispatcher.py",
        "            raise _ClaimGone\n",
        "            pass\n",
        Suite.FAILPOINTS,
    ),
    Mutant(
        "the vendor's id is told to the store only once",
        "gateway/lifecycle/dispatcher.py",
        "                recorded, claims = await until_stored(\n"
        "                    lambda: self._tasks.record_accepted(\n"
        "                        claim, provider_task_id, served_model, first_look\n"
        "                    )\n"
        "                )\n",
        "                recorded, claims = await self._tasks.record_accepted(\n"
        "                    claim, provider_task_id, served_model, first_look\n"
        "                )\n",
        Suite.FAILPOINTS,
    ),
    Mutant(
        "images are admitted without being there",
        f"{LUA}/admit.lua",
        "  redis.call('PERSIST', key('images', id))\n".strip(),
        "",
        Suite.STEPS,
    ),
    Mutant(
        "an unknown outcome is held for a moment only",
        f"{LUA}/moves.lua",
        "now + rules.unknown_hold_ms, id)",
        "now + 100, id)",
        Suite.SOAK,
    ),
    Mutant(
        "what is not known to be accepted is submitted again",
        "gateway/lifecycle/dispatcher.py",
        "await until_stored(lambda: self._tasks.record_lost(claim, reason))\n"
        "                return ()",
        "return await until_stored(lambda: self._tasks.give_back(claim, None, reason))",
        Suite.SOAK,
    ),
    Mutant(
        "nobody is told of an end",
        f"{LUA}/moves.lua",
        "  tell('ended', id)\n",
        "",
        Suite.WAITS,
    ),
    Mutant(
        "a forgotten task stays in its team's list",
        f"{LUA}/moves.lua",
        "  redis.call('ZREM', key('tasks', team), id)\n",
        "",
        Suite.STEPS,
    ),
    Mutant(
        "a position counts its own class alone",
        f"{LUA}/moves.lua",
        "local its_model, its_providers = split_class(other)",
        "local its_model, its_providers = other == class and model or '', providers",
        Suite.VENDORS,
    ),
    Mutant(
        "a rest ends with what was on its way when it began",
        f"{LUA}/lanes.lua",
        "if rest and tonumber(task.sent_at) >= rest.since then put_rest(name, nil) end",
        "if rest then put_rest(name, nil) end",
        Suite.STEPS,
    ),
    Mutant(
        "after a rest all tasks go at once",
        f"{LUA}/lanes.lua",
        "return rest and (now < rest.ends or on_the_way(rest.trial))",
        "return rest and now < rest.ends",
        Suite.STEPS,
    ),
    Mutant(
        "a concurrency refusal lowers no limit",
        f"{LUA}/lanes.lua",
        "    lower_limit(known, model, used, reason, now)\n",
        "",
        Suite.STEPS,
    ),
    Mutant(
        "a lowered limit is tried upward at once",
        f"{LUA}/lanes.lua",
        "(known.accepted >= rules.probe_submits or now - known.refused_at >= rules.probe_ms)",
        "true",
        Suite.STEPS,
    ),
    Mutant(
        "a refused key is used all the same",
        f"{LUA}/lanes.lua",
        "    if not blocked(name, now) then\n      local turn",
        "    if true then\n      local turn",
        Suite.STEPS,
    ),
    Mutant(
        "accounts never take turns",
        f"{LUA}/lanes.lua",
        "  if its ~= others then return its < others end\n",
        "",
        Suite.STEPS,
    ),
    Mutant(
        "what geekai has no words for is dropped",
        "gateway/providers/geekai.py",
        '    if request.user_id is not None:\n        return "user_id"\n',
        "",
        Suite.VENDORS,
    ),
    Mutant(
        "a dead link is asked about at every GET",
        f"{LUA}/take_renewal.lua",
        "  if not task[at] then return 'over' end\n",
        "  if not task[at] then return 'yours' end\n",
        Suite.CONTENT,
    ),
    Mutant(
        "a duration is not kept by its form",
        f"{LUA}/settle.lua",
        "{of_model, of_model .. ':' .. task.form}",
        "{of_model}",
        Suite.STATE_MACHINE,
    ),
    Mutant(
        "what the first look found is taken to have ended just then",
        "gateway/domain/learning.py",
        "Seen(max(0.0, by - max(stretch, by * _RESOLUTION)), by)",
        "Seen(by * (1 - _RESOLUTION), by)",
        Suite.LOOKS,
    ),
    Mutant(
        "what the first look found may have ended at any time before",
        "gateway/domain/learning.py",
        "Seen(max(0.0, by - max(stretch, by * _RESOLUTION)), by)",
        "Seen(0.0, by)",
        Suite.LOOKS,
    ),
    Mutant(
        "one account may have every look",
        "gateway/lifecycle/turns.py",
        "if self._under_way[account] < self._per_account:",
        "if True:",
        Suite.LOOKS,
    ),
    Mutant(
        "a file of an older day need not have all its entries",
        f"{LUA}/archive_day.lua",
        "if not newest or newest[1] ~= last or redis.call('XLEN', name) ~= tonumber(length) then",
        "if not newest then",
        Suite.BOOKS,
    ),
    Mutant(
        "what is archived counts in no period any more",
        f"{LUA}/archive_day.lua",
        "if redis.call('EXISTS', key('spend', period)) == 1 then",
        "if false then",
        Suite.BOOKS,
    ),
    Mutant(
        "sums of a day are dropped while it is in the store",
        f"{LUA}/drop_sums.lua",
        "kept_since * DAY_MS)",
        "now)",
        Suite.BOOKS,
    ),
    Mutant(
        "another pool's file is overwritten",
        "gateway/store/ledger_files.py",
        "if self._path.exists() and _sha256(self._path) != self.sha256:",
        "if False:",
        Suite.BOOKS,
    ),
    Mutant(
        "a day that becomes a file while it is read ends there",
        "gateway/store/ledger.py",
        'if not await self._store.answer("read_archives", redis.hexists(keys.archives, day)):',
        "if last != (0, 0):",
        Suite.BOOKS,
    ),
    Mutant(
        "the check reads on past the moment of the sums",
        "gateway/store/ledger_check.py",
        "if place_of(entry_id) <= upto:",
        "if True:",
        Suite.BOOKS,
    ),
    Mutant(
        "the check trusts what was forgotten meanwhile",
        "gateway/store/ledger_check.py",
        "add(found.reserved, entry.periods, entry.holders, entry.price_fen)",
        "pass",
        Suite.BOOKS,
    ),
    Mutant(
        "the check is not told of a day that begins or goes meanwhile",
        "gateway/store/ledger_check.py",
        "if (await self._form()) != sums.form:",
        "if False:",
        Suite.BOOKS,
    ),
    Mutant(
        "an unknown outcome is billed",
        "gateway/domain/statement.py",
        "lines = self._charged if entry.outcome is Outcome.CHARGED else self._unknown",
        "lines = self._charged",
        Suite.BILLS,
    ),
    Mutant(
        "a team's viewer sees the others as well",
        "gateway/api/admin/usage.py",
        "if team is not None and not visible(request, team):",
        "if False:",
        Suite.BILLS,
    ),
    Mutant(
        "a task's history misses a step",
        f"{LUA}/mark_sending.lua",
        "write_step(id, 'sending', api_key_id, rules)",
        "",
        Suite.STATE_MACHINE,
    ),
    Mutant(
        "a team's viewer sees the others' tasks",
        "gateway/api/admin/tasks.py",
        "if task is None or not visible(request, task.team):",
        "if task is None:",
        Suite.OPERATORS,
    ),
    Mutant(
        "a lane that changed is not told",
        "gateway/api/admin/live.py",
        "if self._lanes.get(name) != text",
        "if name not in self._lanes",
        Suite.OPERATORS,
    ),
    Mutant(
        "prompts are in the log",
        "gateway/telemetry/life_log.py",
        "if self._with_prompts:",
        "if True:",
        Suite.SEEN,
    ),
]


@click.command()
@click.argument("names", nargs=-1)
def main(names: tuple[str, ...]) -> None:
    """Try each mutant, or those whose name contains one of NAMES; exit 1 if any survives."""
    survivors = 0
    for mutant in MUTANTS:
        if names and not any(name in mutant.name for name in names):
            continue
        began = time.monotonic()
        verdict = _try(mutant)
        survivors += verdict != "caught"
        suite = mutant.suite.name.lower().replace("_", " ")
        click.echo(f"{verdict:9} {time.monotonic() - began:5.0f} s  {suite:13}  {mutant.name}")
    sys.exit(survivors > 0)


def _try(mutant: Mutant) -> str:
    with tempfile.TemporaryDirectory(prefix="gateway-mutant-") as folder:
        copy = Path(folder) / "checkout"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "data", "__pycache__"))
        file = copy / mutant.file
        text = file.read_text()
        if text.count(mutant.sound) != 1:
            return "STALE"
        file.write_text(text.replace(mutant.sound, mutant.broken))
        # From the copy: `-m` looks in the current folder before what is installed.
        done = subprocess.run(
            [sys.executable, *mutant.suite.value],
            cwd=copy,
            env={**os.environ, **MORE_EXAMPLES, **dict(mutant.environment)},
            capture_output=True,
            check=False,
        )
    # 1 is a failed test, or a violation that the soak found; all else is no verdict.
    return {0: "SURVIVED", 1: "caught"}.get(done.returncode, "BROKEN")


if __name__ == "__main__":
    main()
