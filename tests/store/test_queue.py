"""Who goes next, who may wait, and what they are told about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.ports import Admitted, NotAdmitted
from gateway.domain.submission import Overflow, QueuePlace
from gateway.domain.task import Claim
from gateway.domain.team import Team
from gateway.domain.video import Video
from gateway.store.connection import Store
from tests.store.conftest import CLASS, HOUR, ROOMY, Pool, account

VIDEOS = (Video(url="https://vendor.example/1.mp4"),)


async def with_teams(store: Store, slots: int, *teams: Team) -> Pool:
    """A pool with one account of so many slots and these teams."""
    pool = Pool(store)
    pool.accounts.clear()
    pool.accounts["a"] = account("a", slots)
    pool.teams = teams
    await pool.slots.configure(teams)
    return pool


async def start(pool: Pool, claim: Claim) -> list[Claim]:
    """Have the vendor accept it; return what may be submitted next."""
    assert await pool.tasks.mark_sending(claim, "key-id")
    return list((await pool.tasks.record_accepted(claim, f"v-{claim.task_id}", None, HOUR))[1])


async def end(pool: Pool, claim: Claim) -> list[Claim]:
    return list((await pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None))[1])


async def flooded(pool: Pool, tasks: int, *teams: str) -> list[str]:
    """Each team submits so many at once, one team after the other; every slot is taken. Return
    the teams in the order in which their tasks start, over the whole backlog."""
    owners: dict[str, str] = {}
    claims: list[Claim] = []
    for team in teams:
        for _ in range(tasks):
            admitted = await pool.admission(team)
            assert isinstance(admitted, Admitted)
            owners[admitted.task.id] = team
            claims += admitted.claims
    started: list[str] = []
    while claims:
        claim = claims.pop(0)
        started.append(owners[claim.task_id])
        claims += await start(pool, claim)
        claims += await end(pool, claim)
    return started


async def test_teams_take_turns_however_much_one_of_them_asks_for(store: Store):
    pool = await with_teams(store, 1, Team(name="flood", cap=10), Team(name="calm", cap=10))
    owners, claims = {}, []
    for _ in range(1000):
        admitted = await pool.admission("flood")
        claims += admitted.claims
    (running,) = claims
    await start(pool, running)
    behind = []
    for _ in range(20):  # one at a time: the next only when the last is done
        task, claim = await pool.admit("calm")
        assert claim is None
        owners[task.id] = "calm"
        others = 0
        while True:
            (running,) = await end(pool, running)
            await start(pool, running)
            if running.task_id == task.id:
                break
            others += 1
        behind.append(others)
    assert max(behind) <= 1


async def test_with_more_slots_the_patient_team_waits_for_one_of_the_others_a_slot_at_most(
    store: Store,
):
    pool = await with_teams(store, 5, Team(name="flood", cap=9), Team(name="calm", cap=9))
    running: list[Claim] = []
    for _ in range(1000):
        for claim in (await pool.admission("flood")).claims:
            running += [claim, *await start(pool, claim)]
    assert len(running) == 5
    for _ in range(10):
        task, claim = await pool.admit("calm")
        assert claim is None
        others = -1
        following = None
        while following is None or following.task_id != task.id:
            (following,) = await end(pool, running.pop(0))
            running.append(following)
            assert await start(pool, following) == []
            others += 1
        assert others <= 1
        while running[0].task_id != task.id:  # its end frees its team before the next one comes
            running.append(running.pop(0))


async def test_weights_are_shares(store: Store):
    heavy, light = Team(name="heavy", cap=50, weight=3), Team(name="light", cap=50)
    pool = await with_teams(store, 4, heavy, light)
    order = await flooded(pool, 400, "light", "heavy")
    both_wait = order[: order.index("light") + 400]
    counts = Counter(both_wait[10:410])
    assert counts["heavy"] / counts["light"] == pytest.approx(3, rel=0.05)


async def test_a_fraction_is_a_weight_too(store: Store):
    teams = Team(name="a", cap=9, weight=0.1), Team(name="b", cap=9, weight=0.3)
    pool = await with_teams(store, 2, *teams)
    counts = Counter((await flooded(pool, 200, "a", "b"))[10:210])
    assert counts["b"] / counts["a"] == pytest.approx(3, rel=0.05)


async def test_who_asked_for_nothing_saves_nothing_up(store: Store):
    pool = await with_teams(store, 1, Team(name="early", cap=9), Team(name="late", cap=9))
    assert set(await flooded(pool, 50, "early")) == {"early"}
    order = await flooded(pool, 20, "early", "late")
    # From the first of `late` on they alternate; it does not catch up for the 50.
    first = order.index("late")
    assert Counter(order[first : first + 20])["late"] == 10


async def test_a_team_at_its_cap_holds_nobody_up(the_pool: Pool):
    await the_pool.running("adverts")  # its one place
    waiting = [(await the_pool.admit("adverts"))[0].id for _ in range(5)]
    assert [(await the_pool.claimed("films")).number for _ in range(2)] == [1, 1]
    assert await the_pool.slots.waiting() == {CLASS: len(waiting)}


async def test_a_class_without_slots_holds_no_other_up(the_pool: Pool):
    for _ in range(2):
        await the_pool.admit(model="other-1")  # each account has one slot for it
    _, claim = await the_pool.admit(model="other-1")
    assert claim is None
    assert (await the_pool.admit())[1] is not None


async def test_a_task_that_was_put_back_cost_its_team_nothing(store: Store):
    pool = await with_teams(store, 1, Team(name="one", cap=9), Team(name="two", cap=9))
    claim = await pool.claimed("one")
    other = (await pool.admit("two"))[0].id
    for _ in range(5):
        # Each time it is taken up again: it is the older, and nobody was given more.
        (claim,) = await pool.tasks.give_back(claim, None, "refused")
        assert claim.task_id != other
    assert await pool.differences() == []


async def test_it_is_told_where_a_task_stands(store: Store):
    heavy, light = Team(name="heavy", cap=50, weight=3), Team(name="light", cap=2)
    pool = await with_teams(store, 1, heavy, light)
    running = await pool.running("heavy")
    ids = [(await pool.admit("light"))[0].id for _ in range(3)]
    ids += [(await pool.admit("heavy"))[0].id for _ in range(6)]
    places = {task_id: await pool.tasks.place(task_id) for task_id in ids}
    assert all(places.values())
    promised = sorted(ids, key=lambda task_id: places[task_id].position)
    assert sorted(place.position for place in places.values()) == list(range(1, 10))
    third = QueuePlace(places[ids[2]].position, 3, 1, free_slots=0, team_cap=2, team_free=2)
    assert places[ids[2]] == third
    started = []
    for _ in ids:
        (running,) = await end(pool, running)
        started.append(running.task_id)
        await start(pool, running)
    assert started == promised
    assert await pool.tasks.place(ids[0]) is None


def test_an_estimate_follows_from_the_slots_and_from_the_teams_own_places():
    def seconds(**numbers: int) -> int | None:
        full = {"position": 1, "position_in_team": 1, "slots": 5, "free_slots": 0}
        return QueuePlace(**full | {"team_cap": 5, "team_free": 5} | numbers).starts_in_seconds(60)

    assert seconds(position=10) == 120
    assert seconds(position=10, free_slots=5) == 60
    assert seconds(position=10, position_in_team=4, team_cap=1, team_free=0) == 240
    assert seconds(position=2, free_slots=2) == 0
    assert seconds(slots=0) is None


async def test_what_a_team_has_and_how_a_new_task_would_stand(the_pool: Pool):
    classes = (CLASS, "other-1@bigmodel")
    free = await the_pool.tasks.team_limits("films", classes)
    assert (free.in_flight, free.cap, free.waiting_bytes) == (0, 3, 0)
    assert [(c.waiting, c.place.position) for c in free.classes] == [(0, 0), (0, 0)]
    for _ in range(3):
        await the_pool.running()
    for _ in range(2):
        await the_pool.admit(images=("https://img.example/1.png",))
    busy = await the_pool.tasks.team_limits("films", classes)
    assert (busy.in_flight, busy.cap) == (3, 3)
    assert busy.waiting_bytes > 0
    # The team's places are all taken, so the other model would wait as well.
    assert [(c.waiting, c.place.position) for c in busy.classes] == [(2, 3), (0, 1)]


@pytest.mark.parametrize(
    "bounds",
    [
        replace(ROOMY, tasks=2),
        replace(ROOMY, team_tasks=2),
        replace(ROOMY, bytes=500),
        replace(ROOMY, team_bytes=500),
    ],
    ids=["tasks", "tasks of a team", "bytes", "bytes of a team"],
)
async def test_the_queue_is_bounded_and_what_is_refused_leaves_nothing(the_pool: Pool, bounds):
    tasks = the_pool.with_rules(bounds=bounds)
    running = [await the_pool.running() for _ in range(3)]
    image = ("data:image/png;base64," + "A" * 100,)
    answers: list[Any] = []
    while not answers or isinstance(answers[-1], Admitted):
        answers.append(await the_pool.admission(tasks=tasks, images=image))
    refused = answers[-1]
    assert isinstance(refused, NotAdmitted)
    assert (refused.because, refused.claims) == ("full", ())
    waiting = len(answers) - 1
    assert waiting == 2
    assert await the_pool.slots.waiting() == {CLASS: waiting}
    images = the_pool.store.redis.scan_iter(match=the_pool.store.keys.images("*"), count=1000)
    assert len([key async for key in images]) == waiting
    # A slot that is free needs no queue.
    for claim in running:
        claims = await end(the_pool, claim)
        for following in claims:
            await start(the_pool, following)
    assert isinstance(await the_pool.admission(tasks=tasks), Admitted)


async def test_another_teams_flood_leaves_room_for_mine(the_pool: Pool):
    tasks = the_pool.with_rules(bounds=replace(ROOMY, team_tasks=1))
    for _ in range(3):
        await the_pool.running()
    for team in ("films", "adverts"):
        assert isinstance(await the_pool.admission(team, tasks=tasks), Admitted)
        assert isinstance(await the_pool.admission(team, tasks=tasks), NotAdmitted)


async def test_who_does_not_want_to_wait_is_refused_and_nothing_is_made(the_pool: Pool):
    reject = {"overflow": Overflow.REJECT, "idempotency_key": "header k"}
    for _ in range(3):
        admitted = await the_pool.admission(terms={"overflow": Overflow.REJECT})
        assert isinstance(admitted, Admitted)
        await start(the_pool, admitted.claims[0])
    refused = await the_pool.admission(terms=reject)
    assert isinstance(refused, NotAdmitted)
    assert refused.because == "no_slot"
    assert refused.place is not None and refused.place.position == 1
    assert await the_pool.slots.waiting() == {}
    assert await the_pool.ledger() == []
    # The key was not used up: the same submit may be tried again.
    again = await the_pool.admission(terms=reject | {"overflow": None})
    assert isinstance(again, Admitted) and not again.replayed


async def test_a_burst_that_finds_slots_free_is_not_refused_for_what_is_still_on_the_way(
    store: Store,
):
    pool = await with_teams(store, 10, Team(name="films", cap=20))
    reject = {"overflow": Overflow.REJECT}
    answers = [await pool.admission(terms=reject) for _ in range(11)]
    claims = [claim for answer in answers for claim in answer.claims]
    assert len(claims) == 4  # as many as lost answers may take
    assert [type(answer) for answer in answers] == [Admitted] * 10 + [NotAdmitted]
    while claims:
        claims += await start(pool, claims.pop())
    assert await pool.in_use() == {"a": 10}


async def test_what_waits_too_long_fails(the_pool: Pool):
    for _ in range(3):
        await the_pool.running()
    patient, _ = await the_pool.admit()
    hasty, _ = await the_pool.admit(terms={"queue_timeout_seconds": 0.001})
    while not (swept := await the_pool.tasks.sweep(10)).timed_out:
        pass
    assert swept.timed_out == (hasty.id,)
    ended = await the_pool.tasks.get(hasty.id)
    assert ended is not None and ended.error is not None
    assert ended.error.code == "queue_timeout"
    assert [entry["outcome"] for entry in await the_pool.ledger()] == ["free"]
    assert await the_pool.status(patient.id) == "queued"


async def test_a_deadline_that_passed_while_it_was_claimed_counts_when_it_is_put_back(
    the_pool: Pool,
):
    task, claim = await the_pool.admit(terms={"queue_timeout_seconds": 0.001})
    assert claim is not None
    await the_pool.tasks.give_back(claim, None, "refused", hand_on=False)
    while not (await the_pool.tasks.sweep(10)).timed_out:
        pass
    assert await the_pool.status(task.id) == "failed"


async def test_a_task_whose_claims_keep_running_out_fails_in_the_end(the_pool: Pool):
    hasty = the_pool.with_rules(claim_lease_seconds=-1, poison_claims=3)
    task, _ = await the_pool.admit(tasks=hasty)
    for _ in range(3):
        swept = await hasty.sweep(10)
        assert swept.requeued == (task.id,)
        assert [claim.task_id for claim in swept.claims] == [task.id]
    assert (await hasty.sweep(10)).poisoned == (task.id,)
    ended = await the_pool.tasks.get(task.id)
    assert ended is not None and ended.error is not None
    assert ended.error.code == "submission_abandoned"
    assert await the_pool.in_use() == {"a": 0, "b": 0}


async def test_a_task_that_was_sent_once_starts_counting_its_lost_claims_anew(the_pool: Pool):
    hasty = the_pool.with_rules(claim_lease_seconds=-1, poison_claims=1)
    _, claim = await the_pool.admit(tasks=hasty)
    assert claim is not None
    for _ in range(3):
        (claim,) = (await hasty.sweep(10)).claims
        assert await the_pool.tasks.mark_sending(claim, "key-id")
        (claim,) = await hasty.give_back(claim, None, "refused")
