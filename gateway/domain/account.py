"""Accounts at a vendor: what limits them and what opens them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# Of a shorter secret, what is shown would be a good part.
_LEAST_LENGTH_TO_HINT = 20


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One of an account's secrets. Only its id is ever stored in the clear, logged or shown."""

    secret: str = field(repr=False)

    @property
    def id(self) -> str:
        """A short fingerprint: tells keys apart, gives nothing away (the secret is random)."""
        return hashlib.sha256(self.secret.encode()).hexdigest()[:12]

    @property
    def hint(self) -> str:
        """What whoever has the key recognises it by: its last four characters."""
        return f"...{self.secret[-4:]}" if len(self.secret) >= _LEAST_LENGTH_TO_HINT else "..."


class Source(StrEnum):
    """Where an account is kept, and so where it is changed."""

    SETTINGS = "settings"
    STORE = "store"
    """Made by the admin API or `gateway accounts`."""


class AccountState(StrEnum):
    """What an operator wants of an account. It gets no new tasks either way, and those that run on
    it are looked after."""

    PAUSED = "paused"
    """For a while."""
    DRAINING = "draining"
    """For good: it is to be taken out when the last one has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorState:
    """What an operator said of an account. The time is Unix milliseconds by the store's clock."""

    state: AccountState
    reason: str
    who: str
    at_ms: int


class Preference(StrEnum):
    """Which vendor's accounts go first; the others take what those have no slot for."""

    SHARE = "share"
    """None: the account with the largest share of free slots."""
    ORDER = "order"
    """By the order of the vendors in the settings."""
    PRICE = "price"
    """By what a video costs us, account by account; where nobody said, last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A customer account at a provider. Its limits are per model and shared by all its keys."""

    name: str
    provider: str
    base_url: str
    limit: int
    """Tasks in flight, for each model that `limits` does not name."""
    limits: Mapping[str, int] = field(default_factory=dict)
    tier: str | None = None
    """What `limit` follows from; None where it was said as a number."""
    models: tuple[str, ...] = ()
    """Those that it may make; empty: all of its provider's."""
    weight: float = 1.0
    """Its share of free slots is counted so many times."""
    costs_fen: Mapping[str, int] = field(default_factory=dict)
    """By model, what the vendor charges us for a video, as far as anybody said."""
    api_keys: tuple[ApiKey, ...]
    source: Source = Source.SETTINGS

    def makes(self, model: str) -> bool:
        return not self.models or model in self.models

    def limit_for(self, model: str, model_limit: int | None) -> int:
        """How many tasks of a model may be in flight here; `model_limit` is the catalogue's."""
        return self.limits.get(model, self.limit if model_limit is None else model_limit)

    def keys_from(self, api_key_id: str | None) -> list[ApiKey]:
        """All keys of the account, the one with this id first."""
        return sorted(self.api_keys, key=lambda key: key.id != api_key_id)


class CannotOpen(Exception):
    """A sealed key does not open. The message says why and holds no secret."""


@dataclass(frozen=True, slots=True)
class KeptAccount:
    """An account as it is kept in the store. Of its keys, ids and hints are in the clear."""

    name: str
    record: str
    """As it was read: whoever changes it says so, that no change of another is lost."""

    @property
    def said(self) -> dict[str, Any]:
        """The form, without the keys."""
        form: dict[str, Any] = json.loads(self.record)
        return {name: value for name, value in form.items() if name != "keys"}

    @property
    def keys(self) -> list[dict[str, str]]:
        """{"id", "hint", "sealed"} each."""
        return list(json.loads(self.record)["keys"])
