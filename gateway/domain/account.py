"""Accounts at a vendor: what limits them and what opens them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One of an account's secrets. Only its id is ever stored, logged or shown."""

    secret: str = field(repr=False)

    @property
    def id(self) -> str:
        """A short fingerprint: tells keys apart, gives nothing away (the secret is random)."""
        return hashlib.sha256(self.secret.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A customer account at a provider. Its limits are per model and shared by all its keys."""

    name: str
    provider: str
    base_url: str
    limit: int
    """Tasks in flight, for each model that `limits` does not name."""
    limits: Mapping[str, int] = field(default_factory=dict)
    costs_fen: Mapping[str, int] = field(default_factory=dict)
    """By model, what the vendor charges us for a video, as far as anybody said."""
    api_keys: tuple[ApiKey, ...]

    def limit_for(self, model: str, model_limit: int | None) -> int:
        """How many tasks of a model may be in flight here; `model_limit` is the catalogue's."""
        return self.limits.get(model, self.limit if model_limit is None else model_limit)

    def keys_from(self, api_key_id: str | None) -> list[ApiKey]:
        """All keys of the account, the one with this id first."""
        return sorted(self.api_keys, key=lambda key: key.id != api_key_id)
