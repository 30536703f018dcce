"""Tasks that have ended, on whatever day: made by the functions that end all others, quickly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.domain.charge import ALL
from gateway.store.connection import _LUA, SHARED, Store
from tests.store.conftest import a_set_of_rules

KEY = "key_0123456789abcdef"
# wall_ms is a variable that all functions before share: what ends here ends when we say.
_SCRIPT = """
wall_ms = function() return tonumber(ARGV[1]) end
local rules, first, count = cjson.decode(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local status, outcome, periods, team, model = unpack(ARGV, 5, 9)
for number = first, first + count - 1 do
  local id = string.format('task_%032x', number)
  redis.call('HSET', task_key(id), 'team', team, 'class', model .. '@bigmodel',
    'form', ARGV[11], 'price_fen', 100, 'key_id', ARGV[10], 'periods', periods,
    'request', '{"model":"cogvideox-3","prompt":"A cat is playing with a ball.",' ..
      '"size":"1920x1080","quality":"speed","duration_seconds":5}',
    'status', 'in_progress', 'created_ms', wall_ms() - 90000, 'submitted_ms', wall_ms() - 80000,
    'claim', 1, 'looks', 5, 'order', number, 'account', 'a', 'provider', 'bigmodel',
    'api_key_id', '3f1b0c62a9de', 'provider_task_id', 'vendor-' .. id)
  redis.call('ZADD', key('tasks', team), number, id)
  write_step(id, 'queued', '', rules)
  write_step(id, 'claimed', 'a', rules)
  write_step(id, 'sending', '3f1b0c62a9de', rules)
  write_step(id, 'in_progress', 'vendor-' .. id, rules)
  local task = read_task(id)
  reserve(task)
  finish(id, task, status, outcome, {'videos', '[{"url":"https://vendor.example/' .. id ..
    '.mp4","cover_url":"https://vendor.example/' .. id .. '.jpg"}]'}, rules)
end
"""


def days_ago(days: int) -> datetime:
    """Noon of that day, in UTC."""
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    return noon - timedelta(days=days)


class Past:
    """Ends tasks in the past."""

    def __init__(self, store: Store) -> None:
        parts = [(_LUA / f"{part}.lua").read_text() for part in SHARED]
        text = "#!lua flags=allow-oom\n" + "\n".join([*parts, _SCRIPT])
        self._store = store
        self._run = store.redis.register_script(text)
        self._made = 0

    async def ends(
        self,
        when: datetime,
        count: int = 1,
        *,
        status: str = "completed",
        outcome: str = "charged",
        team: str = "films",
        model: str = "cogvideox-3",
        key: str = KEY,
        form: str = "1920x1080:speed:5",
        **rules: Any,
    ) -> list[str]:
        """That many tasks end at that moment; return their ids."""
        day, month = f"{when:%Y-%m-%d}", f"{when:%Y-%m}"
        keys, redis = self._store.keys, self._store.redis
        for period, over in ((day, when.replace(hour=0) + timedelta(days=1)), (month, _next(when))):
            await redis.zadd(keys.periods, {period: round(over.timestamp() * 1000)})
        terms = [status, outcome, f"{day} {month} {ALL}", team, model, key, form]
        await self._run(
            keys=[keys.tag],
            args=[
                round(when.timestamp() * 1000),
                a_set_of_rules(**rules).to_json(),
                *(self._made, count, *terms),
            ],
        )
        first, self._made = self._made, self._made + count
        return [f"task_{number:032x}" for number in range(first, self._made)]


def _next(when: datetime) -> datetime:
    first = when.replace(day=1, hour=0)
    return (first + timedelta(days=32)).replace(day=1)
