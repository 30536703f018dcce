"""`gateway accounts` and `gateway secrets`, as an operator at a keyboard meets them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.admin import Operator
from tests.harness import (
    COMMAND,
    TEAMS,
    Processes,
    Running,
    Vendor,
    run_command,
    wait_until,
)

LIMITS = {"main": 1}
FILMS = {"name": "films", "limit": 3, "api_keys": [f"films-key.{i}" for i in range(4)]}
NEWER = "a-newer-secret-0123456789abcdef0123456789abcdef"


class Keyboard:
    """Types commands with the settings of a gateway."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder, self.settings = folder, settings

    def types(self, *arguments: str, **changes: Any) -> subprocess.CompletedProcess[str]:
        return run_command(*arguments, **(self.settings | changes))

    def done(self, *arguments: str, **changes: Any) -> str:
        done = self.types("accounts", *arguments, **changes)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """What is said of what cannot be done: one line, after what was logged; no traceback."""
        refused = self.types("accounts", *arguments)
        assert refused.returncode == 1, refused.stdout + refused.stderr
        assert refused.stdout == ""
        assert "Traceback" not in refused.stderr
        line = refused.stderr.splitlines()[-1]
        assert line.startswith("Error: ")
        return line

    def file(self, *lines: str) -> str:
        path = self.folder / "keys.txt"
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    def shown(self, name: str) -> dict[str, Any]:
        return json.loads(self.done("show", name, "--json"))


@pytest.fixture
def vendor(processes: Processes) -> Vendor:
    return processes.simulator(LIMITS, accounts=[FILMS], duration="3600")


@pytest.fixture
def keyboard(processes: Processes, vendor: Vendor, tmp_path: Path) -> Keyboard:
    return Keyboard(tmp_path, processes.settings(vendor, LIMITS))


def test_the_life_of_an_account_from_the_keyboard(
    processes: Processes, vendor: Vendor, keyboard: Keyboard
):
    team = processes.caller(processes.gateway(vendor, LIMITS))
    key_file = keyboard.file("# bought in March", "", "films-key.0", "films-key.1")
    where = ("--base-url", vendor.base_url)
    said = keyboard.done("add", "films", "--limit", "3", "--key-file", key_file, *where)
    assert said == "films is active: cogvideox-3 3, 2 keys\n"
    assert "account films already" in keyboard.refused(
        *("add", "films", "--limit", "3", "--key-file", keyboard.file("films-key.3"), *where)
    )
    team.created()
    assert vendor.account("films")["in_flight"] == 1  # the larger share of free slots

    listed = keyboard.done("list")
    assert [line.split()[:4] for line in listed.splitlines()[1:]] == [
        ["films", "bigmodel", "store", "active"],
        ["main", "bigmodel", "settings", "active"],
    ]
    first, _ = (key["id"] for key in keyboard.shown("films")["keys"])
    assert "films is active: cogvideox-3 15, 2 keys" in keyboard.done(
        *("set", "films", "--tier", "V2", "--remove-key", first),
        *("--add-key-file", keyboard.file("films-key.2"), "--reason", "upgraded"),
    )
    said = keyboard.done("pause", "films", "--reason", "an alert")
    assert "films is paused" in said
    assert "gateway accounts resume films" in said
    assert "films: paused: an alert" in keyboard.done("list")
    assert "films is active" in keyboard.done("resume", "films")

    assert "films is draining" in keyboard.done("drain", "films")
    assert "drain it first" in keyboard.refused("remove", "films")
    vendor.end_all()
    wait_until(lambda: keyboard.shown("films")["state"] == "drained", what="drained")
    assert keyboard.done("remove", "films", "--reason", "sold") == "films is removed\n"
    assert "there is no such account" in keyboard.refused("show", "films")
    audit = keyboard.types("audit").stdout
    for action in ("add", "set", "pause", "resume", "drain", "remove"):
        assert f"accounts.{action}" in audit
    assert "upgraded" in audit
    assert "films-key" not in audit


def test_accounts_of_the_settings_are_changed_there(
    processes: Processes, vendor: Vendor, keyboard: Keyboard
):
    processes.gateway(vendor, LIMITS)
    for command in (("set", "main", "--limit", "5"), ("remove", "main")):
        assert "GATEWAY_ACCOUNTS, or accounts in gateway.yaml" in keyboard.refused(*command)
    assert "main is paused" in keyboard.done("pause", "main")
    assert "main is active" in keyboard.done("resume", "main")


def test_of_one_name_the_settings_account_is_in_use_and_the_other_can_be_removed(
    vendor: Vendor, keyboard: Keyboard
):
    where = ("--base-url", vendor.base_url)
    keyboard.done(
        "add", "films", "--limit", "3", "--key-file", keyboard.file("films-key.0"), *where
    )
    films = {"name": "films", "limit": 2, "api_keys": ["films-key.1"]}
    keyboard.settings["GATEWAY_ACCOUNTS"] = [*keyboard.settings["GATEWAY_ACCOUNTS"], films]
    shown = keyboard.shown("films")
    assert (shown["source"], shown["limit"], shown["shadowed"]) == ("settings", 2, True)
    assert "gateway accounts remove films" in keyboard.done("list")
    assert "gateway.yaml" in keyboard.refused("set", "films", "--limit", "5")
    assert keyboard.done("remove", "films") == "films is removed\n"
    assert keyboard.shown("films")["shadowed"] is False


def test_keys_come_from_stdin_or_are_asked_for_and_not_shown(keyboard: Keyboard):
    environment = {name: _text(value) for name, value in keyboard.settings.items()}
    piped = subprocess.run(
        [*COMMAND, "accounts", "add", "films", "--limit", "1", "--key-file", "-"],
        input="films-key.0\n",
        text=True,
        capture_output=True,
        env=os.environ | environment,
        check=False,
    )
    assert piped.stdout == "films is active: cogvideox-3 1, 1 key\n", piped.stderr
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "accounts", "add", "more", "--limit", "1"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | environment,
        start_new_session=True,
    ) as asking:
        os.close(theirs)
        shown = _until(ours, b"API key: ")
        os.write(ours, b"films-key.1\n")
        shown += _until(ours, b"1 key")
        asking.wait()
        os.close(ours)
    assert b"films-key" not in shown
    assert len(keyboard.shown("more")["keys"]) == 1
    unasked = keyboard.types("accounts", "add", "third", "--limit", "1")
    assert (unasked.returncode, "--key-file" in unasked.stderr) == (2, True)


def _until(terminal: int, words: bytes) -> bytes:
    shown = b""
    while words not in shown:
        shown += os.read(terminal, 1024)
    return shown


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_a_test_exits_with_1_if_a_key_is_refused(vendor: Vendor, keyboard: Keyboard):
    # No gateway need run for it, and the account may be the first thing that is said to a store.
    where = ("--base-url", vendor.base_url)
    keyboard.done(
        "add", "films", "--limit", "1", "--key-file", keyboard.file("films-key.0"), *where
    )
    good = keyboard.types("accounts", "test")
    assert good.returncode == 0
    assert good.stdout.count(" works") == 3
    vendor.change_account("main", revoked_keys=["main-key.two"])
    bad = keyboard.types("accounts", "test", "main")
    assert bad.returncode == 1
    assert [line.split(") ")[1].split(":")[0] for line in bad.stdout.splitlines()] == [
        "works",
        "refused",
    ]
    keyboard.done("set", "films", "--base-url", "http://127.0.0.1:9/v4")
    away = keyboard.types("accounts", "test", "films")
    assert (away.returncode, "cannot tell: ConnectError" in away.stdout) == (0, True)
    assert vendor.total()["submits"] == 0


def test_an_import_says_what_was_made_and_what_was_not(vendor: Vendor, keyboard: Keyboard):
    where = ("--limit", "1", "--base-url", vendor.base_url)
    lines = ("films-key.0", "cats films-key.1", "main-key.one", "films-key.0")
    said = keyboard.done("import", keyboard.file(*lines), "--prefix", "march-", *where)
    assert said.splitlines() == [
        "made march-1: 1 key",
        "made cats: 1 key",
        "skipped line 3: the key is main's already",
        "skipped line 4: the key stood above",
    ]
    bad = keyboard.refused("import", keyboard.file("films-key.2", "a b films-key.3"), *where)
    assert bad == "Error: nothing was imported: line 2: has more than a name and a key"
    said = keyboard.done("import", keyboard.file("films-key.2"), "--into", "cats")
    assert said == "added to cats: 1 key\n"


def test_the_first_account_may_be_made_before_the_first_start(
    processes: Processes, vendor: Vendor, tmp_path: Path
):
    settings = {"GATEWAY_DATA_DIR": str(tmp_path / "data"), "GATEWAY_TEAMS": TEAMS}
    keyboard = Keyboard(tmp_path, settings)
    assert keyboard.types("accounts", "list").returncode == 2  # a look makes no store
    where = ("--base-url", vendor.base_url)
    keyboard.done(
        "add", "films", "--limit", "1", "--key-file", keyboard.file("films-key.0"), *where
    )
    team = processes.caller(_started(processes, settings))
    team.created()
    assert vendor.account("films")["in_flight"] == 1
    # And with the gateway running, on its store.
    assert keyboard.shown("films")["models"][0]["in_flight"] == 1


def _started(processes: Processes, settings: dict[str, Any]) -> Running:
    """A gateway with a store of its own, as someone has it who says nothing of these."""
    unsaid = ("REDIS_URL", "SECRET_KEY", "ADMIN_KEY", "POOL")
    own = {f"GATEWAY_{name}": "" for name in unsaid}
    return processes.gateway(None, {}, "serve", **(own | settings))


def test_the_data_folders_secret_is_rotated_with_tasks_in_flight(
    processes: Processes, vendor: Vendor, tmp_path: Path
):
    settings = {"GATEWAY_DATA_DIR": str(tmp_path / "data"), "GATEWAY_TEAMS": TEAMS}
    keyboard = Keyboard(tmp_path, settings)
    running = _started(processes, settings)
    where = ("--base-url", vendor.base_url)
    key_file = keyboard.file("films-key.0", "films-key.1")
    keyboard.done("add", "films", "--limit", "3", "--key-file", key_file, *where)
    team = processes.caller(running)
    task = team.created()
    path = tmp_path / "data" / "secret.key"
    old = path.read_text()
    rotated = keyboard.types("secrets", "rotate")
    assert rotated.returncode == 0, rotated.stderr
    assert rotated.stdout.startswith("2 keys were encrypted anew; ")
    assert path.read_text() != old
    assert len(path.read_text().split()) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    # The process that runs goes on, with what was in flight and with what is new.
    team.created()
    vendor.end_all()
    assert team.ended(task)["task_status"] == "SUCCESS"
    admin_key = (tmp_path / "data" / "admin.key").read_text().strip()
    operator = Operator(running, admin_key)
    assert operator.account("films")["state"] == "active"
    operator.done("PATCH", "/accounts/films", add_keys=["films-key.2"])
    operator.close()
    assert running.stop() == 0
    # And so does one that starts with the new secret alone.
    again = processes.caller(_started(processes, settings))
    assert len(keyboard.shown("films")["keys"]) == 3
    again.created()


@pytest.mark.parametrize("resealed", [False, True], ids=["before the keys", "after the keys"])
def test_a_rotation_that_was_cut_short_is_completed_by_the_next(
    vendor: Vendor, tmp_path: Path, resealed: bool
):
    settings: dict[str, Any] = {"GATEWAY_DATA_DIR": str(tmp_path / "data")}
    keyboard = Keyboard(tmp_path, settings)
    where = ("--base-url", vendor.base_url)
    keyboard.done(
        "add", "films", "--limit", "3", "--key-file", keyboard.file("films-key.0"), *where
    )
    path = tmp_path / "data" / "secret.key"
    path.write_text(f"{NEWER}\n{path.read_text()}")  # as far as one came that died then
    if resealed:
        both = ",".join(path.read_text().split())
        said = keyboard.types("secrets", "rotate", GATEWAY_SECRET_KEY=both).stdout
        assert said.startswith("1 key was encrypted anew; ")
    said = keyboard.types("secrets", "rotate").stdout
    assert said.startswith("0 keys" if resealed else "1 key")
    assert path.read_text() == f"{NEWER}\n"
    assert "films-key" not in keyboard.done("list")
    assert keyboard.shown("films")["state"] == "active"


def test_a_shared_stores_secret_is_rotated_in_three_steps(
    processes: Processes, vendor: Vendor, keyboard: Keyboard
):
    old = keyboard.settings["GATEWAY_SECRET_KEY"]
    where = ("--base-url", vendor.base_url)
    keyboard.done(
        "add", "films", "--limit", "3", "--key-file", keyboard.file("films-key.0"), *where
    )

    def with_secret(secret: str) -> Callable[..., subprocess.CompletedProcess[str]]:
        return lambda *arguments: keyboard.types(*arguments, GATEWAY_SECRET_KEY=secret)

    assert "0 keys were" in with_secret(f"{old},{NEWER}")("secrets", "rotate").stdout
    locked = with_secret(NEWER)("accounts", "list").stdout
    assert "locked" in locked
    assert "GATEWAY_SECRET_KEY" in locked
    refused = with_secret(NEWER)("secrets", "rotate")
    assert (refused.returncode, "put it back" in refused.stderr) == (1, True)
    rotated = with_secret(f"{NEWER},{old}")("secrets", "rotate").stdout
    assert rotated.startswith("1 key was encrypted anew; ")
    assert "the others may be taken out now" in rotated
    team = processes.caller(processes.gateway(vendor, LIMITS, GATEWAY_SECRET_KEY=NEWER))
    team.created()
    assert vendor.account("films")["in_flight"] == 1


def test_an_account_that_is_locked_gets_its_keys_anew(vendor: Vendor, keyboard: Keyboard):
    where = ("--base-url", vendor.base_url)
    keyboard.done(
        "add", "films", "--limit", "3", "--key-file", keyboard.file("films-key.0"), *where
    )
    lost = Keyboard(keyboard.folder, keyboard.settings | {"GATEWAY_SECRET_KEY": NEWER})
    assert lost.shown("films")["state"] == "locked"
    assert "give all of them anew" in lost.refused("set", "films", "--limit", "4")
    lost.done("set", "films", "--limit", "4", "--key-file", lost.file("films-key.1"))
    assert lost.shown("films")["state"] == "active"
