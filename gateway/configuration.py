"""Reads the settings: from the environment (`GATEWAY_...`), then from `gateway.yaml`.

Secrets, and whatever contains them, may also come from a file: `GATEWAY_ADMIN_KEY_FILE=/run/...`.
Whatever is wrong becomes one line, which never quotes a value: it may be a secret.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsError,
)

from gateway.settings import PREFIX, Settings, WrongSettings

DEFAULT_CONFIG = "gateway.yaml"

_MAY_COME_FROM_FILES = ("accounts", "admin_key", "redis_url", "secret_key", "teams")
# Kubernetes puts these beside ours when a Service is called "gateway".
_NOT_OURS = re.compile(r"GATEWAY_(SERVICE_HOST|SERVICE_PORT.*|PORT_\d+_.*)")


class _FromAllSources(Settings):
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, _from_yaml())


def load_settings() -> Settings:
    """Read all settings.

    Raises:
        WrongSettings: with one line that names the setting and what would be right.
    """
    _refuse_unknown()
    try:
        return _FromAllSources(**_from_files())
    except ValidationError as error:
        raise WrongSettings(_first_line(error)) from None
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = f"{PREFIX}{field[1].upper()}" if field else "a setting"
        raise WrongSettings(f"{name} must be JSON, as the README shows it") from None
    except RecursionError:
        raise WrongSettings("a setting is nested far too deeply") from None


def _config_file() -> Path | None:
    named = os.environ.get(f"{PREFIX}CONFIG")
    path = Path(named or DEFAULT_CONFIG)
    if named and not path.is_file():
        raise WrongSettings(f"{PREFIX}CONFIG: there is no file {path}")
    return path if path.is_file() else None


def _from_yaml() -> dict[str, Any]:
    """What the settings file says."""
    path = _config_file()
    if path is None:
        return {}
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSettings(f"{path}: cannot be read ({type(error).__name__})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise WrongSettings(f"{path}: is not valid YAML{where}") from None
    if said is None:
        return {}
    if not isinstance(said, dict) or not all(isinstance(name, str) for name in said):
        raise WrongSettings(f"{path}: must hold lines like `port: 8000`")
    return said


def _from_files() -> dict[str, Any]:
    """The values of `..._FILE` variables, parsed as the environment's own would be."""
    values: dict[str, Any] = {}
    for field in _MAY_COME_FROM_FILES:
        name = f"{PREFIX}{field.upper()}"
        path = os.environ.get(f"{name}_FILE")
        if not path:
            continue
        if os.environ.get(name):
            raise WrongSettings(f"{name} and {name}_FILE are both set; keep one")
        values[field] = _read_secret(name, Path(path), as_json=field in ("accounts", "teams"))
    return values


def _read_secret(name: str, path: Path, *, as_json: bool) -> Any:
    try:
        text = path.read_text(encoding="utf-8").strip()
        return json.loads(text) if as_json else text
    except OSError as error:
        raise WrongSettings(f"{name}_FILE: cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise WrongSettings(f"{name}_FILE: {path} must hold JSON, as the README shows it") from None


def _refuse_unknown() -> None:
    """A setting with a typo would otherwise be a setting silently at its default."""
    names = [*_names(), "config", *(f"{field}_file" for field in _MAY_COME_FROM_FILES)]
    known = [f"{PREFIX}{name.upper()}" for name in names]
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known and not _NOT_OURS.fullmatch(name):
            raise WrongSettings(f"{name} is not a setting{_hint(name, known)}")


def _names() -> list[str]:
    return list(Settings.model_fields)


def _hint(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _first_line(error: ValidationError) -> str:
    """Which setting, and what is wrong with it."""
    fault = error.errors(include_url=False, include_input=False)[0]
    place = [str(part) for part in fault["loc"]]
    message = fault["msg"].removeprefix("Value error, ")
    if not place:
        return message  # it speaks of several settings and names them itself
    if fault["type"] == "extra_forbidden" and len(place) == 1:
        return f"{_config_file()}: {place[0]} is not a setting{_hint(place[0], _names())}"
    name = ".".join([f"{PREFIX}{place[0].upper()}", *place[1:]])
    field = Settings.model_fields.get(place[0])
    if fault["type"] == "extra_forbidden":
        return f"{name} is not a setting"
    about = f" ({field.description})" if field and field.description and len(place) == 1 else ""
    return f"{name}: {message[:1].lower()}{message[1:]}{about}"
