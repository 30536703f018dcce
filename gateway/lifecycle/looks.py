"""One question to a vendor about a task."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.domain.account import Account
from gateway.domain.ports import Provider
from gateway.domain.provider_answers import KeyRefused, LookAnswer, Running


class Looks:
    """Asks with the keys of the account that submitted the task, first the one that did."""

    def __init__(self, providers: Mapping[str, Provider], accounts: Mapping[str, Account]) -> None:
        self._providers = providers
        self._accounts = accounts

    async def ask(
        self, account_name: str, api_key_id: str | None, provider_task_id: str
    ) -> LookAnswer:
        account = self._accounts.get(account_name)
        if account is None:
            return Running(doubt=f"account {account_name} is not known to this process")
        answer: LookAnswer = Running(doubt="the account has no API key")
        for key in account.keys_from(api_key_id):
            answer = await self._providers[account.provider].look(account, key, provider_task_id)
            if not isinstance(answer, KeyRefused):
                return answer
        return answer
