"""What a day of 100,000 tasks leaves in the store, and that it goes when its time is over.

The tasks are ended by the functions that end all others (see past.py), at a few thousand a second;
what is measured is what the server says that keys take, their names included.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

from gateway.domain.usage import DAY_MS
from gateway.store.connection import Store
from gateway.store.ledger_archive import LedgerArchive
from gateway.store.ledger_check import LedgerCheck, Verdict
from gateway.store.ledger_files import LedgerFiles
from tests.store.conftest import HOUR, Pool, pass_time
from tests.store.past import Past, days_ago

TASKS = 100_000
AT_ONCE = 500
KEPT_DAYS = 35
RECORD_BYTES = 2400
"""Of a task that can still be asked for (RETENTION_SECONDS): its record, the steps of its life, its
place in two lists."""
ENTRY_BYTES = 300
"""Of its entry while that is in the store (LEDGER_SECONDS)."""
SUMS_BYTES = 50_000
"""Of a day, for all its tasks: by hour, team, key, model, account and end."""
FOR_EVER_BYTES = 3000
"""What is remembered of a file, and of eight who spend something for the first time."""
ENDS = (
    ("completed", "charged"),
    ("failed", "free"),
    ("completed", "charged"),
    ("failed", "unknown"),
)


async def bytes_by_kind(store: Store) -> Counter[str]:
    """What the keys of the pool take, by the first word of their names."""
    redis, prefix = store.redis, f"{store.keys.tag}:"
    names = [name async for name in redis.scan_iter(match=f"{prefix}*", count=10_000)]
    sizes: Counter[str] = Counter()
    for start in range(0, len(names), 5000):
        asked = redis.pipeline(transaction=False)
        for name in names[start : start + 5000]:
            asked.memory_usage(name, samples=0)
        for name, size in zip(names[start : start + 5000], await asked.execute(), strict=True):
            sizes[name.removeprefix(prefix).partition(":")[0]] += size or 0
    return sizes


async def test_a_day_takes_a_bounded_amount_and_nothing_in_the_end(
    own_store: Store, tmp_path: Path
):
    pool = Pool(own_store)
    await pool.slots.configure(pool.teams)
    past, day = Past(own_store), days_ago(KEPT_DAYS + 2).replace(hour=0)
    await past.ends(days_ago(0))  # today there is a task as well, and it stays
    before = await bytes_by_kind(own_store)

    for number in range(TASKS // AT_ONCE):
        when = day + timedelta(seconds=number * 86_400 * AT_ONCE / TASKS)
        status, outcome = ENDS[number % len(ENDS)]
        team = ("films", "adverts", "games")[number % 3]
        await past.ends(
            *(when, AT_ONCE),
            status=status,
            outcome=outcome,
            team=team,
            key=f"key_{number % 5:016x}",
        )
    full = await bytes_by_kind(own_store) - before
    assert full.pop("ledger") < TASKS * ENTRY_BYTES
    of_tasks = ("task", "steps", "tasks", "ended")
    assert sum(full[kind] for kind in of_tasks) < TASKS * RECORD_BYTES
    for kind in of_tasks:
        assert full.pop(kind) > 0
    assert sum(full.values()) < SUMS_BYTES

    await pass_time(pool, HOUR)
    while (await pool.tasks.sweep(5000)) and await own_store.redis.zcard(own_store.keys.ended):
        pass
    after = await bytes_by_kind(own_store) - before
    assert sum(after.values()) < TASKS * ENTRY_BYTES + SUMS_BYTES

    folder = tmp_path / "ledger"
    files = LedgerFiles(folder)
    now = days_ago(0)
    for days, is_left in ((0, True), (400, False)):

        async def clock(days: int = days) -> int:
            return round(now.timestamp() * 1000) + days * DAY_MS

        archive = LedgerArchive(
            own_store,
            files,
            ledger_seconds=KEPT_DAYS * 86_400 if is_left else 10**9,
            usage_seconds=400 * 86_400,
            now_ms=clock,
        )
        archived = (await archive.keep()).archived
        assert archived == ((f"{day:%Y-%m-%d}",) if is_left else ())
        left = await bytes_by_kind(own_store) - before
        assert (left["usage"] > 0) == is_left
        assert sum(left.values()) < (SUMS_BYTES if is_left else FOR_EVER_BYTES)
        assert await LedgerCheck(own_store, files).run() == Verdict([], [], TASKS + 1, 2)
    assert not [name async for name in own_store.redis.scan_iter(match=f"*{day:%Y-%m-%d}*")]
