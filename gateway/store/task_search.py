"""Looks through all tasks, newest first, a bounded number at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from gateway.domain.ports import FoundTasks
from gateway.domain.task import Task
from gateway.domain.task_query import TaskQuery
from gateway.store.connection import Store
from gateway.store.records import task_from_record

_MOST_READ = 5_000
"""So many records at most are read for one question: what it asks for may be nowhere."""
_AT_ONCE = 200


class TaskSearch:
    """Fits the port `FindsTasks`. Nothing is kept for it but each team's tasks in their order."""

    def __init__(
        self, store: Store, teams: Callable[[], Collection[str]], max_age_seconds: float
    ) -> None:
        self._store = store
        self._teams = teams
        self._max_age_seconds = max_age_seconds

    async def find(self, query: TaskQuery) -> FoundTasks:
        """Those that fit, and where to go on: the next page, or what was not looked at yet.

        Raises:
            StoreUnavailable: nobody knows.
        """
        teams = [query.team] if query.team is not None else sorted(self._teams())
        found: list[Task] = []
        read, before = 0, query.after
        while read < _MOST_READ:
            places, more = await self._next(teams, before)
            for order, task in await self._records(places):
                read, before = read + 1, order
                if task is None:
                    continue
                if query.from_ms is not None and task.created_ms < query.from_ms:
                    return FoundTasks(tuple(found), None, read)  # all that follow are older
                if query.fits(task, time.time(), self._max_age_seconds):
                    found.append(task)
                    if len(found) == query.limit:
                        return FoundTasks(tuple(found), before, read)
            if not more:
                return FoundTasks(tuple(found), None, read)
        return FoundTasks(tuple(found), before, read)

    async def _next(
        self, teams: list[str], before: int | None
    ) -> tuple[list[tuple[int, str]], bool]:
        """The next tasks of all these teams by their place in the order of admission, newest first;
        and whether others follow."""
        start = "+inf" if before is None else f"({before}"
        lists = self._store.redis.pipeline(transaction=False)
        for team in teams:
            lists.zrevrangebyscore(
                self._store.keys.tasks(team), start, "-inf", 0, _AT_ONCE, withscores=True
            )
        answers = await self._store.answer("list_all_tasks", lists.execute()) if teams else []
        # Of a team that has more than were read, those may be newer than others' that were.
        cut = [int(answer[-1][1]) for answer in answers if len(answer) == _AT_ONCE]
        known_from = max(cut, default=0)
        merged = sorted(
            (
                (int(order), task_id)
                for answer in answers
                for task_id, order in answer
                if order >= known_from
            ),
            reverse=True,
        )
        return merged, bool(cut)

    async def _records(self, places: list[tuple[int, str]]) -> list[tuple[int, Task | None]]:
        records = self._store.redis.pipeline(transaction=False)
        for _, task_id in places:
            records.hgetall(self._store.keys.task(task_id))
        read = await self._store.answer("read_tasks", records.execute()) if places else []
        return [
            (order, task_from_record(task_id, record) if record else None)
            for (order, task_id), record in zip(places, read, strict=True)
        ]
