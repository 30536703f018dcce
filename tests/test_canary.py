"""Secrets are planted in every way there is, and then looked for wherever anything is written."""

from __future__ import annotations

import base64
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from gateway.store.embedded import EmbeddedStore
from tests.admin import Operator
from tests.harness import Processes, Vendor, run_command, wait_until

OF_SETTINGS, BY_API, BY_IMPORT, BAD_INPUT, IN_THE_CLEAR = (
    f"{what}-canary-{secrets.token_hex(16)}.{secrets.token_hex(8)}"
    for what in ("settings", "api", "import", "bad", "clear")
)
TEAM = f"sk-team-canary-{secrets.token_hex(16)}"
ADMIN = f"sk-admin-canary-{secrets.token_hex(16)}"
SECRET, NEXT_SECRET = (f"{which}-secret-canary-{secrets.token_hex(16)}" for which in ("1st", "2nd"))
KNOWN = {"settings": OF_SETTINGS, "api": BY_API, "import": BY_IMPORT}
"""By account at the vendor, its key there."""
PLANTED = (OF_SETTINGS, BY_API, BY_IMPORT, BAD_INPUT, TEAM, ADMIN, SECRET, NEXT_SECRET)


def found(text: bytes) -> list[str]:
    """Which of the planted are in there, as they are or the way base64 or hex would have them."""
    return [secret for secret in (*PLANTED, IN_THE_CLEAR) if any(f in text for f in _forms(secret))]


def _forms(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    yield raw
    yield raw.hex().encode()
    for skipped in range(3):  # base64 looks different by where in its groups of three it begins
        inner = raw[skipped:]
        yield base64.b64encode(inner[: len(inner) // 3 * 3])


class Town:
    """A gateway with a store of its own, a second one without a worker, and all that they said."""

    def __init__(self, processes: Processes, url: str, folder: Path) -> None:
        self.processes, self.url, self.folder = processes, url, folder
        accounts = [{"name": n, "limit": 2, "api_keys": [key]} for n, key in KNOWN.items()]
        self.vendor: Vendor = processes.simulator({}, accounts=accounts, duration="0.2")
        self.settings = processes.settings(self.vendor, {}) | {
            "GATEWAY_ACCOUNTS": [
                {
                    "name": "main",
                    "limit": 2,
                    "base_url": self.vendor.base_url,
                    "api_keys": [OF_SETTINGS],
                }
            ],
            "GATEWAY_TEAMS": [{"name": "films", "tier": "V3", "keys": [TEAM]}],
            "GATEWAY_ADMIN_KEY": ADMIN,
            "GATEWAY_SECRET_KEY": f"{SECRET},{NEXT_SECRET}",
            "GATEWAY_LOG_LEVEL": "debug",
        }
        self.gateways = [
            processes.gateway(self.vendor, {}, *arguments, **self.settings)
            for arguments in (("serve",), ("serve", "--no-worker"))
        ]
        self.said: list[bytes] = []

    def types(self, *arguments: str, **changes: Any) -> None:
        done = run_command(*arguments, **(self.settings | changes))
        self.said += [done.stdout.encode(), done.stderr.encode()]

    def hears(self, operator: Operator, method: str, path: str, **body: Any) -> int:
        answer = operator.ask(method, path, **body)
        self.said += [answer.content, str(answer.headers).encode()]
        return answer.status_code

    def files(self) -> list[Path]:
        """All that the store and the processes have written."""
        return [path for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture
def town() -> Iterator[Town]:
    with tempfile.TemporaryDirectory(prefix="gateway-canary-") as name:
        folder = Path(name)
        (folder / "logs").mkdir()
        with (
            EmbeddedStore(folder / "store") as store,
            closing(Processes(store.url, "canary", folder / "logs")) as processes,
        ):
            yield Town(processes, store.url, folder)


def test_no_planted_secret_is_found_anywhere(town: Town, tmp_path: Path):
    _live(town, tmp_path)
    with closing(Redis.from_url(town.url)) as redis:
        written = _flushed(redis, town)
        assert "v1:" in str(redis.hgetall("{gw:canary}:accounts")), "what is kept, is kept sealed"
        for text in (*town.said, *written.values()):
            assert found(text) == []
        # And the search is not blind: what is planted in the clear is found.
        redis.hset("{gw:canary}:accounts", "clear", IN_THE_CLEAR)
        redis.hset("{gw:canary}:accounts", "coded", base64.b64encode(BY_API.encode()))
        again = _flushed(redis, town)
        seen = {secret for text in again.values() for secret in found(text)}
        assert seen == {IN_THE_CLEAR, BY_API}
    assert found(f"log line: {ADMIN}".encode()) == [ADMIN]


def _live(town: Town, tmp_path: Path) -> None:
    """Everything that secrets go through, in good order and in bad."""
    where = {"base_url": town.vendor.base_url, "limit": 2}
    key_file = tmp_path / "keys.txt"
    key_file.write_text(f"{BY_IMPORT}\n")
    bad_file = tmp_path / "bad.txt"
    bad_file.write_text(f"{BAD_INPUT} films\nfilms {BAD_INPUT} more\n{BAD_INPUT}schlüssel\n")
    one, other = (Operator(gateway, ADMIN) for gateway in town.gateways)
    with closing(one.http), closing(other.http):
        assert town.hears(one, "POST", "/accounts", name="api", api_keys=[BY_API], **where) == 201
        options = ("--limit", "2", "--base-url", town.vendor.base_url)
        town.types("accounts", "import", str(key_file), *options)
        town.types("accounts", "import", str(bad_file), *options)
        town.types("accounts", "add", "api", "--key-file", str(key_file), *options)
        for path in (key_file, bad_file):
            town.types("accounts", "set", "api", "--add-key-file", str(path))
        _bad_input(town, one)
        team = town.processes.caller(town.gateways[0], TEAM)
        for _ in range(8):
            team.ended(team.created())
        # A server that says aloud which key it does not like; then, for looks, one that does not.
        for name, key in KNOWN.items():
            quoted = f"Incorrect API key provided: {key}"
            town.vendor.fault(
                **{"on": "submit", "kind": "error", "account": name},
                **{"status": 401, "code": "1002", "message": quoted},
            )
        task = team.created()
        wait_until(lambda: all(a["last_error"] for a in other.accounts().values()), what="refusals")
        for name, key in KNOWN.items():
            town.vendor.change_account(name, revoked_keys=[key])
        for operator in (one, other):
            for path in ("", "/api", "/main", "/account-1"):
                town.hears(operator, "GET", f"/accounts{path}")
            town.hears(operator, "GET", "/slots")
            for name in ("api", "main", "account-1"):
                town.hears(operator, "POST", f"/accounts/{name}/test")
            town.said.append(operator.http.get("/metrics").content)
        for words in (("list",), ("show", "api"), ("show", "main", "--json"), ("test",)):
            town.types("accounts", *words)
        swapped = {"GATEWAY_SECRET_KEY": f"{NEXT_SECRET},{SECRET}"}
        town.types("secrets", "rotate", **swapped)
        town.types("secrets", "rotate", GATEWAY_SECRET_KEY=BAD_INPUT)
        town.types("audit")
        town.types("slots")
        town.vendor.no_faults()
        for name in KNOWN:
            town.vendor.change_account(name, revoked_keys=[])
        team.ended(task)
        for name in ("api", "account-1"):
            town.hears(one, "POST", f"/accounts/{name}/drain")
        wait_until(lambda: one.account("api")["state"] == "drained", what="drained")
        assert town.hears(one, "DELETE", "/accounts/account-1") == 200


def _bad_input(town: Town, operator: Operator) -> None:
    bad = BAD_INPUT
    for body in (
        {"name": bad, "tier": bad, "api_keys": [BY_API]},
        {"name": f"{bad} {bad}", "limit": 1, "api_keys": [bad]},
        {"name": "new", "limit": 1, "api_keys": bad},
        {"name": "new", "limit": 1, "api_keys": [{"key": bad}, BY_API]},
        {"name": "new", "limit": 1, "api_keys": [f"{bad} {bad}"]},
        {"name": "new", "limit": 1, "api_keys": [bad, bad]},
        {"name": "new", "limit": bad, "api_keys": [bad]},
        {"name": "new", "limit": 1, "api_keys": [OF_SETTINGS]},
        {"name": "new", "limit": 1, "base_url": f"http://{bad}@", "api_keys": [bad]},
        {"name": "new", "limit": 1, "provider": bad, "api_keys": [bad]},
        {"name": "new", "limit": 1, "limits": {bad: 1}, "api_keys": [bad]},
        {"name": "new", "limit": 1, "reason": [bad], "api_keys": [bad]},
        {"name": "new", "limit": 1, "api_keys": [bad], bad: bad},
    ):
        assert 400 <= town.hears(operator, "POST", "/accounts", **body) < 500
        assert 400 <= town.hears(operator, "PATCH", "/accounts/api", **body) < 500
    for changes in ({"add_keys": [BY_API]}, {"remove_keys": [bad]}, {"add_keys": bad}):
        assert town.hears(operator, "PATCH", "/accounts/api", **changes) == 400
    for said in ({"lines": f"{bad} a"}, {"lines": bad, "into": f"{bad} x"}, {"lines": [bad]}):
        assert town.hears(operator, "POST", "/accounts/import", **said) == 400
    for path in (f"/accounts/{bad}", f"/accounts/{bad}/pause"):
        assert town.hears(operator, "POST" if "pause" in path else "GET", path) == 404
    for key in (bad, TEAM, "$KEY"):
        answer = operator.http.get("/admin/accounts", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 401
        town.said.append(answer.content)
    answer = operator.http.post("/admin/accounts", content=f'{{"api_keys": ["{bad}"')
    town.said.append(answer.content)


def _flushed(redis: Redis, town: Town) -> dict[Path, bytes]:
    """Every file there is, once the store has written all that it knows in both of its ways."""
    redis.config_set("rdbcompression", "no")  # or half of a secret could be a reference
    redis.bgrewriteaof()
    wait_until(
        lambda: (
            not (info := redis.info("persistence"))["aof_rewrite_in_progress"]
            and not info["aof_rewrite_scheduled"]
        ),
        what="the append-only file",
    )
    redis.save()
    files = {path: path.read_bytes() for path in town.files()}
    names = " ".join(map(str, files))
    for kind in (".rdb", ".aof", "gateway-0.log", "gateway-1.log", "simulator.log"):
        assert kind in names
    return files
