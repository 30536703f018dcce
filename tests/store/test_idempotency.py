"""The same submit, repeated: one task."""

from __future__ import annotations

import asyncio

from gateway.domain.charge import Charge
from gateway.domain.ports import Admitted, NotAdmitted
from gateway.domain.submission import Submission
from gateway.domain.task import new_task_id
from gateway.domain.video import VideoRequest
from tests.store.conftest import CLASS, Pool

KEY = {"idempotency_key": "header one"}


async def test_the_same_key_and_request_give_the_same_task(the_pool: Pool):
    first = await the_pool.admission(prompt="a cat", terms=KEY)
    second = await the_pool.admission(prompt="a cat", terms=KEY)
    assert isinstance(first, Admitted) and isinstance(second, Admitted)
    assert (first.replayed, second.replayed) == (False, True)
    assert second.task.id == first.task.id
    assert second.claims == ()
    assert sum((await the_pool.in_use()).values()) == 1


async def test_many_at_once_with_one_key_make_one_task(the_pool: Pool):
    answers = await asyncio.gather(
        *(the_pool.admission(prompt="a cat", terms=KEY) for _ in range(20))
    )
    assert len({answer.task.id for answer in answers if isinstance(answer, Admitted)}) == 1
    assert sum(isinstance(a, Admitted) and not a.replayed for a in answers) == 1


async def test_another_request_under_the_same_key_is_refused(the_pool: Pool):
    await the_pool.admission(prompt="a cat", terms=KEY)
    for fields in ({"prompt": "a dog"}, {"prompt": "a cat", "fps": 30}):
        answer = await the_pool.admission(terms=KEY, **fields)
        assert isinstance(answer, NotAdmitted)
        assert answer.because == "other_body"


async def test_images_are_part_of_the_request_and_are_not_kept_for_a_repetition(the_pool: Pool):
    image, other = ("https://img.example/1.png",), ("https://img.example/2.png",)
    await the_pool.admission(prompt="a cat", images=image, terms=KEY)
    again = await the_pool.admission(prompt="a cat", images=image, terms=KEY)
    assert isinstance(again, Admitted) and again.replayed
    assert isinstance(
        await the_pool.admission(prompt="a cat", images=other, terms=KEY), NotAdmitted
    )
    kept = the_pool.store.redis.scan_iter(match=the_pool.store.keys.images("*"), count=1000)
    assert len([key async for key in kept]) == 1


async def test_teams_do_not_share_keys_and_neither_do_header_and_field(the_pool: Pool):
    answers = [
        await the_pool.admission(prompt="a cat", terms=KEY),
        await the_pool.admission("adverts", prompt="a cat", terms=KEY),
        await the_pool.admission(prompt="a cat", terms={"idempotency_key": "request_id one"}),
    ]
    assert all(isinstance(a, Admitted) and not a.replayed for a in answers)


async def test_an_ended_task_is_found_again_as_it_is(the_pool: Pool):
    first = await the_pool.admission(prompt="a cat", terms=KEY)
    assert isinstance(first, Admitted)
    await the_pool.tasks.cancel(first.task.id)
    again = await the_pool.admission(prompt="a cat", terms=KEY)
    assert isinstance(again, Admitted) and again.replayed
    assert again.task.status == "cancelled"


async def test_a_key_is_forgotten_when_its_time_is_over_and_not_before(the_pool: Pool):
    brief = the_pool.with_rules(idempotency_seconds=0.001)
    first = await the_pool.admission(prompt="a cat", terms=KEY, tasks=brief)
    other = await the_pool.admission(prompt="a cat", terms={"idempotency_key": "header two"})
    assert isinstance(first, Admitted) and isinstance(other, Admitted)
    while await the_pool.store.redis.zcard(the_pool.store.keys.remembered) > 1:
        await the_pool.tasks.sweep(10)
    fresh = await the_pool.admission(prompt="a cat", terms=KEY)
    assert isinstance(fresh, Admitted) and not fresh.replayed
    replay = await the_pool.admission(prompt="a cat", terms={"idempotency_key": "header two"})
    assert isinstance(replay, Admitted) and replay.task.id == other.task.id


async def test_an_answer_that_was_lost_is_had_again_by_the_same_call(the_pool: Pool):
    submission = Submission(
        request=VideoRequest(model="cogvideox-3", prompt="once"), idempotency_key="header k"
    )
    task_id = new_task_id()
    for _ in range(2):
        answer = await the_pool.tasks.admit(
            task_id, "films", submission, CLASS, Charge(price_fen=100)
        )
        assert isinstance(answer, Admitted)
        assert (answer.task.id, answer.replayed) == (task_id, False)
