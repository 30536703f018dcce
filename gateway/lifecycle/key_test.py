"""Does a key open its account? Asked without making, or paying for, anything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.account import Account, ApiKey
from gateway.domain.errors import Conflict, NotFound
from gateway.domain.ports import Accounts, Provider
from gateway.domain.provider_answers import KeyRefused, Missing, Running

# The vendors number their tasks, far beyond this: none of these was ever made.
_NO_TASK = "1"
_AT_ONCE = 8


class Verdict(StrEnum):
    WORKS = "works"
    REFUSED = "refused"
    CANNOT_TELL = "cannot tell"
    """The vendor was not reached, or said something else."""


@dataclass(frozen=True, slots=True)
class KeyTested:
    """What a vendor made of a key; `reason` is in its own words."""

    key: ApiKey
    verdict: Verdict
    reason: str | None = None


class KeyTest:
    """Asks the vendor about a task that cannot exist: only a key that works gets to hear that."""

    def __init__(self, accounts: Accounts, providers: Mapping[str, Provider]) -> None:
        self._accounts = accounts
        self._providers = providers

    async def run(self, name: str) -> list[KeyTested]:
        """Try each key of an account.

        Raises:
            NotFound: there is no such account.
            Conflict: its keys cannot be read here.
        """
        await self._accounts.refresh()
        account = self._accounts.get(name)
        if account is None and name in self._accounts.kept:
            raise Conflict(f"account {name} cannot be used as it is; look at it")
        if account is None:
            raise NotFound("there is no such account")
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(key: ApiKey) -> KeyTested:
            async with gate:
                return await self._asked(account, key)

        return await asyncio.gather(*(one(key) for key in account.api_keys))

    async def _asked(self, account: Account, key: ApiKey) -> KeyTested:
        match await self._providers[account.provider].look(account, key, _NO_TASK):
            case KeyRefused(reason):
                return KeyTested(key, Verdict.REFUSED, reason)
            case Running(doubt) if doubt is not None:
                return KeyTested(key, Verdict.CANNOT_TELL, doubt)
            case Missing(reason):
                return KeyTested(key, Verdict.WORKS, reason)
            case _:  # it opened the account, whatever the vendor made of the id
                return KeyTested(key, Verdict.WORKS)
