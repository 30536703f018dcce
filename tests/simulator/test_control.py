"""The control plane: settings, accounts, tasks, reset."""

import json
import subprocess
import sys
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from gateway.simulator import command

from .conftest import MODEL, Driver, GeekaiDriver, code_of, running


def test_settings_can_be_changed_one_by_one(simulator: Driver) -> None:
    simulator.settings(strict_keys=True)
    settings = simulator.settings(duration=[2, 6])
    assert settings["strict_keys"] is True
    assert settings["duration"] == [2, 6]
    assert simulator.control("GET", "settings") == settings


def test_answers_can_be_delayed(simulator: Driver) -> None:
    simulator.settings(submit_delay_seconds=0.01, look_delay_seconds=[0.01, 0.02])
    assert simulator.status(simulator.accepted()) == "PROCESSING"


@pytest.mark.parametrize(
    "changes",
    [{"speed": 1}, {"duration": -1}, {"duration": [6, 2]}, {"models": []}, {"strict_keys": "?"}],
)
def test_settings_that_make_no_sense_change_nothing(
    simulator: Driver, changes: dict[str, Any]
) -> None:
    before = simulator.control("GET", "settings")
    response = simulator.http.patch("/simulator/settings", json=changes)
    assert response.status_code == 422
    assert next(iter(changes)) in response.text
    assert simulator.control("GET", "settings") == before


def test_an_account_can_be_put_while_it_runs(simulator: Driver) -> None:
    simulator.control("PUT", "accounts/three", tier="V3", api_keys=["three-a"])
    simulator.accepted("three-a")
    assert simulator.lane("three")["limit"] == 20
    assert simulator.total()["limit"] == 27
    simulator.control("PUT", "accounts/three", limit=1, api_keys=["three-b"])
    assert code_of(simulator.submit("three-a")) == "1002"
    assert code_of(simulator.submit("three-b")) == "1302"


@pytest.mark.parametrize(
    ("method", "name", "body", "status"),
    [
        ("PATCH", "nobody", {"limit": 1}, 404),
        ("PATCH", "one", {"limits": 1}, 422),
        ("PATCH", "one", {"name": "other", "color": "red"}, 422),
        ("PATCH", "one", {"limit": 1, "tier": "V1"}, 422),
        ("PATCH", "one", {"revoked_keys": ["two-a"]}, 422),
        ("PATCH", "one", {"api_keys": ["two-a"]}, 409),
        ("PUT", "three", {"tier": "V9", "api_keys": ["k"]}, 422),
        ("PUT", "three", {"tier": "V1", "api_keys": ["two-a"]}, 409),
    ],
)
def test_accounts_that_make_no_sense_change_nothing(
    simulator: Driver, method: str, name: str, body: dict[str, Any], status: int
) -> None:
    before = simulator.control("GET", "accounts")
    response = simulator.http.request(method, f"/simulator/accounts/{name}", json=body)
    assert response.status_code == status, response.text
    assert simulator.control("GET", "accounts") == before


def test_tasks_are_listed_with_what_was_received(simulator: Driver) -> None:
    sent = {"model": MODEL, "prompt": "一只猫", "fps": 60, "request_id": "task-1"}
    simulator.submit_body(sent, "one-b")
    (task,) = simulator.tasks()
    assert task["body"] == sent
    assert (task["account"], task["api_key"], task["status"]) == ("one", "one-b", "PROCESSING")
    assert task["told_at"] is None
    assert simulator.control("GET", f"tasks/{task['id']}") == task


def test_tasks_are_listed_page_by_page(simulator: Driver) -> None:
    made = [simulator.accepted(key) for key in ("one-a", "two-a", "one-b", "two-a", "one-a")]

    def pages(order: str, **chosen: str) -> list[list[str]]:
        read, after = [], {}
        while True:
            asked = {"order": order, "limit": 2, **chosen, **after}
            page = simulator.http.get("/simulator/tasks", params=asked).json()
            if not page:
                return read
            read.append([task["id"] for task in page])
            after = {"after": page[-1]["number"]}

    assert pages("oldest") == [made[:2], made[2:4], made[4:]]
    newest = made[::-1]
    assert pages("newest") == [newest[:2], newest[2:4], newest[4:]]
    assert pages("oldest", account="one") == [[made[0], made[2]], [made[4]]]


def test_of_a_large_image_only_its_hash_is_kept(simulator: Driver) -> None:
    image = "https://example.com/" + "x" * 10_000
    simulator.accepted(image_url=[image, image])
    kept = simulator.tasks()[0]["body"]["image_url"]
    assert len(kept) == 2
    assert kept[0].startswith("https://example.com/x")
    assert "10020 characters, sha256 " in kept[0]


def test_the_list_of_tasks_can_be_narrowed(simulator: Driver) -> None:
    for key, request_id in (("one-a", "task-a-1"), ("two-a", "task-b-1"), ("one-a", "task-b-2")):
        simulator.accepted(key, request_id=request_id)
    simulator.end(account="two")

    def listed(query: str) -> list[str]:
        tasks = simulator.http.get(f"/simulator/tasks?{query}").json()
        return [task["request_id"] for task in tasks]

    assert listed("") == ["task-b-2", "task-b-1", "task-a-1"]
    assert listed("limit=1") == ["task-b-2"]
    assert listed("account=one&order=oldest") == ["task-a-1", "task-b-2"]
    assert listed("request_id=task-b&status=PROCESSING") == ["task-b-2"]


def test_reset_forgets_tasks_statistics_and_faults_but_no_account(simulator: Driver) -> None:
    simulator.account("one", limit=1)
    simulator.settings(strict_keys=True)
    simulator.fault(on="submit", kind="error", times=1)
    simulator.submit()
    task = simulator.accepted(request_id="task-1")
    assert simulator.control("POST", "reset")["strict_keys"] is True
    assert simulator.look(task).status_code == 404
    total = simulator.total()
    assert (total["submits"], total["accepted"], total["in_flight"]) == (0, 0, 0)
    assert simulator.tasks() == simulator.control("GET", "faults") == []
    assert simulator.lane("one")["limit"] == 1
    simulator.accepted(request_id="task-1")


def test_reset_of_everything_brings_back_accounts_and_settings(simulator: Driver) -> None:
    simulator.control("PUT", "accounts/three", tier="V0", api_keys=["three-a"])
    simulator.account("one", limit=1)
    simulator.settings(strict_keys=True)
    assert simulator.control("POST", "reset", everything=True)["strict_keys"] is False
    assert [account["name"] for account in simulator.control("GET", "accounts")] == ["one", "two"]
    assert simulator.lane("one")["limit"] == 5


def test_the_control_plane_documents_itself(simulator: Driver) -> None:
    assert simulator.http.get("/simulator/docs").status_code == 200
    schemas = simulator.http.get("/simulator/openapi.json").json()["components"]["schemas"]
    assert all(
        "description" in figure or "$ref" in figure
        for figure in schemas["Figures"]["properties"].values()
    )


def test_it_starts_with_a_demo_account_and_stops_cleanly_when_told() -> None:
    with running("--duration", "2-6", "--public-url", "http://videos.example") as (process, url):
        with httpx.Client(base_url=url) as http:
            simulator = Driver(http)
            video = simulator.finished(key="demo-key.one")["video_result"][0]
            assert video["url"].startswith("http://videos.example/media/")
            assert simulator.lane("demo")["limit"] == 5
        process.terminate()
        assert process.wait(timeout=10) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""


def test_every_option_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = [{"name": "env", "limit": 3, "api_keys": ["env-a"], "duration": [1, 2]}]
    monkeypatch.setenv("SIMULATOR_ACCOUNTS", json.dumps(accounts))
    monkeypatch.setenv("SIMULATOR_DURATION", "7.5")
    monkeypatch.setenv("SIMULATOR_PUBLIC_URL", "http://videos.example")
    with running() as (_, url), httpx.Client(base_url=url) as http:
        simulator = Driver(http)
        assert simulator.lane("env")["limit"] == 3
        settings = simulator.control("GET", "settings")
        assert settings["duration"] == 7.5
        assert settings["public_url"] == "http://videos.example"


def test_an_account_at_geekai_is_an_option_too() -> None:
    accounts = [{"name": "g", "vendor": "geekai", "tier": "V0", "api_keys": ["k"]}]
    with (
        running("--accounts", json.dumps(accounts)) as (_, url),
        httpx.Client(base_url=url) as http,
    ):
        simulator = GeekaiDriver(http)
        assert simulator.finished(key="k")["task_status"] == "succeed"
        assert simulator.control("GET", "accounts")[0]["vendor"] == "geekai"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--port", "many"),
        ("--port", "70000"),
        ("--duration", "6-2"),
        ("--duration", "soon"),
        ("--seed", "x"),
        ("--accounts", "{"),
        ("--accounts", '[{"name": "a", "api_keys": ["k"]}]'),
        ("--accounts", '[{"name": "a", "tier": "V7", "api_keys": ["k"]}]'),
        ("--accounts", '[{"name": "a", "vendor": "z", "tier": "V0", "api_keys": ["k"]}]'),
        (
            "--accounts",
            '[{"name": "a", "limit": 1, "api_keys": ["k"]},'
            ' {"name": "b", "limit": 1, "api_keys": ["k"]}]',
        ),
        ("--host", "192.0.2.1"),
        ("--hots", "x"),
    ],
)
def test_a_bad_option_is_told_in_one_line_that_names_it(option: str, value: str) -> None:
    result = CliRunner().invoke(command.simulator, [option, value])
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert option in line


def test_it_shares_no_code_with_the_gateway() -> None:
    script = (
        "import sys, gateway.simulator.app, gateway.simulator.command\n"
        "for name in sys.modules:\n"
        "    if name.startswith('gateway.') and not name.startswith('gateway.simulator'):\n"
        "        sys.exit(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
