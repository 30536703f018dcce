"""What teams used and owe, put together from the ledger for whoever asks."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gateway.domain.charge import ALL, Budget, Periods, of_key, of_team
from gateway.domain.errors import InvalidField, NotFound
from gateway.domain.ports import Directory, ReadsLedger, Tasks
from gateway.domain.reconciling import BilledLine, Reconciliation
from gateway.domain.statement import Statement
from gateway.domain.team import Caller
from gateway.domain.usage import UNKNOWN, Entry, Sums, Tally, day_ms, group_of, hour_ms
from gateway.domain.usage_query import Query, Span, month_span

_NO_TEAM = "there is no such team"
_END_OF_TIME = day_ms("9999-12-31")
Rows = list[tuple[tuple[str, ...], Sums]]


@dataclass(frozen=True, slots=True)
class BudgetState:
    """How one holder stands in one of the current periods."""

    period: str
    """`day`, `month` or `total`."""
    name: str
    """Which: 2026-03-01, 2026-03, all."""
    budget_fen: int | None
    reserved_fen: int
    spent_fen: int

    @property
    def left_fen(self) -> int | None:
        if self.budget_fen is None:
            return None
        return max(0, self.budget_fen - self.reserved_fen - self.spent_fen)


@dataclass(frozen=True, slots=True)
class OwnUsage:
    """A team's, and that of the key which asks."""

    team: Rows
    """By status."""
    key: Rows
    team_budgets: list[BudgetState]
    key_budgets: list[BudgetState]


class UsageReports:
    """Any process can tell all of it."""

    def __init__(
        self, ledger: ReadsLedger, directory: Directory, tasks: Tasks, zone: ZoneInfo
    ) -> None:
        self._ledger = ledger
        self._directory = directory
        self._tasks = tasks
        self.zone = zone

    async def sums(self, query: Query) -> Rows:
        """By group, in order. Each team, and each of the others, is there that had a task.

        Raises:
            NotFound: it is asked of a team that there is not, and was not then.
            Conflict: the entries that are needed for it are not on this machine.
        """
        groups: dict[tuple[str, ...], Sums] = {}
        async with aclosing(self._tallies(query)) as tallies:
            async for tally in tallies:
                if query.fits(tally):
                    group = group_of(tally, query.group_by, query.zone)
                    groups.setdefault(group, Sums()).add(tally)
        if not groups:
            await self.check_team(query)
        return sorted(groups.items())

    async def entries(self, query: Query) -> AsyncGenerator[Entry, None]:
        """Those that are asked for, in the order of their settlement."""
        async with aclosing(self._ledger.entries(query.span)) as entries:
            async for entry in entries:
                if query.fits_entry(entry):
                    yield entry

    async def unknown(self, query: Query) -> list[Entry]:
        """Those of unknown outcome."""
        asked = Query(query.span, query.zone, {**query.of, "status": UNKNOWN})
        return [entry async for entry in self.entries(asked)]

    async def check_entries(self, query: Query) -> None:
        """See, before anything of an answer has left, that it can be given.

        Raises:
            NotFound, Conflict: as `sums`.
        """
        await self.check_team(query)
        await self._ledger.require(query.span)

    async def check_team(self, query: Query) -> None:
        """A team that was taken out is there for as long as it had tasks.

        Raises:
            NotFound: it is asked of a team that there is not, and was not then.
        """
        team = query.of.get("team")
        if team is None or team in self._directory.teams:
            return
        async with aclosing(self._tallies(Query(query.span, query.zone, {}, ()))) as tallies:
            async for tally in tallies:
                if tally.team == team:
                    return
        raise NotFound(_NO_TEAM)

    async def statement(self, team: str, month: str, zone: ZoneInfo) -> Statement:
        """A team's bill of a month.

        Raises:
            NotFound, Conflict: as `sums`.
        """
        query = Query(month_span(month, zone), zone, {"team": team})
        await self.check_entries(query)
        statement = Statement(team, month, zone)
        async for entry in self.entries(query):
            statement.add(entry)
        return statement

    async def own(self, caller: Caller, span: Span) -> OwnUsage:
        """What a team and one of its keys used in that time, and how its budgets stand now.

        Raises:
            InvalidField: it begins before the first hour of which there are sums, and before this
                month. Operators may have everybody's entries added up for it, teams may not.
        """
        this_month = month_span(f"{datetime.now(self.zone):%Y-%m}", self.zone)
        older = span.whole_hours and span.from_ms < this_month.from_ms
        if older and await self._ledger.hours(span) is None:
            raise InvalidField(
                "from is longer ago than usage is told here; ask whoever runs the gateway",
                param="from",
            )
        by_status = Query(span, self.zone, {"team": caller.team.name}, ("status", "key"))
        team: dict[tuple[str, ...], Sums] = {}
        key: dict[tuple[str, ...], Sums] = {}
        async with aclosing(self._tallies(by_status)) as tallies:
            async for tally in tallies:
                if tally.team != caller.team.name:
                    continue
                team.setdefault((tally.status,), Sums()).add(tally)
                if tally.key == caller.key.id:
                    key.setdefault((tally.status,), Sums()).add(tally)
        budgets = [
            await self._budgets(of_team(caller.team.name), caller.team.permit.budget),
            await self._budgets(of_key(caller.key.id), caller.key.permit.budget),
        ]
        return OwnUsage(sorted(team.items()), sorted(key.items()), *budgets)

    async def reconcile(
        self, bill: list[BilledLine], account: str | None, span: Span
    ) -> tuple[Reconciliation, list[str]]:
        """Hold a vendor's bill against what was settled in that time, and tell what differs.

        What is billed and was settled at another time is found as well.

        Raises:
            Conflict: the entries that are needed for it are not on this machine.
        """
        reconciliation = Reconciliation(bill, account)
        async for entry in self._ledger.entries(span):
            reconciliation.take(entry)
        for other in (Span(0, span.from_ms), Span(span.to_ms, _END_OF_TIME)):
            if not reconciliation.unmatched:
                break
            async for entry in self._ledger.entries(other):
                reconciliation.take(entry, expected=False)
        under_way: dict[str, str] = {}
        for task_id in reconciliation.unmatched:
            if (task := await self._tasks.get(task_id)) is not None:
                under_way[task_id] = task.status
        return reconciliation, list(reconciliation.differences(under_way.get))

    async def _tallies(self, query: Query) -> AsyncGenerator[Tally, None]:
        """From the sums of hours where they can tell it, else from the entries."""
        hours = await self._ledger.hours(query.span)
        if hours is not None and not any(query.splits(hour_ms(hour)) for hour in hours):
            async for tally in self._ledger.hourly(hours):
                yield tally
            return
        await self._ledger.require(query.span)
        async for entry in self._ledger.entries(query.span):
            yield entry.tally

    async def _budgets(self, holder: str, budget: Budget) -> list[BudgetState]:
        periods = Periods.at(datetime.now(UTC), self.zone)
        names = (periods.day, periods.month, ALL)
        limits = (budget.day_fen, budget.month_fen, budget.total_fen)
        return [
            BudgetState(
                period,
                name,
                limit,
                sums.get(f"{holder}:reserved", 0),
                sums.get(f"{holder}:spent", 0),
            )
            for period, name, limit, sums in zip(
                ("day", "month", "total"),
                names,
                limits,
                await self._ledger.spend(names),
                strict=True,
            )
        ]
