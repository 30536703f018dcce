"""Reads how the pool stands: slots, queue, rests and accounts, put together by account."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.domain.account import Account, AccountState, Source
from gateway.domain.capacity import (
    AccountCapacity,
    Capacity,
    Condition,
    KeyCapacity,
    KeyCondition,
    LaneCapacity,
    LearnedDurations,
    Waiting,
    Why,
)
from gateway.domain.task import Status
from gateway.store.accounts import AccountStore
from gateway.store.connection import Store
from gateway.store.durations import learned_of
from gateway.store.slots import Holding, Resting, SlotStore


class CapacityReader:
    """Fits the port `ReadsCapacity`."""

    def __init__(
        self, store: Store, accounts: AccountStore, slots: SlotStore, max_age_seconds: float
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._slots = slots
        self._max_age_seconds = max_age_seconds

    async def read(self) -> Capacity:
        """How all stands.

        Raises:
            StoreUnavailable: nobody knows.
        """
        await self._accounts.refresh()
        resting = await self._slots.resting()
        rests = {rest.name: rest for rest in resting}
        queues = await self._slots.queues()
        effective = await self._slots.effective_limits()
        troubles = await self._slots.troubles()
        holdings = await self._slots.holdings()
        models = {(self._provider_of(holding.account), holding.model) for holding in holdings}
        durations = await learned_of(self._store, models)
        lanes = tuple(
            self._lane(holding, effective, queues, rests, durations) for holding in holdings
        )
        names = sorted({*self._accounts, *self._accounts.kept})
        accounts = (
            self._account(
                name, tuple(lane for lane in lanes if lane.account == name), rests, troubles
            )
            for name in names
        )
        left = {rest.name: rest.seconds_left for rest in resting}
        return Capacity(tuple(accounts), lanes, queues, left)

    def _lane(
        self,
        holding: Holding,
        effective: Mapping[tuple[str, str], tuple[int, str]],
        queues: Mapping[tuple[str, str], Waiting],
        rests: Mapping[str, Resting],
        durations: Mapping[tuple[str, str], LearnedDurations],
    ) -> LaneCapacity:
        name, model = holding.account, holding.model
        provider = self._provider_of(name)
        now = time.time()
        limit, reason = effective.get((name, model), (holding.limit, ""))
        lowered = Why(f"the vendor takes {limit} of late: {reason}", None, None) if reason else None
        causes = (
            f"account:{name}:{model}",
            f"breaker:{name}:{model}",
            f"provider:{provider}:{model}",
        )
        return LaneCapacity(
            account=name,
            model=model,
            limit=holding.limit,
            effective_limit=limit,
            tasks=holding.tasks,
            unknown=sum(task.status is Status.UNKNOWN for task in holding.tasks),
            overdue=sum(task.overdue(now, self._max_age_seconds) for task in holding.tasks),
            queued=sum(
                waiting.tasks
                for (kind, _), waiting in queues.items()
                if _takes(kind, model, provider)
            ),
            why=next((_why(rests[cause]) for cause in causes if cause in rests), lowered),
            durations=durations.get((provider, model)),
        )

    def _provider_of(self, name: str) -> str:
        """Empty for an account that is there no more."""
        account = self._accounts.get(name)
        return account.provider if account else ""

    def _account(
        self,
        name: str,
        lanes: tuple[LaneCapacity, ...],
        rests: Mapping[str, Resting],
        troubles: Mapping[str, tuple[int, str]],
    ) -> AccountCapacity:
        said = self._said(name)
        keys = tuple(_key(name, *key, rests) for key in said.keys)
        condition, why = self._condition(name, lanes, keys, rests)
        return AccountCapacity(
            name=name,
            **said.form,
            shadowed=self._accounts.shadowed(name),
            lanes=lanes,
            keys=keys,
            condition=condition,
            why=why,
            last_error=troubles.get(name),
        )

    def _said(self, name: str) -> _Said:
        """What the account in use says, or where none can be used, the record of it."""
        account = self._accounts.get(name)
        if account is not None:
            return _said_by(account)
        kept = self._accounts.kept[name]
        form: dict[str, Any] = {
            "provider": "bigmodel",
            "base_url": None,
            "tier": None,
            "limit": None,
            "limits": {},
            "weight": 1.0,
            "costs_fen": {},
        }
        form |= {field: value for field, value in kept.said.items() if field in form}
        keys = tuple((key["id"], key["hint"]) for key in kept.keys)
        return _Said({**form, "source": Source.STORE}, keys)

    def _condition(
        self,
        name: str,
        lanes: tuple[LaneCapacity, ...],
        keys: tuple[KeyCapacity, ...],
        rests: Mapping[str, Resting],
    ) -> tuple[Condition, Why | None]:
        """The first that holds of what keeps the account as a whole from getting tasks."""
        if name in self._accounts.locked:
            return Condition.LOCKED, Why(self._accounts.locked[name], None, None)
        if said := self._accounts.states.get(name):
            why = Why(said.reason or f"by {said.who}", said.at_ms, None)
            if said.state is AccountState.PAUSED:
                return Condition.PAUSED, why
            runs = any(lane.tasks for lane in lanes)
            return (Condition.DRAINING if runs else Condition.DRAINED), why
        if rest := rests.get(f"account:{name}"):
            return (Condition.RESTING if rest.seconds_left else Condition.TRYING), _why(rest)
        causes = [key.why for key in keys if key.why is not None]
        if not causes or len(causes) < len(keys):
            return Condition.ACTIVE, None
        soonest = min(causes, key=lambda why: why.until_ms or 0)
        if any(key.condition is KeyCondition.TRYING for key in keys):
            return Condition.TRYING, soonest
        return Condition.NO_WORKING_KEY, soonest


@dataclass(frozen=True, slots=True)
class _Said:
    form: dict[str, Any]
    keys: tuple[tuple[str, str], ...]
    """Id and hint of each."""


def _said_by(account: Account) -> _Said:
    form = {
        "provider": account.provider,
        "base_url": account.base_url,
        "source": account.source,
        "tier": account.tier,
        "limit": account.limit,
        "limits": account.limits,
        "weight": account.weight,
        "costs_fen": account.costs_fen,
    }
    return _Said(form, tuple((key.id, key.hint) for key in account.api_keys))


def _key(account: str, key_id: str, hint: str, rests: Mapping[str, Resting]) -> KeyCapacity:
    rest, condition = rests.get(f"key:{account}:{key_id}"), KeyCondition.OK
    if rest is not None:
        condition = KeyCondition.RESTING if rest.seconds_left else KeyCondition.TRYING
    why = _why(rest) if rest else None
    return KeyCapacity(id=key_id, hint=hint, condition=condition, why=why)


def _why(rest: Resting) -> Why:
    return Why(rest.reason, rest.since_ms, rest.until_ms)


def _takes(task_class: str, model: str, provider: str) -> bool:
    """Whether tasks of a class (`<model>@<provider>+<provider>`) may go to such a lane."""
    its_model, _, providers = task_class.rpartition("@")
    return its_model == model and provider in providers.split("+")
