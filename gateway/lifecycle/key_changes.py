"""What an operator does to the keys that teams call with. A secret is returned once, when it is
made, and only its digest is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.domain.account import Source
from gateway.domain.errors import Conflict, InvalidField, NotFound
from gateway.domain.ports import Tenants
from gateway.domain.team import key_digest, key_hint, new_key, new_key_id
from gateway.domain.tenant_form import KeyForm
from gateway.domain.tenant_record import Kind, record_of
from gateway.lifecycle.account_changes import checked_reason, split_reason
from gateway.lifecycle.kept_form import changed, now_ms, overtaken, refuse_past

OVERLAP_SECONDS = 24 * 3600
"""So long the old secret still opens after a rotation, unless said otherwise."""
_LONGEST_OVERLAP_SECONDS = 30 * 24 * 3600
_FIXED = {
    "team": "make a key of the other team, and revoke this one",
    "key": "rotate it, and it gets a new secret",
}


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was made or rotated, with its secret: whoever gets this must pass it on."""

    id: str
    secret: str = field(repr=False)


class KeyChanges:
    """One method for each thing that can be done; `who` and `reason` go into the audit."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    async def create(self, said: Mapping[str, Any], *, who: str) -> NewKey:
        """Keep a new key of a team, of the settings as well. `said` is a `KeyForm`, and a `reason`.

        Raises:
            InvalidField, MissingField: with the field named.
            Conflict: the team was taken out just now.
        """
        form_said, reason = split_reason(said)
        form = KeyForm.read(form_said)
        refuse_past(form)
        await self._tenants.refresh()
        self._tenants.check(form)
        key = NewKey(new_key_id(), new_key())
        record = _record(form, [kept_secret(key.secret)], now_ms())
        await self._put(key.id, None, record, who=who, action="keys.create", reason=reason)
        return key

    async def change(self, key_id: str, changes: Mapping[str, Any], *, who: str) -> None:
        """Change what is named and nothing else; null takes a field back to its default.

        Raises:
            NotFound: there is no such key.
            InvalidField: with the field named.
            Conflict: it is of the settings, or somebody else changed it just now.
        """
        changes, reason = split_reason(changes)
        await self._change(key_id, changes, who=who, action="keys.set", reason=reason)

    async def set_blocked(
        self, key_id: str, blocked: bool, *, who: str, reason: object = ""
    ) -> None:
        """Let nobody in who shows it, or let them in again.

        Raises:
            NotFound, Conflict: as `change`.
        """
        action = "keys.block" if blocked else "keys.unblock"
        await self._change(
            key_id, {"blocked": blocked}, who=who, action=action, reason=checked_reason(reason)
        )

    async def rotate(
        self, key_id: str, overlap_seconds: object = None, *, who: str, reason: object = ""
    ) -> NewKey:
        """Give it a new secret; older ones still open for a while, or shorter if that was said
        before. Its id, and with it what it may and what it spent, stays.

        Raises:
            NotFound, Conflict: as `change`.
            InvalidField: the overlap is no number of seconds, or over 30 days.
        """
        overlap = _checked_overlap(overlap_seconds)
        reason = checked_reason(reason)
        await self._tenants.refresh()
        before = self._changeable(key_id)
        said, now = json.loads(before), now_ms()
        key = NewKey(key_id, new_key())
        older = [
            old | {"until_ms": min(old.get("until_ms", now + overlap), now + overlap)}
            for old in said["secrets"]
        ]
        still_open = [old for old in older if old["until_ms"] > now]
        record = record_of(said | {"secrets": [kept_secret(key.secret), *still_open]})
        await self._put(key_id, before, record, who=who, action="keys.rotate", reason=reason)
        return key

    async def revoke(self, key_id: str, *, who: str, reason: str = "") -> None:
        """Take it out for good, on all processes within seconds.

        Raises:
            NotFound, Conflict: as `change`.
        """
        reason = checked_reason(reason)
        await self._tenants.refresh()
        before = self._changeable(key_id)
        await self._put(key_id, before, None, who=who, action="keys.revoke", reason=reason)

    async def _change(
        self, key_id: str, changes: Mapping[str, Any], *, who: str, action: str, reason: str
    ) -> None:
        await self._tenants.refresh()
        before = self._changeable(key_id)
        said = json.loads(before)
        form = KeyForm.read(changed(said["form"], changes, KeyForm, _FIXED))
        self._tenants.check(form)
        if "expires_at" in changes:
            refuse_past(form)
        record = _record(form, said["secrets"], said["created_ms"])
        await self._put(key_id, before, record, who=who, action=action, reason=reason)

    async def _put(
        self,
        key_id: str,
        before: str | None,
        record: str | None,
        *,
        who: str,
        action: str,
        reason: str,
    ) -> None:
        put = await self._tenants.put(
            Kind.KEY, key_id, before, record, who=who, action=action, reason=reason
        )
        if put is None:
            raise overtaken("its team" if before is None else f"key {key_id}")

    def _changeable(self, key_id: str) -> str:
        """The record of the kept key of this id.

        Raises:
            NotFound, Conflict: there is none, or it is of the settings.
        """
        key = self._tenants.keys.get(key_id)
        if key is not None and key.source is Source.SETTINGS:
            raise Conflict(
                f"key {key_id} is in the settings: change it there "
                "(GATEWAY_TEAMS, or teams in gateway.yaml), and restart"
            )
        record = self._tenants.records[Kind.KEY].get(key_id)
        if record is None:
            raise NotFound("there is no such key")
        return record


def kept_secret(secret: str) -> dict[str, Any]:
    """What is kept of a secret."""
    return {"digest": key_digest(secret), "hint": key_hint(secret)}


def _record(form: KeyForm, secrets: list[dict[str, Any]], created_ms: int) -> str:
    said = form.model_dump(mode="json", exclude_defaults=True)
    return record_of({"form": said, "secrets": secrets, "created_ms": created_ms})


def _checked_overlap(seconds: object) -> int:
    """In milliseconds."""
    said = OVERLAP_SECONDS if seconds is None else seconds
    if type(said) is not int or not 0 <= said <= _LONGEST_OVERLAP_SECONDS:  # True is no number
        raise InvalidField(
            f"overlap_seconds must be a whole number from 0 to {_LONGEST_OVERLAP_SECONDS} "
            "(30 days)",
            param="overlap_seconds",
        )
    return said * 1000
