"""The check of the books: quiet while all is well, also in the middle of work, and never blind."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.domain.charge import Charge, Periods
from gateway.domain.ports import Admitted
from gateway.domain.task import Claim, TaskError
from gateway.domain.video import Video
from gateway.store.ledger import Ledger
from gateway.store.ledger_archive import LedgerArchive
from gateway.store.ledger_check import LedgerCheck, Verdict
from gateway.store.ledger_files import LedgerFiles
from tests.store.conftest import Pool
from tests.store.meddling import Meddling
from tests.store.past import KEY, Past, days_ago

VIDEOS = (Video(url="https://vendor.example/1.mp4", expires_at=None),)
OLD, RECENT = days_ago(12), days_ago(1)
OLD_DAY, RECENT_DAY = f"{OLD:%Y-%m-%d}", f"{RECENT:%Y-%m-%d}"


class Books:
    """A pool with a past: one day that is a file, one that is over, and a task under way."""

    def __init__(self, pool: Pool, folder: Path) -> None:
        self.pool, self.store, self.folder = pool, pool.store, folder
        self.files = LedgerFiles(folder)
        self.past = Past(pool.store)
        self.charge = Charge(price_fen=100, key_id=KEY, periods=Periods.at(datetime.now(UTC), UTC))

    async def open(self) -> None:
        await self.past.ends(OLD, 3)
        await self.past.ends(OLD, 2, status="failed", outcome="free")
        await self.archive()
        await self.past.ends(RECENT, 2, team="adverts")
        await self.past.ends(RECENT, status="failed", outcome="unknown")
        self.live, _ = await self.pool.admit(charge=self.charge)

    async def archive(self, folder: Path | None = None) -> tuple[str, ...]:
        """Make files of the days that have been over for three days."""
        files = LedgerFiles(folder) if folder else self.files
        archive = LedgerArchive(
            self.store, files, ledger_seconds=3 * 86400, usage_seconds=400 * 86400
        )
        kept = await archive.keep()
        assert kept.failure is None
        return kept.archived

    async def check(self, folder: Path | None = None) -> Verdict:
        files = LedgerFiles(folder) if folder else self.files
        return await LedgerCheck(self.store, files).run()

    async def entries(self) -> list[str]:
        """The tasks of all entries."""
        return [entry.task async for entry in Ledger(self.store, self.files).entries()]


@pytest.fixture
async def books(the_pool: Pool, tmp_path: Path) -> AsyncIterator[Books]:
    books = Books(the_pool, tmp_path / "ledger")
    await books.open()
    yield books


async def test_books_that_are_right_have_no_differences(books: Books):
    assert await books.check() == Verdict([], [], 8, 2)
    assert len(await books.entries()) == 8


Spoil = Callable[[Books], Awaitable[object]]


async def _file_changes(books: Books, before: str, after: str) -> None:
    path = books.folder / f"{OLD_DAY}.jsonl"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


async def _file_loses_a_line(books: Books) -> None:
    path = books.folder / f"{OLD_DAY}.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


async def _entry_goes(books: Books) -> None:
    name = books.store.keys.ledger(RECENT_DAY)
    (first, _), *_ = await books.store.redis.xrange(name)
    await books.store.redis.xdel(name, first)


async def _entry_comes_again(books: Books) -> None:
    name = books.store.keys.ledger(RECENT_DAY)
    (_, said), *_ = await books.store.redis.xrange(name)
    await books.store.redis.xadd(name, said)


async def _task_ends_on_two_days(books: Books) -> None:
    redis, keys = books.store.redis, books.store.keys
    ((_, said), *_) = await redis.xrange(keys.ledger(RECENT_DAY))
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    await redis.xadd(keys.ledger(today), said | {"outcome": "free"})
    await redis.zadd(keys.ledger_days, {today: 10**6})


async def _live_task_has_an_entry(books: Books) -> None:
    name = books.store.keys.ledger(RECENT_DAY)
    (_, said), *_ = await books.store.redis.xrange(name)
    await books.store.redis.xadd(name, said | {"task": books.live.id})


async def _record_goes(books: Books) -> None:
    await books.store.redis.delete(books.store.keys.task(books.live.id))


def _sum(name: Callable[[Books], str], field: str) -> Spoil:
    return lambda books: books.store.redis.hincrby(name(books), field, 1)


_OF_ADVERTS = f"adverts {KEY} cogvideox-3 a completed charged"
FAULTS: dict[str, tuple[Spoil, str]] = {
    "tasks of an hour": (
        _sum(lambda b: b.store.keys.usage(f"{RECENT_DAY}T12"), f"{_OF_ADVERTS} n"),
        f"usage:{RECENT_DAY}T12 says 3 tasks of {_OF_ADVERTS}, the ledger 2",
    ),
    "fen of an hour": (
        _sum(lambda b: b.store.keys.usage(f"{RECENT_DAY}T12"), f"{_OF_ADVERTS} fen"),
        f"usage:{RECENT_DAY}T12 says 201 fen charged of {_OF_ADVERTS}, the ledger 200",
    ),
    "sums of an hour of which there is a file": (
        _sum(lambda b: b.store.keys.usage(f"{OLD_DAY}T12"), f"{_OF_ADVERTS} n"),
        f"usage:{OLD_DAY}T12 says 1 tasks of {_OF_ADVERTS}, the ledger 0",
    ),
    "what is spent": (
        _sum(lambda b: b.store.keys.spend("all"), "team:films:spent"),
        "spend:all says 301 fen spent by team:films, the ledger 300",
    ),
    "what is reserved": (
        _sum(lambda b: b.store.keys.spend("all"), "team:films:reserved"),
        "spend:all says 101 fen reserved by team:films, the tasks under way 100",
    ),
    "what somebody spent who never did": (
        _sum(lambda b: b.store.keys.spend("all"), "team:games:spent"),
        "spend:all says 1 fen spent by team:games, the ledger 0",
    ),
    "what was archived": (
        _sum(lambda b: b.store.keys.archived("all"), "team:films"),
        "archived:all says 301 fen spent by team:films, the files 300",
    ),
    "an entry that is gone": (_entry_goes, "says 2 tasks of"),
    "an entry that is there twice": (_entry_comes_again, "has more than one entry"),
    "a task that ended on two days": (_task_ends_on_two_days, "has more than one entry"),
    "an entry of what has not ended": (_live_task_has_an_entry, "and has not ended"),
    "a task under way without a record": (_record_goes, "is under way and has no record"),
    "a file with another byte": (
        lambda books: _file_changes(books, "1920x1080", "1280x1080"),
        f"{OLD_DAY}.jsonl: the SHA-256 was",
    ),
    "a file with another price": (
        lambda books: _file_changes(books, '"price_fen":"100"', '"price_fen":"101"'),
        f"{OLD_DAY}.jsonl: the sum of fen charged was 300 and is 301",
    ),
    "a file that lost a line": (
        _file_loses_a_line,
        f"{OLD_DAY}.jsonl: the number of entries was 5 and is 4",
    ),
    "a file with a broken line": (
        lambda books: _file_changes(books, "{", "["),
        f"{OLD_DAY}.jsonl: its line 1 is no entry",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_is_wrong_is_found(books: Books, fault: str):
    spoil, sentence = FAULTS[fault]
    await spoil(books)
    found = (await books.check()).differences
    assert any(sentence in difference for difference in found), found
    if fault == "a task under way without a record":  # its slot would be missed as well
        await books.pool.clear()


async def test_files_that_are_elsewhere_are_no_difference(books: Books, tmp_path: Path):
    verdict = await books.check(tmp_path / "empty")
    assert verdict.differences == []
    assert [line.startswith(f"{OLD_DAY} cannot be checked here") for line in verdict.unchecked] == [
        True
    ]
    await books.store.redis.hincrby(books.store.keys.spend("all"), "team:films:spent", 1)
    assert len((await books.check(tmp_path / "empty")).differences) == 1


async def test_one_file_that_is_missing_among_others_is_a_difference(books: Books):
    next_day = days_ago(11)
    await books.past.ends(next_day)
    await books.archive()
    assert await books.check() == Verdict([], [], 9, 3)
    (books.folder / f"{OLD_DAY}.jsonl").unlink()
    verdict = await books.check()
    (missing,) = verdict.differences
    assert missing.startswith(f"{OLD_DAY}.jsonl is missing")
    assert (verdict.unchecked, verdict.days) == ([], 2)


async def test_a_task_that_ends_and_is_forgotten_while_the_check_reads_was_under_way(
    books: Books, store_url: str, pool: str
):
    """Its record is gone by the time it is asked for; what it had reserved, its entry knows."""
    await books.past.ends(days_ago(0))  # else a day would begin, and the check with it anew

    async def end_and_forget() -> None:
        task, _ = await books.pool.tasks.cancel(books.live.id)
        assert task is not None
        assert await books.pool.tasks.forget(task.id)

    async with Meddling(store_url, pool, "read_reserved", end_and_forget).opened as meddled:
        verdict = await LedgerCheck(meddled, books.files).run()
    assert verdict.differences == []


async def test_the_check_is_quiet_while_everything_works(books: Books, tmp_path: Path):
    """Tasks are admitted, end in every way and are forgotten, and a day becomes a file."""
    store, numbers, over = books.store, itertools.count(), asyncio.Event()

    async def see_through(claims: tuple[Claim, ...]) -> None:
        todo = list(claims)
        while todo:
            claim = todo.pop()
            if not await books.pool.tasks.mark_sending(claim, claim.api_key_id):
                continue
            await books.pool.tasks.record_accepted(claim, f"vendor-{claim.task_id}", None, 0)
            fails = next(numbers) % 3 == 0
            ending = TaskError(code="1301", message="refused") if fails else VIDEOS
            _, more = await books.pool.tasks.settle(claim.task_id, claim.number, ending, None)
            todo += more
            if fails:
                await books.pool.tasks.forget(claim.task_id)

    async def work(team: str) -> None:
        while not over.is_set():
            admitted = await books.pool.admission(team, charge=books.charge)
            assert isinstance(admitted, Admitted)
            if next(numbers) % 5 == 0:
                _, claims = await books.pool.tasks.cancel(admitted.task.id)
                await see_through(claims)
            else:
                await see_through(admitted.claims)

    async with asyncio.TaskGroup() as group:
        for team in ("films", "films", "adverts"):
            group.create_task(work(team))
        try:
            for round_number in range(25):
                if round_number % 5 == 0:
                    await books.past.ends(days_ago(11 - round_number // 5), 10)
                    group.create_task(books.archive())
                verdict = await books.check()
                wrong = [*verdict.differences, *verdict.unchecked]
                assert not wrong, wrong[:3]
        finally:
            over.set()  # the group cancels them as well, but a client may lose a cancellation
    tasks = await books.entries()
    assert len(tasks) == len(set(tasks)) > 100
    assert (await store.redis.hlen(store.keys.archives)) == 6
    verdict = await books.check()
    assert verdict.differences == []
    assert verdict.entries == len(tasks)
