"""What the dispatcher does when the store stumbles at the worst moment. Real store, real vendor."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.domain.account import Account, ApiKey
from gateway.domain.catalog import Catalog
from gateway.domain.charge import Charge
from gateway.domain.errors import StoreUnavailable
from gateway.domain.ports import NOBODY, Admitted
from gateway.domain.submission import Submission
from gateway.domain.task import Task, new_task_id
from gateway.domain.team import Team
from gateway.domain.video import VideoRequest
from gateway.lifecycle.alarm import Alarm
from gateway.lifecycle.dispatcher import Dispatcher
from gateway.lifecycle.look_schedule import LookSchedule
from gateway.lifecycle.settlement import Settlement
from gateway.providers.bigmodel import BigModel
from gateway.providers.http import open_provider_http
from gateway.store.connection import Store
from gateway.store.durations import DurationStore
from gateway.store.lanes import LaneRules
from gateway.store.slots import SlotStore
from gateway.store.tasks import TaskStore
from tests.harness import Processes, Vendor, api_keys
from tests.store.conftest import CLASS, HOUR, ROOMY, a_set_of_rules


class Stumbling:
    """The tasks of a real store; one step stumbles once, after it was made."""

    def __init__(self, tasks: TaskStore, step: str, *, late_seconds: float | None = None) -> None:
        self._tasks, self._step, self._late_seconds = tasks, step, late_seconds

    def __getattr__(self, name: str) -> Any:
        step = getattr(self._tasks, name)
        if name != self._step:
            return step

        async def stumble(*args: Any) -> Any:
            self._step = ""
            answer = await step(*args)
            if self._late_seconds is None:
                raise StoreUnavailable("the answer was lost")
            await asyncio.sleep(self._late_seconds)
            return answer

        return stumble


async def _nothing_to_read() -> None:
    """The accounts are known."""


async def _submitted(
    store: Store, base_url: str, step: str = "", late_seconds: float | None = None
) -> Task:
    """The task after a submit in which a step stumbled."""
    account = Account(
        name="main",
        provider="bigmodel",
        base_url=base_url,
        limit=1,
        api_keys=(ApiKey(api_keys("main")[0]),),
    )
    tasks = TaskStore(store, a_set_of_rules(), ROOMY, cached_tasks=0)
    slots = SlotStore(store, {"main": account}, LaneRules(catalog=Catalog(), unknown_share=1))
    await slots.configure([Team(name="films", cap=1)])
    submission = Submission(request=VideoRequest(model="cogvideox-3", prompt="a cat"))
    admitted = await tasks.admit(new_task_id(), "films", submission, CLASS, Charge(price_fen=100))
    assert isinstance(admitted, Admitted)
    stumbling = Stumbling(tasks, step, late_seconds=late_seconds)
    schedule = LookSchedule(
        DurationStore(store, Catalog(), {"main": account}),
        looks_per_task=7,
        idle_looks_per_task=5,
        first_seconds=HOUR,
        longest_seconds=HOUR,
    )
    async with open_provider_http(submit_seconds=5, looks_at_once=1) as http:
        dispatcher = Dispatcher(
            stumbling,
            Settlement(stumbling),
            {"bigmodel": BigModel(http)},
            {"main": account},
            _nothing_to_read,
            schedule,
            Alarm(),
            NOBODY,
            send_window_seconds=0.2,
        )
        dispatcher.dispatch(admitted.claims)
        for _ in range(2):  # a task that was taken back goes again at once
            assert await dispatcher.wait(admitted.task.id, 30)
    after = await tasks.get(admitted.task.id)
    assert after is not None
    return after


def _vendor(processes: Processes) -> Vendor:
    return processes.simulator({"main": 1}, duration="3600")


async def test_a_mark_whose_answer_was_lost_is_taken_back_and_the_task_goes_again(
    processes: Processes, store: Store
):
    vendor = _vendor(processes)
    task = await _submitted(store, vendor.base_url, "mark_sending")
    assert (task.status, task.claim_number, vendor.total()["submits"]) == ("in_progress", 2, 1)


async def test_a_process_held_up_after_its_mark_sends_nothing(processes: Processes, store: Store):
    vendor = _vendor(processes)
    task = await _submitted(store, vendor.base_url, "mark_sending", late_seconds=0.3)
    assert (task.status, task.claim_number, vendor.total()["submits"]) == ("in_progress", 2, 1)
    assert "held up" in (task.last_reason or "")


async def test_an_acceptance_whose_record_was_not_answered_is_recorded_again(
    processes: Processes, store: Store
):
    vendor = _vendor(processes)
    task = await _submitted(store, vendor.base_url, "record_accepted")
    assert (task.status, vendor.total()["accepted"]) == ("in_progress", 1)


async def test_where_no_connection_can_be_made_the_task_is_never_marked(store: Store):
    task = await _submitted(store, "http://127.0.0.1:9/api/paas/v4")
    assert (task.status, task.api_key_id) == ("queued", None)
    assert (task.last_reason or "").startswith("not reached")
