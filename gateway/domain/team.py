"""Teams, the internal tenants that call us, and the keys that they call with."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.domain.account import Source
from gateway.domain.charge import Budget
from gateway.domain.errors import NotAllowed
from gateway.domain.video import VideoRequest

KEY_PREFIX = "sk-gw-"
"""What our keys begin with: a scanner finds one that was committed somewhere, and its owner."""
_KEY_BYTES = 28  # 224 bits of randomness
_HINT_CHARACTERS = 4


class Standing(StrEnum):
    """Whether a team or a key opens anything."""

    ACTIVE = "active"
    BLOCKED = "blocked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """What a team, or one of its keys, may do; both must allow it. Empty choices allow all."""

    budget: Budget = field(default_factory=Budget)
    submits_per_minute: int | None = None
    models: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    qualities: tuple[str, ...] = ()
    expires_ms: int | None = None
    """Unix milliseconds from which on it opens nothing."""
    blocked: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Whatever its operators want to remember of it; never told to callers."""

    def standing(self, now_ms: float) -> Standing:
        if self.expires_ms is not None and self.expires_ms <= now_ms:
            return Standing.EXPIRED
        return Standing.BLOCKED if self.blocked else Standing.ACTIVE

    def check(self, request: VideoRequest) -> None:
        """Refuse what may not be asked for.

        A size or quality that was not said is the vendor's default, which nobody knows: it is
        refused where only some are allowed.

        Raises:
            NotAllowed: the field, and what is allowed.
        """
        for name, value, allowed in (
            ("model", request.model, self.models),
            ("size", request.size, self.sizes),
            ("quality", request.quality, self.qualities),
        ):
            if allowed and value not in allowed:
                listed = ", ".join(allowed)
                raise NotAllowed(f"{name} must be one of {listed} for this API key", param=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A tenant with a cap on its tasks in flight, all models together."""

    name: str
    cap: int
    weight: float = 1.0
    """Its share of the slots while others wait as well: twice the weight, twice the tasks."""
    rejects_overflow: bool = False
    """Whether its requests are refused, unless they say otherwise, when they would have to wait."""
    queue_tasks: int | None = None
    """So many of its tasks may wait, where that is less than of any team."""
    tier: str | None = None
    """What `cap` follows from; None where it was said as a number."""
    permit: Permit = field(default_factory=Permit)
    source: Source = Source.SETTINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamKey:
    """A secret that a team calls with, without the secret."""

    id: str
    team: str
    name: str = ""
    """What its operators call it."""
    hint: str = "..."
    """What whoever has it recognises it by."""
    created_ms: int | None = None
    rejects_overflow: bool | None = None
    """In place of the team's; None: as the team."""
    permit: Permit = field(default_factory=Permit)
    source: Source = Source.SETTINGS


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a team, with one of its keys."""

    team: Team
    key: TeamKey

    @property
    def rejects_overflow(self) -> bool:
        own = self.key.rejects_overflow
        return self.team.rejects_overflow if own is None else own

    def check(self, request: VideoRequest) -> None:
        """Refuse what its team or its key may not ask for.

        Raises:
            NotAllowed: the field, and what is allowed.
        """
        self.team.permit.check(request)
        self.key.permit.check(request)


def new_key(prefix: str = KEY_PREFIX) -> str:
    """A secret that cannot be guessed. It is shown once and kept nowhere."""
    return prefix + secrets.token_hex(_KEY_BYTES)


def new_key_id() -> str:
    """Names a key for good, also when its secret changes."""
    return f"key_{secrets.token_hex(8)}"


def key_digest(key: str) -> str:
    """The only form in which a team's key is kept. Keys are long and random: no stretching."""
    return hashlib.sha256(key.encode()).hexdigest()


def key_hint(key: str) -> str:
    """What of a key may be shown."""
    return f"...{key[-_HINT_CHARACTERS:]}"
