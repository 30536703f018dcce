"""Each step of a task's life on the real scripts, once and twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.domain.account import ApiKey
from gateway.domain.charge import Charge
from gateway.domain.errors import StoreUnavailable
from gateway.domain.ports import Admitted
from gateway.domain.provider_answers import Rest
from gateway.domain.task import ENDED, HOLDS_SLOT, MOVES, Claim, Status, TaskError, new_task_id
from gateway.domain.video import Video
from gateway.store.connection import Store
from tests.store.conftest import CLASS, Pool

VIDEOS = (Video(url="https://vendor.example/1.mp4"),)
FAILED = TaskError(code="1301", message="no", caller_at_fault=True)


async def test_a_free_slot_is_claimed_at_admission_on_the_roomiest_account(the_pool: Pool):
    accounts = [(await the_pool.claimed()).account for _ in range(3)]
    assert accounts[0] in ("a", "b")  # both wholly free
    assert sorted(accounts) == ["a", "a", "b"]
    assert await the_pool.in_use() == {"a": 2, "b": 1}


async def test_what_finds_no_slot_waits(the_pool: Pool):
    for _ in range(3):
        await the_pool.claimed()
    task, claim = await the_pool.admit("adverts")
    assert claim is None
    assert task.status == Status.QUEUED
    assert await the_pool.slots.waiting() == {CLASS: 1}


async def test_a_team_at_its_cap_waits_though_slots_are_free(the_pool: Pool):
    await the_pool.claimed("adverts")
    _, claim = await the_pool.admit("adverts")
    assert claim is None
    _, claim = await the_pool.admit("films")
    assert claim is not None


async def test_models_have_slots_of_their_own_and_share_the_teams_cap(the_pool: Pool):
    await the_pool.claimed("adverts")
    _, claim = await the_pool.admit("adverts", model="other-1")
    assert claim is None
    claims = [(await the_pool.admit("films", model="other-1"))[1] for _ in range(3)]
    assert [claim is not None for claim in claims] == [True, True, False]


async def test_admitting_twice_makes_one_task(the_pool: Pool):
    task_id, submission = new_task_id(), the_pool.submission()
    first = await the_pool.tasks.admit(task_id, "films", submission, CLASS, Charge(price_fen=100))
    second = await the_pool.tasks.admit(task_id, "films", submission, CLASS, Charge(price_fen=100))
    assert isinstance(first, Admitted) and isinstance(second, Admitted)
    assert first.task == second.task
    assert len(first.claims) == 1
    assert second.claims == ()
    assert sum((await the_pool.in_use()).values()) == 1


async def test_a_repeated_admission_does_not_get_a_claim_that_another_process_holds(
    the_pool: Pool,
):
    running = [await the_pool.running() for _ in range(3)]
    task_id, submission = new_task_id(), the_pool.submission()
    await the_pool.tasks.admit(task_id, "films", submission, CLASS, Charge(price_fen=100))
    _, (others,) = await the_pool.tasks.settle(running[0].task_id, 1, VIDEOS, None)
    assert others.task_id == task_id
    again = await the_pool.tasks.admit(task_id, "films", submission, CLASS, Charge(price_fen=100))
    assert again.claims == ()


async def test_many_at_once_never_overbook(the_pool: Pool):
    await asyncio.gather(*(the_pool.admission("films") for _ in range(40)))
    assert await the_pool.in_use() == {"a": 2, "b": 1}
    assert await the_pool.slots.waiting() == {CLASS: 37}


async def test_a_freed_slot_goes_to_the_oldest_that_waits_in_the_settlement_itself(
    the_pool: Pool,
):
    running = [await the_pool.running() for _ in range(3)]
    waiting = [(await the_pool.admit())[0].id for _ in range(2)]
    ended, claims = await the_pool.tasks.settle(running[0].task_id, 1, VIDEOS, None)
    assert ended
    assert [(c.task_id, c.number, c.account) for c in claims] == [
        (waiting[0], 1, running[0].account)
    ]


async def test_ending_twice_ends_once(the_pool: Pool):
    claim = await the_pool.running()
    assert (await the_pool.tasks.settle(claim.task_id, 1, VIDEOS, "served"))[0]
    assert not (await the_pool.tasks.settle(claim.task_id, 1, FAILED, None))[0]
    task = await the_pool.tasks.get(claim.task_id)
    assert task is not None
    assert (task.status, task.videos, task.served_model) == ("completed", VIDEOS, "served")
    assert task.error is None


async def test_a_refusal_ends_a_task_that_was_being_sent(the_pool: Pool):
    claim = await the_pool.sending()
    assert (await the_pool.tasks.settle(claim.task_id, claim.number, FAILED, None))[0]
    task = await the_pool.tasks.get(claim.task_id)
    assert task is not None
    assert task.error == FAILED
    assert await the_pool.in_use() == {"a": 0, "b": 0}


async def test_only_a_task_that_runs_can_complete(the_pool: Pool):
    claimed, sending = await the_pool.claimed(), await the_pool.sending()
    for claim in (claimed, sending):
        assert not (await the_pool.tasks.settle(claim.task_id, 1, VIDEOS, None))[0]


async def test_marking_twice_says_yes_twice(the_pool: Pool):
    claim = await the_pool.claimed()
    assert await the_pool.tasks.mark_sending(claim, "key-id")
    assert await the_pool.tasks.mark_sending(claim, "key-id")


async def test_a_claim_that_ran_out_may_not_send(the_pool: Pool):
    hasty = the_pool.with_rules(claim_lease_seconds=-1)
    task, claim = await the_pool.admit(tasks=hasty)
    swept = await the_pool.tasks.sweep(10)
    assert swept.requeued == (task.id,)
    # The sweep freed its slot and found it the best to go: it has it again, under a new number.
    assert [(c.task_id, c.number) for c in swept.claims] == [(task.id, 2)]
    assert claim is not None
    assert not await the_pool.tasks.mark_sending(claim, "key-id")
    assert await the_pool.tasks.mark_sending(swept.claims[0], "key-id")


async def test_what_was_sent_is_never_queued_again_by_itself(the_pool: Pool):
    claim = await the_pool.claimed()
    assert await the_pool.with_rules(sending_lease_seconds=-1).mark_sending(claim, "key-id")
    swept = await the_pool.tasks.sweep(10)
    assert swept.unknown == (claim.task_id,)
    assert await the_pool.status(claim.task_id) == "unknown"
    assert sum((await the_pool.in_use()).values()) == 1


async def test_a_late_answer_is_taken_in(the_pool: Pool):
    claim = await the_pool.sending()
    assert await the_pool.tasks.record_lost(claim, "cut")
    assert await the_pool.tasks.record_lost(claim, "cut")
    assert (await the_pool.tasks.record_accepted(claim, "vendor-1", "served", 0))[0]
    assert await the_pool.status(claim.task_id) == "in_progress"


async def test_an_unknown_outcome_ends_when_its_hold_is_over(the_pool: Pool):
    claim = await the_pool.sending()
    assert await the_pool.with_rules(unknown_hold_seconds=-1).record_lost(claim, "cut")
    swept = await the_pool.tasks.sweep(10)
    assert swept.given_up == (claim.task_id,)
    task = await the_pool.tasks.get(claim.task_id)
    assert task is not None
    assert task.error is not None
    assert task.error.code == "submission_outcome_unknown"
    assert await the_pool.in_use() == {"a": 0, "b": 0}


async def test_a_task_given_back_keeps_its_place(the_pool: Pool):
    first = await the_pool.sending()
    for _ in range(2):
        await the_pool.claimed()
    later = (await the_pool.admit())[0].id
    claims = await the_pool.tasks.give_back(first, None, "refused")
    assert [(c.task_id, c.number) for c in claims] == [(first.task_id, 2)]
    assert await the_pool.status(later) == "queued"


async def test_giving_back_twice_does_nothing_more(the_pool: Pool):
    claim = await the_pool.sending()
    (again,) = await the_pool.tasks.give_back(claim, None, "refused")
    assert await the_pool.tasks.give_back(claim, None, "refused") == ()
    assert await the_pool.tasks.mark_sending(again, "key-id")


@pytest.mark.parametrize(
    ("rest", "goes_on"),
    [
        (Rest.CONCURRENCY, "other account"),
        (Rest.ACCOUNT, "other account"),
        (Rest.UNREACHABLE, "other account"),
        (Rest.RATE, "other account"),
        (Rest.KEY, "other account"),
        (Rest.OVERLOAD, "nowhere"),
    ],
)
async def test_what_refused_is_left_alone_for_a_while(the_pool: Pool, rest: Rest, goes_on: str):
    claim = await the_pool.sending()
    claims = await the_pool.tasks.give_back(claim, rest, "refused")
    if goes_on == "nowhere":
        assert claims == ()
    else:
        assert [c.account for c in claims] == ["b" if claim.account == "a" else "a"]


async def test_when_a_rest_is_over_the_queue_is_claimed(the_pool: Pool):
    claim = await the_pool.sending()
    brief = the_pool.with_rules(rest_seconds=SHORT)
    assert await brief.give_back(claim, Rest.OVERLOAD, "refused") == ()
    (rest,) = await the_pool.slots.resting()
    assert (rest.name, rest.reason) == ("provider:bigmodel:cogvideox-3", "refused")
    assert 0 < rest.seconds_left <= SHORT
    while not (claims := await the_pool.tasks.claim_waiting(10)):
        await asyncio.sleep(0.01)
    assert [c.task_id for c in claims] == [claim.task_id]
    assert await the_pool.slots.resting() == []


async def test_a_concurrency_refusal_rests_one_model_and_arrears_the_whole_account(
    the_pool: Pool,
):
    for rest, other_model_goes in ((Rest.CONCURRENCY, True), (Rest.ACCOUNT, False)):
        (second,) = await the_pool.tasks.give_back(await the_pool.sending(), rest, "refused")
        assert await the_pool.tasks.give_back(second, rest, "refused") == ()
        _, claim = await the_pool.admit(model="other-1")
        assert (claim is not None) is other_model_goes
        await the_pool.clear()


async def test_a_lesser_cause_does_not_cut_a_rest_short(the_pool: Pool):
    first, second = await the_pool.sending(), await the_pool.sending()
    await the_pool.tasks.give_back(first, Rest.OVERLOAD, "for an hour")
    brief = the_pool.with_rules(rest_seconds=SHORT)
    await brief.give_back(second, Rest.OVERLOAD, "for a moment")
    (rest,) = await the_pool.slots.resting()
    assert rest.reason == "for an hour"


async def test_a_changed_account_ends_its_rests_and_a_mere_start_none(the_pool: Pool):
    claims = [await the_pool.sending(), await the_pool.sending(), await the_pool.sending()]
    for claim in claims:
        assert await the_pool.tasks.give_back(claim, Rest.ACCOUNT, "refused", hand_on=False) == ()
    await the_pool.slots.configure(the_pool.teams)
    assert await the_pool.tasks.claim_waiting(10) == ()
    corrected = replace(the_pool.accounts["a"], api_keys=(ApiKey("another.key"),))
    the_pool.accounts["a"] = corrected
    await the_pool.slots.configure(the_pool.teams)
    assert {c.account for c in await the_pool.tasks.claim_waiting(10)} == {"a"}


async def test_what_an_account_or_a_team_left_behind_stays_in_sight(the_pool: Pool):
    running = await the_pool.running("adverts")
    waiting = (await the_pool.admit("adverts"))[0].id
    del the_pool.accounts[running.account]
    the_pool.teams = the_pool.teams[:1]
    await the_pool.slots.configure(the_pool.teams)
    assert (await the_pool.in_use())[running.account] == 1
    await the_pool.store.redis.sadd(the_pool.store.keys.places("adverts"), "ghost")
    assert len(await the_pool.differences()) == 1
    await the_pool.store.redis.srem(the_pool.store.keys.places("adverts"), "ghost")
    # The team has no cap any more; what it queued is still made, one at a time.
    _, claims = await the_pool.tasks.settle(running.task_id, 1, VIDEOS, None)
    assert [claim.task_id for claim in claims] == [waiting]


async def test_a_due_task_is_looked_at_by_one_process_at_a_time(the_pool: Pool):
    claim = await the_pool.running()
    looks, _ = await the_pool.tasks.take_due(10)
    assert [(look.task_id, look.provider_task_id) for look in looks] == [
        (claim.task_id, f"vendor-{claim.task_id}")
    ]
    assert (await the_pool.tasks.take_due(10))[0] == ()


async def test_a_task_is_missing_only_after_several_looks_in_a_row(the_pool: Pool):
    await the_pool.running()
    look = (await the_pool.tasks.take_due(10))[0][0]
    assert [(await the_pool.tasks.look_again(look, 0, True)).times for _ in range(2)] == [1, 2]
    assert (await the_pool.tasks.look_again(look, 0, False)).times == 0
    assert (await the_pool.tasks.look_again(look, 0, True)).times == 1


async def test_images_are_kept_until_the_submit_is_over(the_pool: Pool):
    image = "data:image/png;base64,AAAA"
    task, claim = await the_pool.admit(images=(image, image))
    assert claim is not None
    loaded = await the_pool.tasks.with_images(task.id)
    assert loaded is not None
    assert loaded.request.images == (image, image)
    # They wait as long as the task does: no lifetime once it is admitted.
    assert await the_pool.store.redis.ttl(the_pool.store.keys.images(task.id)) == -1
    await the_pool.tasks.mark_sending(claim, "key-id")
    await the_pool.tasks.record_accepted(claim, "vendor-1", None, 0)
    assert await the_pool.store.redis.exists(the_pool.store.keys.images(task.id)) == 0


async def test_a_lowered_limit_drains(the_pool: Pool):
    running = [await the_pool.running() for _ in range(3)]
    the_pool.accounts["a"] = replace(the_pool.accounts["a"], limit=1)
    await the_pool.slots.configure(the_pool.teams)
    assert (await the_pool.in_use())["a"] == 2
    waiting = (await the_pool.admit())[0].id
    on_a = [claim for claim in running if claim.account == "a"]
    _, claims = await the_pool.tasks.settle(on_a[0].task_id, 1, VIDEOS, None)
    assert claims == ()
    _, claims = await the_pool.tasks.settle(on_a[1].task_id, 1, VIDEOS, None)
    assert [c.task_id for c in claims] == [waiting]


async def test_nothing_is_left_behind_when_all_has_ended_and_its_time_is_over(
    the_pool: Pool, lasting_keys: Callable[[], Awaitable[list[str]]]
):
    the_pool.tasks = the_pool.with_rules(retention_seconds=0)
    claims = [await the_pool.running() for _ in range(3)]
    for _ in range(4):
        await the_pool.admit(images=("https://img.example/1.png",))
    while claims:
        claim = claims.pop()
        _, freed = await the_pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None)
        for next_one in freed:
            await the_pool.tasks.mark_sending(next_one, "key-id")
            await the_pool.tasks.record_accepted(next_one, f"v-{next_one.task_id}", None, 0)
            claims.append(next_one)
    assert await lasting_keys() != []
    await the_pool.tasks.sweep(50)
    assert await lasting_keys() == []


async def test_ended_tasks_are_read_from_memory(the_pool: Pool):
    claim = await the_pool.running()
    await the_pool.tasks.settle(claim.task_id, 1, VIDEOS, None)
    read = await the_pool.tasks.get(claim.task_id)
    await the_pool.store.redis.delete(the_pool.store.keys.task(claim.task_id))
    assert await the_pool.tasks.get(claim.task_id) is read


async def test_a_due_entry_without_a_task_holds_up_no_look(the_pool: Pool):
    claim = await the_pool.running()
    await the_pool.store.redis.zadd(the_pool.store.keys.due, {"ghost": 1})
    looks, _ = await the_pool.tasks.take_due(10)
    assert [look.task_id for look in looks] == [claim.task_id]
    assert await the_pool.store.redis.zscore(the_pool.store.keys.due, "ghost") is None


async def test_a_full_store_admits_nothing_and_still_ends_tasks(own_store: Store):
    pool = Pool(own_store)
    await pool.slots.configure(pool.teams)
    running, sending = await pool.running(), await pool.sending()
    await own_store.redis.config_set("maxmemory", 1)
    with pytest.raises(StoreUnavailable):
        await pool.admit()
    assert (await pool.tasks.record_accepted(sending, "vendor-1", None, 0))[0]
    assert (await pool.tasks.settle(running.task_id, running.number, VIDEOS, None))[0]
    assert (await pool.tasks.take_due(10))[0]
    await pool.tasks.sweep(10)
    assert sum((await pool.in_use()).values()) == 1


async def test_a_planted_difference_is_found(the_pool: Pool):
    claim = await the_pool.running()
    redis, keys = the_pool.store.redis, the_pool.store.keys
    slot, place = keys.slots(claim.account, "cogvideox-3"), keys.places("films")

    async def found(plant: Awaitable[object], mend: Callable[[], Awaitable[object]]) -> None:
        await plant
        assert len(await the_pool.differences()) >= 1
        await mend()
        assert await the_pool.differences() == []

    await found(redis.srem(slot, claim.task_id), lambda: redis.sadd(slot, claim.task_id))
    await found(redis.sadd(slot, "ghost"), lambda: redis.srem(slot, "ghost"))
    await found(redis.srem(place, claim.task_id), lambda: redis.sadd(place, claim.task_id))
    await found(redis.sadd(place, "ghost"), lambda: redis.srem(place, "ghost"))
    record = keys.task(claim.task_id)
    await found(
        redis.hset(record, "status", "completed"),
        lambda: redis.hset(record, "status", "in_progress"),
    )
    await found(
        redis.zrem(keys.due, claim.task_id), lambda: redis.zadd(keys.due, {claim.task_id: 1})
    )


async def _in_status(pool: Pool, status: Status) -> Claim:
    """A task in this status, by legal steps, and its claim."""
    if status is Status.QUEUED:
        claim = await pool.claimed()
        await pool.tasks.give_back(claim, Rest.OVERLOAD, "refused")
        return claim
    if status is Status.CLAIMED:
        return await pool.claimed()
    if status is Status.SENDING:
        return await pool.sending()
    if status is Status.UNKNOWN:
        claim = await pool.sending()
        await pool.tasks.record_lost(claim, "cut")
        return claim
    if status is Status.CANCELLED:
        claim = await pool.claimed()
        await pool.tasks.cancel(claim.task_id)
        return claim
    claim = await pool.running()
    if status is Status.COMPLETED:
        await pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None)
    elif status is Status.FAILED:
        await pool.tasks.settle(claim.task_id, claim.number, FAILED, None)
    return claim


STEPS: dict[str, Callable[[Pool, Claim], Awaitable[object]]] = {
    "mark sending": lambda pool, claim: pool.tasks.mark_sending(claim, "key-id"),
    "accepted": lambda pool, claim: pool.tasks.record_accepted(claim, "vendor-1", None, 0),
    "lost": lambda pool, claim: pool.tasks.record_lost(claim, "cut"),
    "give back": lambda pool, claim: pool.tasks.give_back(claim, Rest.OVERLOAD, "refused"),
    "complete": lambda pool, claim: pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None),
    "fail": lambda pool, claim: pool.tasks.settle(claim.task_id, claim.number, FAILED, None),
}
# In tests that end a rest, or find one: long enough to be seen, short enough to be waited out.
SHORT = 0.2


async def _cancelled_and_given_back(pool: Pool, claim: Claim) -> None:
    await pool.tasks.cancel(claim.task_id)
    await pool.tasks.give_back(claim, Rest.OVERLOAD, "refused")


# Whoever asks for these holds no claim: the record alone decides.
OTHER_STEPS: dict[str, Callable[[Pool, Claim], Awaitable[object]]] = {
    "cancel": lambda pool, claim: pool.tasks.cancel(claim.task_id),
    "cancel, then give back": _cancelled_and_given_back,
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", Status)
async def test_a_step_with_an_old_number_changes_nothing(the_pool: Pool, status: Status, step: str):
    claim = await _in_status(the_pool, status)
    await STEPS[step](the_pool, replace(claim, number=claim.number + 1))
    assert await the_pool.status(claim.task_id) == status


@pytest.mark.parametrize("step", STEPS | OTHER_STEPS)
@pytest.mark.parametrize("status", Status)
async def test_a_step_makes_only_moves_that_are_drawn(the_pool: Pool, status: Status, step: str):
    claim = await _in_status(the_pool, status)
    await (STEPS | OTHER_STEPS)[step](the_pool, claim)
    after = Status(await the_pool.status(claim.task_id))
    assert after is status or after in MOVES[status]
    assert sum((await the_pool.in_use()).values()) == (after in HOLDS_SLOT)
    assert len(await the_pool.ledger()) == (after in ENDED)


async def test_the_steps_and_the_sweeper_make_every_move_that_is_drawn(the_pool: Pool):
    made = {
        (Status.QUEUED, Status.CLAIMED),  # test_a_freed_slot_goes_to_..., and many others
        (Status.QUEUED, Status.FAILED),  # test_what_waits_too_long_fails
        (Status.CLAIMED, Status.FAILED),  # test_a_task_whose_claims_keep_running_out_...
    }
    for status in Status:
        for step in (STEPS | OTHER_STEPS).values():
            claim = await _in_status(the_pool, status)
            await step(the_pool, claim)
            made.add((status, Status(await the_pool.status(claim.task_id))))
            await the_pool.clear()
    drawn = {(a, b) for a, targets in MOVES.items() for b in targets}
    assert {(a, b) for a, b in made if a is not b} == drawn


def test_the_vendor_can_tell_attempts_apart():
    claim = Claim("task_0123456789abcdef0123456789abcdef", 12, "a", "key-id")
    assert claim.request_id == "task_0123456789abcdef0123456789abcdef-12"
    assert 6 <= len(claim.request_id) <= 64
