"""What is kept of a task after its end, for how long, and how it is listed meanwhile."""

from __future__ import annotations

from dataclasses import replace

from gateway.domain.ports import NotAdmitted, Renewal, TaskPage
from gateway.domain.submission import Overflow
from gateway.domain.video import Video
from tests.store.conftest import HOUR, Pool, pass_time

VIDEOS = (Video(url="https://vendor.example/1.mp4", expires_at=1),)
FRESH = (Video(url="https://vendor.example/1.mp4?again", expires_at=2),)


async def completed(pool: Pool, team: str = "films") -> str:
    claim = await pool.running(team)
    await pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None)
    return claim.task_id


async def listed(pool: Pool, **how: object) -> tuple[list[str], bool]:
    terms = {"after": None, "newest_first": True, "most": 10} | how
    page = await pool.tasks.page("films", **terms)
    assert isinstance(page, TaskPage)
    return [task.id for task in page.tasks], page.more


async def test_an_ended_task_is_kept_for_its_time_and_not_longer(the_pool: Pool):
    task_id = await completed(the_pool)
    await pass_time(the_pool, HOUR - 1)
    await the_pool.tasks.sweep(50)
    assert await the_pool.with_rules().get(task_id) is not None
    await pass_time(the_pool, 1)
    await the_pool.tasks.sweep(50)
    assert await the_pool.with_rules().get(task_id) is None
    assert await listed(the_pool) == ([], False)
    assert [entry["task"] for entry in await the_pool.ledger()] == [task_id]


async def test_more_is_forgotten_in_a_sweep_than_is_moved(the_pool: Pool):
    for _ in range(25):
        await completed(the_pool)
    await pass_time(the_pool, HOUR)
    await the_pool.tasks.sweep(2)
    assert len((await listed(the_pool))[0]) == 5


async def test_a_team_lists_its_tasks_page_by_page(the_pool: Pool):
    ids = [(await the_pool.admit())[0].id for _ in range(5)]
    await the_pool.admit("adverts")
    assert await listed(the_pool) == (ids[::-1], False)
    assert await listed(the_pool, most=2) == (ids[:2:-1], True)
    assert await listed(the_pool, most=2, after=ids[3]) == (ids[2:0:-1], True)
    assert await listed(the_pool, most=2, after=ids[1]) == (ids[:1], False)
    assert await listed(the_pool, newest_first=False, most=2, after=ids[2]) == (ids[3:], False)


async def test_a_page_can_only_follow_a_task_of_the_teams_own(the_pool: Pool):
    other, _ = await the_pool.admit("adverts")
    for after in (other.id, "task_unknown"):
        page = await the_pool.tasks.page("films", after=after, newest_first=True, most=10)
        assert page is None


async def test_only_what_has_ended_can_be_forgotten(the_pool: Pool):
    claim = await the_pool.running()
    assert not await the_pool.tasks.forget(claim.task_id)
    await the_pool.tasks.settle(claim.task_id, claim.number, VIDEOS, None)
    assert await the_pool.tasks.forget(claim.task_id)
    assert await the_pool.tasks.forget(claim.task_id)
    assert await the_pool.tasks.get(claim.task_id) is None
    assert await listed(the_pool) == ([], False)


async def test_a_forgotten_tasks_idempotency_key_makes_a_new_one(the_pool: Pool):
    terms = {"idempotency_key": "header mine"}
    first, claim = await the_pool.admit(terms=terms, prompt="the same")
    assert claim is not None
    await the_pool.tasks.cancel(first.id)
    assert await the_pool.tasks.forget(first.id)
    again, _ = await the_pool.admit(terms=terms, prompt="the same")
    assert again.id != first.id


async def test_a_refused_task_is_not_listed(the_pool: Pool):
    for _ in range(3):
        await the_pool.admit()
    refused = await the_pool.admission(terms={"overflow": Overflow.REJECT})
    assert isinstance(refused, NotAdmitted)
    assert len((await listed(the_pool))[0]) == 3


async def test_a_dead_link_is_asked_about_by_one_at_a_time_until_there_is_an_answer(
    the_pool: Pool,
):
    task_id = await completed(the_pool)
    renewal = the_pool.tasks.take_renewal
    assert await renewal(task_id, VIDEOS[0].url) is Renewal.YOURS
    assert await renewal(task_id, VIDEOS[0].url) is Renewal.PENDING
    await pass_time(the_pool, HOUR)  # whoever asked has died meanwhile
    assert await renewal(task_id, VIDEOS[0].url) is Renewal.YOURS
    await the_pool.tasks.renew_links(task_id, FRESH)
    task = await the_pool.tasks.get(task_id)
    assert task is not None
    assert task.videos == FRESH
    assert await renewal(task_id, VIDEOS[0].url) is Renewal.OVER
    assert await renewal(task_id, FRESH[0].url) is Renewal.YOURS


async def test_the_same_link_again_is_an_answer_too(the_pool: Pool):
    task_id = await completed(the_pool)
    assert await the_pool.tasks.take_renewal(task_id, VIDEOS[0].url) is Renewal.YOURS
    await the_pool.tasks.renew_links(task_id, VIDEOS)
    await pass_time(the_pool, HOUR)
    assert await the_pool.tasks.take_renewal(task_id, VIDEOS[0].url) is Renewal.OVER


async def test_the_ledger_says_what_a_video_costs_its_team_and_us(the_pool: Pool):
    the_pool.accounts["a"] = replace(the_pool.accounts["a"], costs_fen={"cogvideox-3": 80})
    await the_pool.slots.configure(the_pool.teams)
    for _ in range(3):
        await completed(the_pool)  # the accounts take turns
    entries = await the_pool.ledger()
    assert {(e["account"], e["price_fen"], e["cost_fen"]) for e in entries} <= {
        ("a", "100", "80"),
        ("b", "100", ""),
    }
    assert {e["cost_fen"] for e in entries} == {"80", ""}
