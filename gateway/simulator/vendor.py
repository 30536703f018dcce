"""What the vendor knows: tasks, places and ends. No HTTP, and the time is an argument.

Nothing here waits for a timer. Every call first ends what is over by `now`, taken from one heap of
ends, so the number of tasks in flight is exact at each request, and a request costs O(log n).

A second task for one gateway task is recognised by its request_id. geekai's submits have no such
field, nor another that would tell a repetition from a second wish for the same video, so tasks of
geekai accounts are never counted as duplicates: whoever tests for them gives each task a prompt of
its own and reads the list of tasks.
"""

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable

from gateway.simulator.accounts import Account, Accounts
from gateway.simulator.errors import Reason, VendorError
from gateway.simulator.faults import TaskFails
from gateway.simulator.figures import Figures, KeyFigures
from gateway.simulator.statistics import SlotTime, Tally
from gateway.simulator.tasks import Order, Task, gateway_task, new_id

LOOK_TIMES_KEPT = 50


class Lane:
    """One account x model, which is what the vendor limits."""

    def __init__(self, limit: int) -> None:
        self.tally = Tally()
        self.slot_time = SlotTime(limit)


class Vendor:
    def __init__(self, accounts: Accounts, models: list[str], keep_tasks: int) -> None:
        self.models = models
        self.keep_tasks = keep_tasks
        self.total = Tally()
        self._accounts = accounts
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._keys: defaultdict[str, Tally] = defaultdict(Tally)
        self._pools: dict[str, SlotTime] = {}
        self._tasks: dict[str, Task] = {}
        self._ends: list[tuple[float, int, Task]] = []
        self._ended: deque[Task] = deque()
        self._request_ids: set[str] = set()
        self._gateway_tasks: set[str] = set()
        self._accepted = 0

    def tallies(self, key: str | None, account: Account | None, model: object) -> list[Tally]:
        """The counters that a request with this key, of this account for this model, touches."""
        tallies = [self.total]
        if key is not None:
            tallies.append(self._keys[key])
        if account is not None and model in self.models:
            tallies.append(self._lane(account.name, str(model)).tally)
        return tallies

    def accept(self, order: Order, now: float, seconds: float, failure: TaskFails | None) -> Task:
        """Starts a task, or refuses: a known request_id, or no place free."""
        self.advance(now)
        account, model = order.account, order.model
        # The account as it is now: a late acceptance may come after a change of its limit.
        limit = (self._accounts.get(account.name) or account).limit_of(model)
        lane = self._lane(account.name, model)
        tallies = self.tallies(order.api_key, account, model)
        request_id = order.request_id()
        if request_id in self._request_ids:
            for tally in tallies:
                tally.repeated_request_ids += 1
            raise VendorError(Reason.REPEATED_REQUEST_ID, request_id or "")
        if lane.tally.in_flight >= limit:
            for tally in tallies:
                tally.refused_over_limit += 1
            raise VendorError(Reason.OVER_LIMIT, f"{lane.tally.in_flight} of {limit} in flight")

        self._accepted += 1
        task = Task(
            id=new_id(account.vendor),
            number=self._accepted,
            order=order,
            request_id=request_id,
            accepted_at=now,
            ends_at=now + seconds,
            failure=failure,
        )
        self._start(task, tallies)
        return task

    def find(self, task_id: str, now: float) -> Task | None:
        self.advance(now)
        return self._tasks.get(task_id)

    def count_look(self, task: Task, account: Account, now: float) -> None:
        task.looks += 1
        if len(task.look_times) < LOOK_TIMES_KEPT:
            task.look_times.append(now)
        foreign = account.name != task.account
        for tally in self._tallies_of(task):
            tally.look(task.looks, foreign, task.told_at is not None)

    def tell(self, task: Task, now: float) -> str:
        """The task's status, which the client is told now."""
        self.advance(now)
        if task.ended and task.told_at is None:
            task.told_at = now
            for tally in self._tallies_of(task):
                tally.told(now - task.ends_at)
        return task.status

    def end_now(self, wanted: Callable[[Task], bool], now: float) -> int:
        """Ends the running tasks that are wanted, before their time."""
        self.advance(now)
        chosen = [task for _, _, task in self._ends if not task.ended and wanted(task)]
        for task in chosen:
            # Its old entry in the heap stays and is skipped when its time comes.
            task.ends_at = now
            self._end(task)
        return len(chosen)

    def change_account(self, account: Account, now: float) -> None:
        """Tasks in flight over a lowered limit run on; it is counted that they do."""
        self.advance(now)
        old = self._accounts.get(account.name) or account
        self._accounts.put(account)
        for (name, model), lane in self._lanes.items():
            if name == account.name:
                limit = account.limit_of(model)
                lane.slot_time.change_limit(now, limit)
                if limit < min(old.limit_of(model), lane.tally.in_flight):
                    lane.tally.over_limit += 1
                    self.total.over_limit += 1
        for model, pool in self._pools.items():
            pool.change_limit(now, self._limit_of_all(model))

    def tasks(self, newest_first: bool, now: float) -> Iterable[Task]:
        self.advance(now)
        return reversed(self._tasks.values()) if newest_first else self._tasks.values()

    def total_figures(self, now: float) -> Figures:
        self.advance(now)
        seconds = [pool.seconds(now) for pool in self._pools.values()]
        limit = sum(map(self._limit_of_all, self.models))
        used, offered = sum(s[0] for s in seconds), sum(s[1] for s in seconds)
        return self.total.figures(limit, used, offered)

    def account_figures(self, now: float) -> dict[str, dict[str, Figures]]:
        self.advance(now)
        figures: dict[str, dict[str, Figures]] = {}
        for account in self._accounts.all():
            figures[account.name] = {}
            for model in self.models:
                lane = self._lane(account.name, model)
                figures[account.name][model] = lane.tally.figures(
                    account.limit_of(model), *lane.slot_time.seconds(now)
                )
        return figures

    def key_figures(self, now: float) -> dict[str, KeyFigures]:
        """Of the keys that were used."""
        self.advance(now)
        return {key: tally.key_figures() for key, tally in self._keys.items()}

    def advance(self, now: float) -> None:
        """Ends what is over, in the order of the ends and with their own times."""
        while self._ends and self._ends[0][0] <= now:
            task = heapq.heappop(self._ends)[2]
            if not task.ended:
                self._end(task)

    def _start(self, task: Task, tallies: list[Tally]) -> None:
        self._tasks[task.id] = task
        heapq.heappush(self._ends, (task.ends_at, task.number, task))
        for tally in tallies:
            tally.begin()
        if task.request_id is not None:
            self._recognise(task.request_id, tallies)
        self._lane(task.account, task.order.model).slot_time.begin(task.accepted_at)
        self._pool(task.order.model).begin(task.accepted_at)

    def _recognise(self, request_id: str, tallies: list[Tally]) -> None:
        self._request_ids.add(request_id)
        wanted_for = gateway_task(request_id)
        for tally in tallies:
            tally.duplicates += wanted_for in self._gateway_tasks
        self._gateway_tasks.add(wanted_for)

    def _end(self, task: Task) -> None:
        task.ended = True
        for tally in self._tallies_of(task):
            tally.end(failed=task.failure is not None)
        self._lane(task.account, task.order.model).slot_time.end(task.ends_at)
        self._pool(task.order.model).end(task.ends_at)
        if task.on_end is not None:
            task.on_end()
        self._ended.append(task)
        while len(self._ended) > self.keep_tasks:
            self._forget(self._ended.popleft())

    def _forget(self, task: Task) -> None:
        del self._tasks[task.id]
        if task.request_id is not None:
            self._request_ids.discard(task.request_id)
            self._gateway_tasks.discard(gateway_task(task.request_id))

    def _tallies_of(self, task: Task) -> tuple[Tally, ...]:
        lane = self._lane(task.account, task.order.model)
        return self.total, self._keys[task.order.api_key], lane.tally

    def _lane(self, account: str, model: str) -> Lane:
        lane = self._lanes.get((account, model))
        if lane is None:
            known = self._accounts.get(account)
            lane = Lane(known.limit_of(model) if known else 0)
            self._lanes[account, model] = lane
        return lane

    def _pool(self, model: str) -> SlotTime:
        if model not in self._pools:
            self._pools[model] = SlotTime(self._limit_of_all(model))
        return self._pools[model]

    def _limit_of_all(self, model: str) -> int:
        return sum(account.limit_of(model) for account in self._accounts.all())
