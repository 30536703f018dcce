"""What the dispatcher does when the store stumbles at the worst moment. Real store, real vendor."""

from __future__ import annotations

from typing import Any

from gateway.domain.account import Account, ApiKey
from gateway.domain.catalog import Catalog
from gateway.domain.errors import StoreUnavailable
from gateway.domain.provider_answers import Rest
from gateway.domain.task import Status, new_task_id
from gateway.domain.team import Team
from gateway.domain.video import VideoRequest
from gateway.lifecycle.dispatcher import Dispatcher
from gateway.lifecycle.settlement import Settlement
from gateway.providers.bigmodel import BigModel
from gateway.providers.http import open_provider_http
from gateway.store.connection import Store
from gateway.store.slots import SlotStore
from gateway.store.tasks import TaskStore, Timing
from tests.harness import Processes, api_keys

HOUR = 3600.0


class LostAnswer:
    """The tasks of a real store; the answer to one step is lost once, after it was made."""

    def __init__(self, tasks: TaskStore, step: str) -> None:
        self._tasks, self._step = tasks, step

    def __getattr__(self, name: str) -> Any:
        step = getattr(self._tasks, name)
        if name != self._step:
            return step

        async def lose_answer(*args: Any) -> Any:
            self._step = ""
            await step(*args)
            raise StoreUnavailable("the answer was lost")

        return lose_answer


async def _submitted(processes: Processes, store: Store, step: str) -> tuple[Status, int]:
    """The task's status and the vendor's count after a submit in which a step's answer was lost."""
    vendor = processes.simulator({"main": 1}, duration="3600")
    account = Account(
        name="main",
        provider="bigmodel",
        base_url=vendor.base_url,
        limit=1,
        api_keys=(ApiKey(api_keys("main")[0]),),
    )
    timing = Timing(
        claim_lease_seconds=HOUR,
        sending_lease_seconds=HOUR,
        unknown_hold_seconds=HOUR,
        look_lease_seconds=HOUR,
        retention_seconds=HOUR,
        rest_seconds=dict.fromkeys(Rest, HOUR),
    )
    tasks = TaskStore(store, timing, cached_tasks=0)
    await SlotStore(store, {"main": account}, Catalog()).configure([Team(name="films", cap=1)])
    request = VideoRequest(model="cogvideox-3", prompt="a cat")
    task, claims = await tasks.admit(new_task_id(), "films", request, "cogvideox-3@bigmodel", 100)
    stumbling = LostAnswer(tasks, step)
    async with open_provider_http(submit_seconds=5, looks_at_once=1) as http:
        dispatcher = Dispatcher(
            stumbling,
            Settlement(stumbling),
            {"bigmodel": BigModel(http)},
            {"main": account},
            first_look_seconds=HOUR,
            key_rest_seconds=HOUR,
        )
        dispatcher.dispatch(claims)
        for _ in range(2):  # a task that was taken back goes again at once
            assert await dispatcher.wait(task.id, 30)
    after = await tasks.get(task.id)
    assert after is not None
    return after.status, vendor.total()["accepted"]


async def test_a_mark_whose_answer_was_lost_is_taken_back_and_the_task_goes_again(
    processes: Processes, store: Store
):
    assert await _submitted(processes, store, "mark_sending") == (Status.IN_PROGRESS, 1)


async def test_an_acceptance_whose_record_was_not_answered_is_recorded_again(
    processes: Processes, store: Store
):
    assert await _submitted(processes, store, "record_accepted") == (Status.IN_PROGRESS, 1)
