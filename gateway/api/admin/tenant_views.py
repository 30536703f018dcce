"""What there is of teams, keys, prices and operators, as the admin plane and the commands tell it.

Each look reads anew what is kept, so whoever changed something sees it, whichever process answers.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from gateway.api.admin.tenants_telling import key_told, operator_told, price_told, team_told
from gateway.domain.charge import of_key, of_team
from gateway.domain.errors import Conflict, NotFound
from gateway.domain.ports import ReadsSpending, Tenants
from gateway.domain.team import Team, TeamKey
from gateway.domain.tenant_record import Kind

Sees = Callable[[str], bool]
"""Whether whoever asks may know of a team; else it is as if there were none."""


def _all(team: str) -> bool:
    return True


class TenantViews:
    """Every method raises StoreUnavailable when the store does not answer."""

    def __init__(self, tenants: Tenants, spending: ReadsSpending) -> None:
        self._tenants = tenants
        self._spending = spending

    async def teams(self, sees: Sees = _all) -> list[dict[str, Any]]:
        await self._tenants.refresh()
        seen = [team for team in self._tenants.teams.values() if sees(team.name)]
        return await self._teams_told(sorted(seen, key=lambda team: team.name))

    async def team(self, name: str, sees: Sees = _all) -> dict[str, Any]:
        """One team.

        Raises:
            NotFound: there is none, for whoever asks.
            Conflict: it is kept, and not in use.
        """
        await self._tenants.refresh()
        if not sees(name):
            raise NotFound("there is no such team")
        team = self._tenants.teams.get(name)
        if team is None:
            raise self._not_in_use("team", name)
        (told,) = await self._teams_told([team])
        return told

    async def keys(self, team: str | None = None, sees: Sees = _all) -> list[dict[str, Any]]:
        """All keys, or a team's, by team and age."""
        await self._tenants.refresh()
        seen = [
            key
            for key in self._tenants.keys.values()
            if sees(key.team) and (team is None or key.team == team)
        ]
        seen.sort(key=lambda key: (key.team, key.created_ms or 0, key.id))
        return await self._keys_told(seen)

    async def key(self, key_id: str, sees: Sees = _all) -> dict[str, Any]:
        """One key.

        Raises:
            NotFound: there is none, for whoever asks.
            Conflict: it is kept, and not in use.
        """
        await self._tenants.refresh()
        key = self._tenants.keys.get(key_id)
        if key is None and sees(self._kept_team_of(key_id)):
            raise self._not_in_use("key", key_id)
        if key is None or not sees(key.team):
            raise NotFound("there is no such key")
        (told,) = await self._keys_told([key])
        return told

    async def prices(self) -> list[dict[str, Any]]:
        """All lines: those of the settings, then the kept ones in the order of their making."""
        await self._tenants.refresh()
        of_settings = [price_told(None, price, None) for price in self._tenants.setting_prices]
        records = self._tenants.records[Kind.PRICE]
        return of_settings + [
            price_told(price_id, price, json.loads(records[price_id])["created_ms"])
            for price_id, price in self._tenants.prices.items()
        ]

    async def price(self, price_id: str) -> dict[str, Any]:
        """One line that is kept.

        Raises:
            NotFound: there is none.
        """
        for told in await self.prices():
            if told["id"] == price_id:
                return told
        raise NotFound("there is no such price")

    async def operators(self) -> list[dict[str, Any]]:
        await self._tenants.refresh()
        ordered = sorted(self._tenants.operators.values(), key=lambda one: one.created_ms or 0)
        return [operator_told(one) for one in ordered]

    async def operator(self, operator_id: str) -> dict[str, Any]:
        """One operator.

        Raises:
            NotFound: there is none.
        """
        for told in await self.operators():
            if told["id"] == operator_id:
                return told
        raise NotFound("there is no such operator")

    def unfit(self, what: str) -> list[dict[str, str]]:
        """What of a kind ("team", "key", "price") is kept and not in use, and why."""
        named = ((*each.split(" ", 1), why) for each, why in self._tenants.unfit.items())
        return [{"name": name, "reason": why} for kind, name, why in named if kind == what]

    async def _teams_told(self, teams: Iterable[Team]) -> list[dict[str, Any]]:
        teams = list(teams)
        read = await self._spending.spending_of([of_team(team.name) for team in teams])
        now_ms = time.time() * 1000
        return [team_told(team, read[of_team(team.name)], now_ms) for team in teams]

    async def _keys_told(self, keys: Iterable[TeamKey]) -> list[dict[str, Any]]:
        keys = list(keys)
        read = await self._spending.spending_of([of_key(key.id) for key in keys])
        records, now_ms = self._tenants.records[Kind.KEY], time.time() * 1000
        return [
            key_told(
                key,
                self._tenants.teams[key.team],
                records.get(key.id),
                read[of_key(key.id)],
                now_ms,
            )
            for key in keys
        ]

    def _kept_team_of(self, key_id: str) -> str:
        record = self._tenants.records[Kind.KEY].get(key_id)
        return json.loads(record)["form"]["team"] if record else ""

    def _not_in_use(self, what: str, name: str) -> NotFound | Conflict:
        why = self._tenants.unfit.get(f"{what} {name}")
        if why is None:
            return NotFound(f"there is no such {what}")
        return Conflict(f"{what} {name} is kept, and not in use: {why}; change it, or take it out")
