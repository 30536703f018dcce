"""What an operator does to teams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.domain.account import Source
from gateway.domain.errors import Conflict, NotFound
from gateway.domain.ports import Tenants
from gateway.domain.tenant_form import TeamForm
from gateway.domain.tenant_record import Kind, record_of
from gateway.lifecycle.account_changes import checked_reason, split_reason
from gateway.lifecycle.kept_form import changed, overtaken, refuse_past

_FIXED = {"name": "add another team"}


class TeamChanges:
    """One method for each thing that can be done; `who` and `reason` go into the audit."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    async def add(self, said: Mapping[str, Any], *, who: str) -> str:
        """Keep a new team; return its name. `said` is a `TeamForm`, and a `reason`.

        Raises:
            InvalidField, MissingField: with the field named.
            Conflict: there is one of that name.
        """
        form_said, reason = split_reason(said)
        form = TeamForm.read(form_said)
        refuse_past(form)
        await self._tenants.refresh()
        name, taken = form.name, Conflict(f"there is a team {form.name} already", param="name")
        if name in self._tenants.teams or name in self._tenants.records[Kind.TEAM]:
            raise taken
        if not await self._put(form, None, who=who, action="teams.add", reason=reason):
            raise taken
        return name

    async def change(self, name: str, changes: Mapping[str, Any], *, who: str) -> None:
        """Change what is named and nothing else; null takes a field back to its default.

        A tier takes the place of a limit.

        Raises:
            NotFound: there is no such team.
            InvalidField: with the field named.
            Conflict: it is of the settings, or somebody else changed it just now.
        """
        changes, reason = split_reason(changes)
        if changes.get("tier") is not None:
            changes = {"limit": None} | changes
        await self._change(name, changes, who=who, action="teams.set", reason=reason)

    async def set_blocked(self, name: str, blocked: bool, *, who: str, reason: object = "") -> None:
        """Let nobody of the team in, or let them in again. Tasks that are there go on.

        Raises:
            NotFound, Conflict: as `change`.
        """
        action = "teams.block" if blocked else "teams.unblock"
        await self._change(
            name, {"blocked": blocked}, who=who, action=action, reason=checked_reason(reason)
        )

    async def remove(self, name: str, *, who: str, reason: str = "") -> int:
        """Take a kept team out, and its keys and viewers with it; return how many keys that were.

        Raises:
            NotFound: there is no such team.
            Conflict: it is of the settings, it has tasks, or somebody else changed it just now.
        """
        await self._tenants.refresh()
        record = self._tenants.records[Kind.TEAM].get(name) or self._changeable(name)
        keys = await self._tenants.put(
            Kind.TEAM,
            name,
            record,
            None,
            who=who,
            action="teams.remove",
            reason=checked_reason(reason),
        )
        if keys is None:
            raise overtaken(f"team {name}")
        return keys

    async def _change(
        self, name: str, changes: Mapping[str, Any], *, who: str, action: str, reason: str
    ) -> None:
        await self._tenants.refresh()
        record = self._changeable(name)
        form = TeamForm.read(changed(json.loads(record), changes, TeamForm, _FIXED))
        if "expires_at" in changes:
            refuse_past(form)
        if not await self._put(form, record, who=who, action=action, reason=reason):
            raise overtaken(f"team {name}")

    async def _put(
        self, form: TeamForm, before: str | None, *, who: str, action: str, reason: str
    ) -> bool:
        self._tenants.check(form)
        record = record_of(form.model_dump(mode="json", exclude_defaults=True))
        put = await self._tenants.put(
            Kind.TEAM, form.name, before, record, who=who, action=action, reason=reason
        )
        return put is not None

    def _changeable(self, name: str) -> str:
        """The record of the kept team of this name.

        Raises:
            NotFound, Conflict: there is none, or the settings have one of this name.
        """
        team = self._tenants.teams.get(name)
        if team is not None and team.source is Source.SETTINGS:
            raise Conflict(
                f"team {name} is in the settings: change it there "
                "(GATEWAY_TEAMS, or teams in gateway.yaml), and restart"
            )
        record = self._tenants.records[Kind.TEAM].get(name)
        if record is None:
            raise NotFound("there is no such team")
        return record
