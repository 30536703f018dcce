"""`gateway teams`, `keys`, `prices` and `operators`, as somebody at a keyboard meets them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.admin import Operator
from tests.harness import TEAM_KEY, Caller, Processes, Vendor, run_command, wait_until

LIMITS = {"main": 5}


class Keyboard:
    """Types commands with the settings of a gateway."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    def types(self, line: str) -> subprocess.CompletedProcess[str]:
        return run_command(*shlex.split(line), **self.settings)

    def done(self, line: str) -> str:
        done = self.types(line)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def told(self, line: str) -> Any:
        return json.loads(self.done(f"{line} --json"))

    def refused(self, line: str, status: int = 1) -> str:
        """The one line in which it is said why it cannot be done; no traceback."""
        refused = self.types(line)
        assert refused.returncode == status, refused.stdout + refused.stderr
        assert refused.stdout == ""
        assert "Traceback" not in refused.stderr
        last = refused.stderr.splitlines()[-1]
        assert last.startswith("Error: ")
        return last


@pytest.fixture
def vendor(processes: Processes) -> Vendor:
    return processes.simulator(LIMITS, duration="3600")


@pytest.fixture
def keyboard(processes: Processes, vendor: Vendor) -> Keyboard:
    return Keyboard(processes.settings(vendor, LIMITS))


def opens(url: str, key: str) -> bool:
    caller = Caller(url, key)
    try:
        return caller.http.get("/v1/limits").status_code == 200
    finally:
        caller.close()


def test_the_life_of_a_team_and_its_key_from_the_keyboard(
    processes: Processes, vendor: Vendor, keyboard: Keyboard
):
    running = processes.gateway(vendor, LIMITS)
    said = keyboard.done("teams add cats --tier V1 --budget-month 250 --metadata centre=4711")
    assert said.splitlines() == [
        "team cats is active: 10 tasks in flight at most, 250 fen a month",
        "make it a key with: gateway keys create cats",
    ]
    assert "there is a team cats already" in keyboard.refused("teams add cats")
    made = keyboard.types("keys create cats --name farm")
    key = made.stdout.strip()
    assert re.fullmatch(r"sk-gw-[0-9a-f]{56}", key)
    assert "shown only now" in made.stderr
    assert f"Bearer {key}" in made.stderr
    wait_until(lambda: opens(running.url, key), what="the key to open")
    for _ in range(2):
        processes.caller(running, key).created()
    assert "the budget runs out: month, 0 fen spent and 200 reserved of 250, 50 left" in (
        keyboard.done("teams list")
    )

    (listed,) = keyboard.told("keys list cats")["keys"]
    key_id = listed["id"]
    assert (listed["name"], listed["hint"]) == ("farm", f"...{key[-4:]}")
    rotated = keyboard.types(f"keys rotate {key_id} --overlap 1h")
    second = rotated.stdout.strip()
    assert f"The one that ends in ...{key[-4:]} still opens until " in rotated.stderr
    wait_until(lambda: opens(running.url, second), what="the new secret to open")
    assert opens(running.url, key)
    third = keyboard.told(f"keys rotate {key_id} --overlap 0")["key"]
    wait_until(lambda: not opens(running.url, key), what="the old secret to be over")
    assert not opens(running.url, second)
    assert opens(running.url, third)

    assert "is blocked" in keyboard.done(f"keys block {key_id} --reason 'a doubt'")
    wait_until(lambda: not opens(running.url, third), what="the block")
    assert "is active" in keyboard.done(f"keys unblock {key_id}")
    assert "cats is blocked" in keyboard.done("teams block cats")
    assert "team blocked" in keyboard.done("keys list cats")
    assert "cats is active" in keyboard.done("teams unblock cats")
    wait_until(lambda: opens(running.url, third), what="the key to open again")
    assert "block it first" in keyboard.refused("teams remove cats")
    assert keyboard.done(f"keys revoke {key_id} --reason lost") == f"key {key_id} is revoked\n"
    wait_until(lambda: not opens(running.url, third), what="the key to be nobody's")
    vendor.end_all()
    wait_until(lambda: keyboard.types("teams remove cats").returncode == 0, what="the tasks' end")
    assert "there is no such team" in keyboard.refused("teams show cats")
    audit = keyboard.done("audit")
    for action in ("teams.add", "keys.create", "keys.rotate", "keys.revoke", "teams.remove"):
        assert action in audit
    for secret in (key, second, third):
        assert secret not in audit


def test_only_what_is_named_is_changed_and_can_be_taken_back(keyboard: Keyboard):
    keyboard.done("teams add cats --limit 3 --size 1920x1080 --size 1080x1920 --overflow reject")
    keyboard.done("teams set cats --tier V2 --expires-at 2100-01-01 --budget-day 500")
    told = keyboard.told("teams show cats")
    assert (told["tier"], told["cap"], told["sizes"]) == ("V2", 15, ["1920x1080", "1080x1920"])
    # A day begins in the gateway's time zone, which is Shanghai's unless it is said.
    assert told["expires_at"] == "2099-12-31T16:00:00.000Z"
    keyboard.done("teams set cats --unset size --unset budget-day --unset overflow")
    told = keyboard.told("teams show cats")
    assert (told["sizes"], told["budget_day_fen"], told["overflow"]) == ([], None, "queue")
    assert told["expires_at"] is not None
    keyboard.done("keys create cats --budget-total 700")
    (key,) = keyboard.told("keys list cats")["keys"]
    keyboard.done(f"keys set {key['id']} --name farm --unset budget-total")
    key = keyboard.told(f"keys show {key['id']}")
    assert (key["name"], key["budget_total_fen"]) == ("farm", None)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("teams add cats --tier V9", "tier: there is no such tier, only V0, V1, V2, V3"),
        ("teams add cats --size 1x1", "sizes.0: there is no such size, only "),
        ("teams add cats --expires-at 2020-01-01", "expires_at is over already"),
        ("teams set films --tier V1", "team films is in the settings: change it there"),
        ("teams set nobody --tier V1", "there is no such team"),
        ("keys create nobody", "team: there is no such team, only films, adverts"),
        ("keys list nobody", "there is no such team"),
        ("keys revoke key_0", "there is no such key"),
        ("prices add cogvideox-4 10", "model: there is no such model, only cogvideox-3"),
        ("prices remove price_0", "there is no such price"),
        ("operators add x --role admin --team films", "only a viewer can be one team's own"),
        ("operators remove nobody", "there is no such operator"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(keyboard: Keyboard, line: str, words: str):
    assert words in keyboard.refused(line)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("teams set films", "say what is to be changed"),
        ("teams add cats --expires-at soon", "--expires-at must be like 2030-01-01"),
        ("teams add cats --metadata centre", "--metadata must be like cost_centre=4711"),
        ("keys rotate key_0 --overlap soon", "--overlap must be like 0, 30m, 24h or 7d"),
    ],
)
def test_what_is_typed_wrongly_is_told_with_what_would_be_right(
    keyboard: Keyboard, line: str, words: str
):
    assert words in keyboard.refused(line, 2)


def test_the_price_book_from_the_keyboard(keyboard: Keyboard):
    said = keyboard.done("prices add cogvideox-3 80 --team films --duration 5 --quality speed")
    price_id = said.split()[0]
    keyboard.done("prices add cogvideox-3 120 --starts-at 2100-01-01 --reason 'the next century'")
    first, second = keyboard.told("prices list")["prices"]
    assert (first["id"], first["price_fen"], first["duration"]) == (price_id, 80, 5)
    assert second["starts_at"] == "2099-12-31T16:00:00.000Z"
    assert price_id in keyboard.done("prices list")
    keyboard.done(f"prices remove {price_id}")
    assert len(keyboard.told("prices list")["prices"]) == 1


def test_the_settings_lines_stand_in_the_price_book(keyboard: Keyboard):
    keyboard.settings["GATEWAY_PRICES"] = [{"model": "cogvideox-3", "price_fen": 70}]
    keyboard.done("prices add cogvideox-3 60")
    told = keyboard.told("prices list")["prices"]
    assert [(p["source"], p["price_fen"]) for p in told] == [("settings", 70), ("store", 60)]


def test_operators_come_and_go_by_name(processes: Processes, keyboard: Keyboard):
    running = processes.gateway(None, LIMITS)
    key = keyboard.done("operators add films-lead --team films").strip()
    assert re.fullmatch(r"sk-admin-[0-9a-f]{56}", key)
    (told,) = keyboard.told("operators list")["operators"]
    assert (told["role"], told["team"], told["hint"]) == ("viewer", "films", f"...{key[-4:]}")
    lead = Operator(running, key)
    wait_until(lambda: lead.ask("GET", "/teams").status_code == 200, what="the key to open")
    keyboard.done("operators remove films-lead")
    wait_until(lambda: lead.ask("GET", "/teams").status_code == 401, what="the end of it")
    lead.close()


def test_a_team_may_be_the_first_thing_that_is_ever_said(
    processes: Processes, vendor: Vendor, tmp_path: Path
):
    settings = {"GATEWAY_DATA_DIR": str(tmp_path / "data")}
    keyboard = Keyboard(settings)
    assert keyboard.types("teams list").returncode == 2  # a look makes no store
    keyboard.done("teams add cats")
    key = keyboard.done("keys create cats").strip()
    assert TEAM_KEY not in keyboard.done("keys list")
    unsaid = {f"GATEWAY_{name}": "" for name in ("REDIS_URL", "SECRET_KEY", "ADMIN_KEY", "POOL")}
    own = unsaid | settings | {"GATEWAY_TEAMS": []}
    team = processes.caller(processes.gateway(vendor, LIMITS, "serve", **own), key)
    team.created()
    # And with the gateway running, on its store.
    assert keyboard.told("teams show cats")["spending"]["day"]["reserved_fen"] == 100


def test_help_has_examples_that_can_be_typed(keyboard: Keyboard):
    """Each line of each command's help that begins with `gateway` is understood."""
    for words in ("", "teams", "teams add", "teams set", "keys", "keys create", "keys rotate"):
        text = keyboard.done(f"{words} --help")
        examples = re.findall(r"^ +(?:KEY=\$\()?gateway ([^#)\n]*)", text, re.MULTILINE)
        assert examples, words
        for example in examples:
            done = keyboard.types(f"{example.strip()} --help")
            assert done.returncode == 0, (example, done.stderr)
