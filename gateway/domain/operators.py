"""Whom the admin plane knows: operators with a key of their own, and what each may do there."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum

KEY_PREFIX = "sk-admin-"
SESSION_SECONDS = 12 * 3600
"""So long a browser stays signed in."""


class Role(StrEnum):
    """What an operator may do. The values are stored."""

    ADMIN = "admin"
    """Everything."""
    VIEWER = "viewer"
    """Look at everything, change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Somebody who may use the admin plane."""

    id: str
    name: str
    role: Role
    team: str | None = None
    """A viewer may be one team's own: then there is nothing else for it."""
    hint: str = "..."
    created_ms: int | None = None
    expires_ms: int | None = None
    """Unix milliseconds from which on its key opens nothing."""

    @property
    def who(self) -> str:
        """As the audit names it."""
        return f"{self.name} ({self.id})" if self.name != self.id else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that an operator did. Times are Unix milliseconds by the store's clock."""

    at_ms: int
    who: str
    action: str
    on: str
    before: str
    after: str
    reason: str


def new_operator_id() -> str:
    return f"operator_{secrets.token_hex(8)}"


# Whoever has GATEWAY_ADMIN_KEY.
ROOT = Operator(id="admin key", name="admin key", role=Role.ADMIN)
