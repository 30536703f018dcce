"""One question to a vendor about a task."""

from __future__ import annotations

import time
from collections.abc import Mapping

from gateway.domain.account import Account, ApiKey
from gateway.domain.ports import Provider
from gateway.domain.provider_answers import KeyRefused, LookAnswer, Running

# A key that was taken back stays so, mostly; until then its account's others are asked first.
_LAST_FOR_SECONDS = 60.0


class Looks:
    """Asks with the keys of the account that submitted the task, first the one that did; one that
    was refused a moment ago comes last, or it would cost a refusal at each look."""

    def __init__(self, providers: Mapping[str, Provider], accounts: Mapping[str, Account]) -> None:
        self._providers = providers
        self._accounts = accounts
        self._last_until: dict[str, float] = {}
        """By key id, on the process's clock."""

    async def ask(
        self, account_name: str, provider: str, api_key_id: str | None, provider_task_id: str
    ) -> LookAnswer:
        account = self._accounts.get(account_name)
        if account is not None and account.provider != provider:
            # Another one has its name now: at another vendor nobody knows the task.
            return Running(doubt=f"account {account_name} is at {account.provider} now")
        if account is None:
            return Running(doubt=f"account {account_name} is not known to this process")
        answer: LookAnswer = Running(doubt="the account has no API key")
        for key in self._in_order(account, api_key_id):
            answer = await self._providers[account.provider].look(account, key, provider_task_id)
            if not isinstance(answer, KeyRefused):
                self._last_until.pop(key.id, None)
                return answer
            self._last_until[key.id] = time.monotonic() + _LAST_FOR_SECONDS
        return answer

    def _in_order(self, account: Account, api_key_id: str | None) -> list[ApiKey]:
        now = time.monotonic()
        return sorted(
            account.keys_from(api_key_id), key=lambda key: self._last_until.get(key.id, 0.0) > now
        )
