"""What the scripts know of an account: its lanes (one a model), in the order of preference."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.domain.account import Account, Preference
from gateway.domain.catalog import Catalog

# An account of one slot must be able to lose an answer and go on with the next; so two at least.
_LEAST_UNKNOWN = 2
# Behind every price that somebody said.
_RANK_WITHOUT_PRICE = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRules:
    """What an account's lanes follow from, beside the account."""

    catalog: Catalog
    unknown_share: float
    """How many of an account's slots lost answers may take."""
    preference: Preference = Preference.SHARE
    provider_order: Sequence[str] = ()

    def limits(self, accounts: Mapping[str, Account]) -> dict[tuple[str, str], int]:
        """Tasks in flight by account and model."""
        return {
            (account.name, model): limit
            for account in accounts.values()
            for model, limit in self._lanes(account)
        }

    def of(self, account: Account) -> dict[str, Any]:
        """An account as `put_account` in pool.lua reads it."""
        return {
            "lanes": {
                f"{account.provider}:{model}": self._lane(account, model, limit)
                for model, limit in self._lanes(account)
            },
            "keys": " ".join(key.id for key in account.api_keys),
        }

    def _lanes(self, account: Account) -> Iterator[tuple[str, int]]:
        for spec in self.catalog:
            if account.provider in spec.providers and account.makes(spec.name):
                yield spec.name, account.limit_for(spec.name, spec.limit)

    def _lane(self, account: Account, model: str, limit: int) -> str:
        unknown_cap = max(_LEAST_UNKNOWN, math.ceil(self.unknown_share * limit))
        cost = account.costs_fen.get(model)
        parts = (limit, unknown_cap, f"{account.weight:g}", self._rank(account, cost))
        return " ".join(map(str, (*parts, "-" if cost is None else cost)))

    def _rank(self, account: Account, cost: int | None) -> int:
        match self.preference:
            case Preference.SHARE:
                return 0
            case Preference.PRICE:
                return _RANK_WITHOUT_PRICE if cost is None else cost
            case Preference.ORDER:
                order = list(self.provider_order)
                return order.index(account.provider) if account.provider in order else len(order)
