"""Where the time goes: CPU by kind of process, and the store's by script.

The server writes into its slow log, while that is asked for, each script and how long it ran:
without the wait for the disk. So a write of our own is timed as well, which waits in the same queue
and for the same disk.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

import psutil
import redis

from bench.refills import percentile
from gateway.store.connection import script_text

_LUA = resources.files("gateway.store") / "lua"
_LOGGED = 100_000
# Below this are the commands that a script is made of, which would be logged one by one.
_SHORTEST_MICROSECONDS = 20


class Processes:
    """CPU time by kind of process, since the latest `start`."""

    def __init__(self, **kinds: list[psutil.Process]) -> None:
        self._kinds = kinds
        self.start()

    def start(self) -> None:
        self._began, self._before = time.monotonic(), self._used()

    def shares(self) -> dict[str, list[float]]:
        """Of one core, process by process."""
        seconds = time.monotonic() - self._began
        return {
            kind: [
                (now - then) / seconds for now, then in zip(used, self._before[kind], strict=True)
            ]
            for kind, used in self._used().items()
        }

    def _used(self) -> dict[str, list[float]]:
        return {kind: list(map(_cpu_seconds, processes)) for kind, processes in self._kinds.items()}


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


class StoreCosts:
    """What the store did while it was watched: microseconds of each run, by script."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._names = {
            hashlib.sha1(script_text(name).encode()).hexdigest(): name
            for name in (path.name.removesuffix(".lua") for path in _LUA.iterdir())
            if name != "pool"
        }
        self.runs: defaultdict[str, list[int]] = defaultdict(list)
        self.writes: list[float] = []
        self.seconds = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        self._client.config_set("slowlog-max-len", _LOGGED)
        self._client.config_set("slowlog-log-slower-than", _SHORTEST_MICROSECONDS)
        self._client.slowlog_reset()
        began = time.monotonic()
        try:
            yield
        finally:
            self.take()
            self.seconds += time.monotonic() - began
            self._client.config_set("slowlog-log-slower-than", -1)

    def time_a_write(self) -> None:
        began = time.perf_counter()
        self._client.set("bench:write", "")
        self.writes.append(time.perf_counter() - began)

    def take(self) -> None:
        """Read what was logged since the last time; the log has room for some minutes."""
        for entry in self._client.slowlog_get(_LOGGED):
            command, *rest = entry["command"].split(maxsplit=2)
            if command == b"EVALSHA":
                self.runs[self._names[rest[0].decode()]].append(entry["duration"])
        self._client.slowlog_reset()

    def table(self) -> list[str]:
        """The dearest first: runs a second, their mean and longest time, their share of a core."""
        lines = ["  the store, by script    runs/s   mean ms    max ms   share of a core"]
        for name, runs in sorted(self.runs.items(), key=lambda item: -sum(item[1])):
            busy = sum(runs) / 1e6 / self.seconds
            lines.append(
                f"    {name:20} {len(runs) / self.seconds:8.1f} {sum(runs) / len(runs) / 1e3:9.2f} "
                f"{max(runs) / 1e3:9.2f} {busy:17.1%}"
            )
        if writes := sorted(self.writes):
            p50, p99 = (percentile(writes, share) * 1000 for share in (0.5, 0.99))
            told = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"
            lines.append(f"  a write to the store and its answer: {told}")
        return lines
