"""Days of the ledger become files: whole, once, and never at the price of an entry."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.charge import ALL
from gateway.domain.errors import Conflict, StoreUnavailable
from gateway.domain.usage import Entry
from gateway.domain.usage_query import Span
from gateway.lifecycle.bookkeeping import Bookkeeping
from gateway.store.connection import Store
from gateway.store.ledger import Ledger
from gateway.store.ledger_archive import LedgerArchive
from gateway.store.ledger_check import LedgerCheck
from gateway.store.ledger_files import LedgerFiles
from tests.store.conftest import Pool
from tests.store.meddling import Meddling
from tests.store.past import KEY, Past, days_ago

DAY_SECONDS = 86400
OLDER, OLD, RECENT = days_ago(6), days_ago(5), days_ago(1)
OLDER_DAY, OLD_DAY, RECENT_DAY = (f"{day:%Y-%m-%d}" for day in (OLDER, OLD, RECENT))
EVER = Span(0, 253402214400000)


def archive_of(store: Store, folder: Path, **terms: Any) -> LedgerArchive:
    """That of a process with such settings; a day stays in the store for two days."""
    seconds = {"ledger_seconds": 2 * DAY_SECONDS, "usage_seconds": 400 * DAY_SECONDS}
    return LedgerArchive(store, LedgerFiles(folder), **(seconds | terms))


async def all_entries(store: Store, folder: Path) -> list[Entry]:
    return [entry async for entry in Ledger(store, LedgerFiles(folder)).entries()]


async def agrees(store: Store, folder: Path) -> bool:
    verdict = await LedgerCheck(store, LedgerFiles(folder)).run()
    return (verdict.differences, verdict.unchecked) == ([], [])


def check_with_sha256sum(path: Path) -> None:
    if sha256sum := shutil.which("sha256sum"):
        subprocess.run([sha256sum, "-c", f"{path.name}.sha256"], cwd=path.parent, check=True)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def put(path: Path, text: str = "in the way") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def take_away(path: Path) -> None:
    path.unlink()


@pytest.fixture
def past(the_pool: Pool) -> Past:
    return Past(the_pool.store)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger"


async def test_a_day_becomes_a_file_that_says_the_same(store: Store, past: Past, folder: Path):
    await past.ends(OLD, 1500)
    await past.ends(OLD, team="adverts", status="failed", outcome="unknown")
    await past.ends(RECENT)
    keys, redis = store.keys, store.redis
    streamed = await redis.xrange(keys.ledger(OLD_DAY))
    spent = await redis.hgetall(keys.spend(ALL))
    entries = await all_entries(store, folder)

    assert (await archive_of(store, folder).keep()).archived == (OLD_DAY,)

    path = folder / f"{OLD_DAY}.jsonl"
    lines = path.read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"id": i, **said} for i, said in streamed]
    assert list(json.loads(lines[0])) == sorted(json.loads(lines[0]))
    assert path.stat().st_mode & 0o777 == 0o640
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (folder / f"{OLD_DAY}.jsonl.sha256").read_text() == f"{digest}  {OLD_DAY}.jsonl\n"
    check_with_sha256sum(path)
    assert names_in(folder) == [".lock", f"{OLD_DAY}.jsonl", f"{OLD_DAY}.jsonl.sha256"]

    file = {"sha256": digest, "entries": 1501, "fen": 150_000}
    assert json.loads(await redis.hget(keys.archives, OLD_DAY)) == file
    assert await redis.zrange(keys.ledger_days, 0, -1) == [RECENT_DAY]
    assert await redis.exists(keys.ledger(OLD_DAY)) == 0
    assert await redis.hgetall(keys.archived(ALL)) == {
        "team:films": "150000",
        f"key:{KEY}": "150000",
    }
    assert await redis.hgetall(keys.spend(ALL)) == spent
    assert await all_entries(store, folder) == entries
    assert await agrees(store, folder)


async def test_a_day_that_is_not_over_for_long_enough_stays(store: Store, past: Past, folder: Path):
    await past.ends(RECENT)
    assert (await archive_of(store, folder).keep()).archived == ()
    day_is_over = round(RECENT.replace(hour=0).timestamp() + DAY_SECONDS) * 1000
    for now, archived in ((-1, ()), (0, (RECENT_DAY,))):

        async def clock(now: int = day_is_over + 2 * DAY_SECONDS * 1000 + now) -> int:
            return now

        assert (await archive_of(store, folder, now_ms=clock).keep()).archived == archived


async def test_of_processes_with_folders_of_their_own_one_takes_the_day(
    store: Store, past: Past, tmp_path: Path
):
    await past.ends(OLDER, 2500)
    await past.ends(OLD, 2500)
    folders = [tmp_path / name for name in "abc"]
    kept = await asyncio.gather(*(archive_of(store, folder).keep() for folder in folders))
    assert sorted(day for each in kept for day in each.archived) == [OLDER_DAY, OLD_DAY]
    for day, file in (await store.redis.hgetall(store.keys.archives)).items():
        written = [f for f in folders if (f / f"{day}.jsonl").exists()]
        assert written
        for folder in written:
            digest = hashlib.sha256((folder / f"{day}.jsonl").read_bytes()).hexdigest()
            assert digest == json.loads(file)["sha256"]
    assert await store.redis.hget(store.keys.archived(ALL), "team:films") == "500000"


async def test_of_processes_with_one_folder_each_day_is_written_by_one(
    store: Store, past: Past, folder: Path
):
    await past.ends(OLDER, 2500)
    await past.ends(OLD, 2500)
    kept = await asyncio.gather(*(archive_of(store, folder).keep() for _ in range(4)))
    assert sorted(day for each in kept for day in each.archived) == [OLDER_DAY, OLD_DAY]
    assert await agrees(store, folder)


async def test_the_script_takes_a_day_out_once(store: Store, past: Past, folder: Path):
    await past.ends(OLD, 2)
    ((_, _), (last, _)) = await store.redis.xrange(store.keys.ledger(OLD_DAY))
    file = json.dumps({"sha256": "", "entries": 2, "fen": 200})
    sums = (ALL, "team:films", 200)
    for length, its_last, word in (
        (3, last, "changed"),
        (2, "1-1", "changed"),
        (2, last, "archived"),
        (2, last, "gone"),
    ):
        args = (OLD_DAY, RECENT_DAY, length, its_last, file, *sums)
        assert await store.run("archive_day", *args) == word
    assert await store.redis.hgetall(store.keys.archived(ALL)) == {"team:films": "200"}
    assert await store.redis.get(store.keys.first_open_day) == RECENT_DAY


async def test_a_crash_between_the_file_and_the_script_costs_nothing(
    store: Store, past: Past, folder: Path, store_url: str, pool: str
):
    await past.ends(OLD, 3)

    async def crash() -> None:
        raise StoreUnavailable("it is away")

    async with Meddling(store_url, pool, "archive_day", crash).opened as meddled:
        with pytest.raises(StoreUnavailable):
            await archive_of(meddled, folder).keep()
    written = (folder / f"{OLD_DAY}.jsonl").read_bytes()
    assert len(await all_entries(store, folder)) == 3
    assert await agrees(store, folder)
    assert (await archive_of(store, folder).keep()).archived == (OLD_DAY,)
    assert (folder / f"{OLD_DAY}.jsonl").read_bytes() == written
    assert await agrees(store, folder)


async def test_an_entry_that_comes_after_the_file_is_in_the_next_file(
    store: Store, past: Past, folder: Path, store_url: str, pool: str
):
    await past.ends(OLD, 3)
    meddling = Meddling(store_url, pool, "archive_day", lambda: past.ends(OLD))
    async with meddling.opened as meddled:
        assert (await archive_of(meddled, folder).keep()).archived == ()
    assert not (folder / f"{OLD_DAY}.jsonl").exists()
    assert (await archive_of(store, folder).keep()).archived == (OLD_DAY,)
    assert len(await all_entries(store, folder)) == 4
    assert await agrees(store, folder)


async def test_a_day_that_is_taken_out_while_it_is_read_goes_on_in_its_file(
    store: Store, past: Past, folder: Path
):
    tasks = await past.ends(OLD, 2500)
    read = Ledger(store, LedgerFiles(folder)).entries()
    seen = [(await anext(read)).task for _ in range(10)]
    await archive_of(store, folder).keep()
    seen += [entry.task async for entry in read]
    assert seen == tasks


async def test_what_ends_on_a_day_that_is_a_file_counts_on_the_first_that_is_not(
    store: Store, past: Past, folder: Path
):
    """As when the clock was set back."""
    await past.ends(OLDER)
    await archive_of(store, folder).keep()
    (late,) = await past.ends(OLDER)
    (_, entry) = await all_entries(store, folder)
    assert (entry.task, entry.day) == (late, OLD_DAY)
    assert entry.at_ms == round(OLD.replace(hour=0).timestamp() * 1000)
    assert await agrees(store, folder)


async def test_a_folder_that_cannot_be_written_keeps_the_day_and_is_told_once(
    store: Store, past: Past, folder: Path, caplog: pytest.LogCaptureFixture
):
    await past.ends(OLD, 3)
    put(folder)
    books = Bookkeeping(archive_of(store, folder))
    with caplog.at_level(logging.INFO):
        await books.step()
        await books.step()
        assert [r.levelname for r in caplog.records] == ["ERROR"]
        assert "GATEWAY_LEDGER_DIR" in caplog.text
        assert len(await all_entries(store, folder)) == 3
        take_away(folder)
        await books.step()
        assert await agrees(store, folder)
    assert [r.levelname for r in caplog.records] == ["ERROR", "INFO", "INFO"]
    assert OLD_DAY in caplog.records[1].message


async def test_another_file_of_that_day_is_not_overwritten(store: Store, past: Past, folder: Path):
    """Of another pool, say, whose folder it is."""
    await past.ends(OLD, 3)
    put(folder / f"{OLD_DAY}.jsonl", "another's\n")
    kept = await archive_of(store, folder).keep()
    assert kept.archived == ()
    assert kept.failure is not None
    assert "there is another file" in kept.failure
    assert (folder / f"{OLD_DAY}.jsonl").read_text() == "another's\n"
    assert await store.redis.xlen(store.keys.ledger(OLD_DAY)) == 3


def test_two_that_write_a_day_at_once_do_not_spoil_each_others_file(folder: Path):
    """As on a shared folder whose locks hold on one machine only."""
    folder.mkdir(parents=True)
    files = LedgerFiles(folder)
    with closing(files.create(OLD_DAY)) as first:
        first.write([("1-1", {"task": "a"}), ("2-1", {"task": "b"})])
        with closing(files.create(OLD_DAY)) as second:
            second.write([("1-1", {"task": "a"})])
            with pytest.raises(FileNotFoundError):
                first.keep()
            second.write([("2-1", {"task": "b"})])
            second.keep()
            with closing(files.create(OLD_DAY)) as third:
                third.write([("1-1", {"task": "a"})])
    content = (folder / f"{OLD_DAY}.jsonl").read_bytes()
    assert hashlib.sha256(content).hexdigest() == second.sha256 == first.sha256
    assert names_in(folder) == [f"{OLD_DAY}.jsonl", f"{OLD_DAY}.jsonl.sha256"]


async def test_what_a_crash_left_of_a_file_goes_with_the_next_try(
    store: Store, past: Past, folder: Path
):
    await past.ends(OLD, 3)
    put(folder / f".{OLD_DAY}.jsonl.0123456789abcdef.new", "half a l")
    put(folder / f".{OLD_DAY}.jsonl.new", "half a l")
    assert (await archive_of(store, folder).keep()).archived == (OLD_DAY,)
    assert names_in(folder) == [".lock", f"{OLD_DAY}.jsonl", f"{OLD_DAY}.jsonl.sha256"]


async def test_entries_in_a_file_that_is_elsewhere_are_asked_for_in_vain(
    store: Store, past: Past, folder: Path, tmp_path: Path
):
    await past.ends(OLD)
    await past.ends(RECENT)
    await archive_of(store, folder).keep()
    ledger = Ledger(store, LedgerFiles(tmp_path / "empty"))
    with pytest.raises(Conflict, match=OLD_DAY):
        await ledger.require(EVER)
    with pytest.raises(Conflict, match=OLD_DAY):
        [entry async for entry in ledger.entries()]
    since = Span(round(RECENT.timestamp() * 1000), EVER.to_ms)
    await ledger.require(since)
    assert len([entry async for entry in ledger.entries(since)]) == 1


async def test_sums_go_when_their_time_is_over(store: Store, past: Past, folder: Path):
    """Those of a day's budget with its entries, those of an hour later; what is for ever stays."""
    keys, redis = store.keys, store.redis
    for day in (days_ago(80), days_ago(40), OLD, RECENT):
        await past.ends(day, 2)
    first, second = f"{days_ago(80):%Y-%m-%d}", f"{days_ago(40):%Y-%m-%d}"

    async def periods() -> list[str]:
        days = [period for period in await redis.zrange(keys.periods, 0, -1) if len(period) == 10]
        return [day for day in days if await redis.exists(keys.spend(day))]

    await archive_of(store, folder).keep()
    assert await periods() == [RECENT_DAY]
    assert await redis.exists(keys.archived(first), keys.archived(second)) == 0
    assert len(await redis.zrange(keys.usage_hours, 0, -1)) == 4
    assert await agrees(store, folder)

    await archive_of(store, folder, usage_seconds=60 * DAY_SECONDS).keep()
    assert await redis.zrange(keys.usage_hours, 0, 0) == [f"{second}T12"]
    assert await redis.exists(keys.usage(f"{first}T12")) == 0
    assert await agrees(store, folder)
    ledger = Ledger(store, LedgerFiles(folder))
    assert await ledger.hours(EVER) is None
    assert await redis.hget(keys.spend(ALL), "team:films:spent") == "800"
