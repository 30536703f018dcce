"""Settings: the names of the manual, three sources, and one line for whatever is wrong."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from gateway.bootstrap import admin_key, store_url
from gateway.configuration import load_settings
from gateway.settings import Settings, WrongSettings

ACCOUNT = {"name": "main", "tier": "V0", "api_keys": ["id.secret"]}
TEAM = {"name": "films", "tier": "V1", "keys": ["sk-0123456789abcdef0123456789abcdef"]}


@pytest.fixture(autouse=True)
def _nothing_else_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)


def load(monkeypatch: pytest.MonkeyPatch, **environment: Any) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value if isinstance(value, str) else json.dumps(value))
    return load_settings()


def refused(monkeypatch: pytest.MonkeyPatch, **environment: Any) -> str:
    with pytest.raises(WrongSettings) as caught:
        load(monkeypatch, **environment)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_names_and_defaults_that_operators_rely_on(monkeypatch: pytest.MonkeyPatch):
    settings = load(monkeypatch)
    assert (settings.host, settings.port, settings.admin_port) == ("127.0.0.1", 8000, None)
    assert settings.tiers == {"V0": 5, "V1": 10, "V2": 15, "V3": 20}
    assert settings.redis_url is None
    assert settings.workers == 1
    assert settings.unknown_hold_seconds == 7200
    assert settings.max_age_seconds == 86400
    assert settings.submit_wait_seconds == 10
    assert settings.max_body_bytes == 15 * 1024 * 1024


def test_accounts_and_teams_come_as_json_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    settings = load(monkeypatch, GATEWAY_ACCOUNTS=[ACCOUNT], GATEWAY_TEAMS=[TEAM])
    assert settings.accounts[0].provider == "bigmodel"
    assert settings.teams[0].name == "films"
    assert "id.secret" not in repr(settings)
    assert TEAM["keys"][0] not in repr(settings)


def test_the_file_says_the_same_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "gateway.yaml").write_text("port: 9001\nhost: 0.0.0.0\ntiers: {V0: 7}\n")
    settings = load(monkeypatch, GATEWAY_PORT="9002")
    assert (settings.port, settings.host, settings.tiers) == (9002, "0.0.0.0", {"V0": 7})


def test_the_file_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "other.yaml").write_text("port: 9001\n")
    assert load(monkeypatch, GATEWAY_CONFIG=str(tmp_path / "other.yaml")).port == 9001


def test_secrets_may_come_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "admin").write_text("sk-admin-key-0123456789abcdef0123\n")
    (tmp_path / "accounts").write_text(json.dumps([ACCOUNT]))
    settings = load(
        monkeypatch,
        GATEWAY_ADMIN_KEY_FILE=str(tmp_path / "admin"),
        GATEWAY_ACCOUNTS_FILE=str(tmp_path / "accounts"),
    )
    assert settings.admin_key is not None
    assert settings.admin_key.get_secret_value() == "sk-admin-key-0123456789abcdef0123"
    assert settings.accounts[0].name == "main"


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch):
    settings = load(
        monkeypatch, GATEWAY_PORT="", GATEWAY_ADMIN_KEY="", GATEWAY_TEAMS_FILE="", GATEWAY_CONFIG=""
    )
    assert (settings.port, settings.admin_key, settings.teams) == (8000, None, [])


WRONG = [
    ({"GATEWAY_PORT": "web"}, "GATEWAY_PORT", "integer"),
    ({"GATEWAY_PORT": "70000"}, "GATEWAY_PORT", "65535"),
    ({"GATEWAY_PROT": "1"}, "GATEWAY_PROT", "did you mean GATEWAY_PORT"),
    ({"GATEWAY_ACCOUNTS": "[{"}, "GATEWAY_ACCOUNTS", "JSON"),
    ({"GATEWAY_ACCOUNTS": [{"name": "main", "tier": "V0"}]}, "GATEWAY_ACCOUNTS.0.api_keys", "req"),
    ({"GATEWAY_ACCOUNTS": [ACCOUNT | {"teir": "V0"}]}, "GATEWAY_ACCOUNTS.0.teir", "not a setting"),
    ({"GATEWAY_ACCOUNTS": [ACCOUNT | {"tier": "V9"}]}, "GATEWAY_ACCOUNTS.0.tier", "V0, V1"),
    ({"GATEWAY_ACCOUNTS": [ACCOUNT | {"limit": 3}]}, "GATEWAY_ACCOUNTS.0", "either"),
    ({"GATEWAY_ACCOUNTS": [ACCOUNT | {"name": "a b"}]}, "GATEWAY_ACCOUNTS.0.name", "letters"),
    ({"GATEWAY_ACCOUNTS": [ACCOUNT | {"base_url": "open.bigmodel.cn"}]}, "base_url", "https://"),
    ({"GATEWAY_ACCOUNTS": [ACCOUNT | {"api_keys": ["a b"]}]}, "api_keys", "spaces"),
    ({"GATEWAY_ACCOUNTS": [ACCOUNT, ACCOUNT]}, "GATEWAY_ACCOUNTS", "same name"),
    ({"GATEWAY_ACCOUNTS": [ACCOUNT, ACCOUNT | {"name": "b"}]}, "GATEWAY_ACCOUNTS", "same API key"),
    ({"GATEWAY_TEAMS": [TEAM | {"keys": ["sk-short"]}]}, "GATEWAY_TEAMS.0.keys", "32"),
    ({"GATEWAY_TEAMS": [TEAM | {"tier": "V9"}]}, "GATEWAY_TEAMS.0.tier", "V0, V1"),
    ({"GATEWAY_TEAMS": [TEAM, TEAM | {"name": "b"}]}, "GATEWAY_TEAMS", "same key"),
    ({"GATEWAY_MODELS": [{"name": "vidu2", "limit": 1}]}, "GATEWAY_MODELS.0.price_fen", "required"),
    ({"GATEWAY_MODELS": [{"name": "vidu2", "price_fen": 1}]}, "GATEWAY_MODELS.0.limit", "required"),
    (
        {"GATEWAY_MODELS": [{"name": "m", "price_fen": 10**13, "limit": 1}]},
        "GATEWAY_MODELS.0.price_fen",
        "less than",
    ),
    (
        {"GATEWAY_MODELS": [{"name": "m", "price_fen": 1, "limit": 1, "qualities": ["a:b"]}]},
        "GATEWAY_MODELS.0.qualities.0",
        "pattern",
    ),
    ({"GATEWAY_REDIS_URL": "localhost:6379"}, "GATEWAY_REDIS_URL", "redis://"),
    (
        {"GATEWAY_REDIS_URL": "redis://localhost:notaport"},
        "GATEWAY_REDIS_URL",
        "redis://store:6379",
    ),
    ({"GATEWAY_ADMIN_KEY": f"{'a' * 31} b"}, "GATEWAY_ADMIN_KEY", "without spaces"),
    ({"GATEWAY_ADMIN_KEY": "a" * 31}, "GATEWAY_ADMIN_KEY", "32"),
    ({"GATEWAY_CONFIG": "/no/such.yaml"}, "GATEWAY_CONFIG", "/no/such.yaml"),
    ({"GATEWAY_ADMIN_KEY_FILE": "/no/such"}, "GATEWAY_ADMIN_KEY_FILE", "/no/such"),
    ({"GATEWAY_ADMIN_KEY_FILE": "x", "GATEWAY_ADMIN_KEY": "y"}, "GATEWAY_ADMIN_KEY", "both"),
    ({"GATEWAY_UNKNOWN_HOLD_SECONDS": "inf"}, "GATEWAY_UNKNOWN_HOLD_SECONDS", "finite"),
    ({"GATEWAY_RETENTION_SECONDS": "1e30"}, "GATEWAY_RETENTION_SECONDS", "less than"),
    ({"GATEWAY_ACCOUNTS": [ACCOUNT | {"limits": {"cogvidoex-3": 1}}]}, "cogvidoex-3", "no such"),
    ({"GATEWAY_ACCOUNTS": [ACCOUNT | {"base_url": "https://host:99999/x"}]}, "base_url", "https:"),
    ({"GATEWAY_ACCOUNTS": "[" * 20_000}, "", ""),
    ({"GATEWAY_UNKNOWN_HOLD_SECONDS": "0"}, "GATEWAY_UNKNOWN_HOLD_SECONDS", "greater than 0"),
]


@pytest.mark.parametrize(("environment", "name", "words"), WRONG, ids=lambda value: str(value)[:50])
def test_what_is_wrong_is_named_with_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, Any], name: str, words: str
):
    message = refused(monkeypatch, **environment)
    assert name in message
    assert words in message


def test_no_message_tells_a_secret(monkeypatch: pytest.MonkeyPatch):
    for wrong in (
        {"GATEWAY_TEAMS": [TEAM | {"keys": ["sk-my-short-secret"]}]},
        {"GATEWAY_ACCOUNTS": [ACCOUNT | {"api_keys": ["my secret"]}]},
        {"GATEWAY_REDIS_URL": "http://:my-secret@store"},
    ):
        assert "secret" not in refused(monkeypatch, **wrong)
        monkeypatch.delenv(next(iter(wrong)))


def test_what_an_orchestrator_adds_for_a_service_of_this_name_is_no_mistake(
    monkeypatch: pytest.MonkeyPatch,
):
    load(monkeypatch, GATEWAY_SERVICE_HOST="10.0.0.1", GATEWAY_PORT_8000_TCP="tcp://10.0.0.1:8000")


def test_a_wrong_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "gateway.yaml").write_text("port: [9001\n")
    assert "gateway.yaml" in refused(monkeypatch)
    (tmp_path / "gateway.yaml").write_text("prot: 9001\n")
    assert refused(monkeypatch) == "gateway.yaml: prot is not a setting; did you mean port?"
    for odd in ("- port\n", "42\n", "1: 2\n", "~: 2\n", "port: !S3cret x\n", "port: *S3cret\n"):
        (tmp_path / "gateway.yaml").write_text(odd)
        message = refused(monkeypatch)
        assert message.startswith("gateway.yaml: ")
        assert "S3cret" not in message


def test_a_folder_may_begin_with_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(monkeypatch, GATEWAY_DATA_DIR="~/data").data_dir == tmp_path / "data"


def test_an_option_of_the_stores_url_that_nobody_knows_is_named(monkeypatch: pytest.MonkeyPatch):
    settings = load(monkeypatch, GATEWAY_REDIS_URL="redis://store:6379/0?foo=1")
    with pytest.raises(WrongSettings, match="GATEWAY_REDIS_URL"), store_url(settings):
        pass


def test_an_admin_key_is_made_once_beside_the_embedded_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "data").mkdir()
    settings = load(monkeypatch)
    key = admin_key(settings)
    assert len(key) >= 32
    assert admin_key(settings) == key
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["admin.key"]
    assert stat.S_IMODE((tmp_path / "data" / "admin.key").stat().st_mode) == 0o600


def test_an_admin_key_file_that_holds_none_is_no_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "admin.key").touch()
    with pytest.raises(WrongSettings, match="holds no key"):
        admin_key(load(monkeypatch))


def test_a_shared_store_needs_an_admin_key_that_is_set(monkeypatch: pytest.MonkeyPatch):
    settings = load(monkeypatch, GATEWAY_REDIS_URL="redis://store:6379/0")
    with pytest.raises(WrongSettings, match="GATEWAY_ADMIN_KEY must be set"):
        admin_key(settings)


def test_times_that_do_not_fit_together_are_named(monkeypatch: pytest.MonkeyPatch):
    assert "GATEWAY_RETENTION_SECONDS" in refused(monkeypatch, GATEWAY_RETENTION_SECONDS="60")
    span = '{"cogvideox-3": [60, 30]}'
    assert "shorter" in refused(monkeypatch, GATEWAY_EXPECTED_SECONDS=span)
    unknown = refused(monkeypatch, GATEWAY_EXPECTED_SECONDS='{"cogvideo": [30, 60]}')
    assert "only cogvideox-3" in unknown
