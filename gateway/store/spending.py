"""What teams and keys have reserved and spent, as the sums stand that decide; see money.lua."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, tzinfo

from gateway.domain.charge import ALL, Periods, Spending
from gateway.store.connection import Store


class SpendingReader:
    """Fits the port `ReadsSpending`. Days and months are those of `zone`."""

    def __init__(self, store: Store, zone: tzinfo) -> None:
        self._store = store
        self._zone = zone

    async def spending_of(self, holders: Collection[str]) -> Mapping[str, tuple[Spending, ...]]:
        """By holder, that of this day, of this month and in all.

        Raises:
            StoreUnavailable: nothing was read.
        """
        if not holders:
            return {}
        now = Periods.at(datetime.now(UTC), self._zone)
        periods = (now.day, now.month, ALL)
        fields = [f"{holder}:{what}" for holder in holders for what in ("reserved", "spent")]
        read = self._store.redis.pipeline(transaction=False)
        for period in periods:
            read.hmget(self._store.keys.spend(period), fields)
        answers = await self._store.answer("read_spending", read.execute())
        sums = [[int(each or 0) for each in answer] for answer in answers]
        return {
            holder: tuple(
                Spending(period, *each[2 * i : 2 * i + 2])
                for period, each in zip(periods, sums, strict=True)
            )
            for i, holder in enumerate(holders)
        }
