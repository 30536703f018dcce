"""The processes: `gateway serve` with one or several API processes, and `gateway worker`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import uvicorn
import uvloop
from starlette.types import ASGIApp

from gateway.app import admin_app, client_app, whole_app, worker_app
from gateway.bootstrap import (
    Gateway,
    admin_key,
    check_providers,
    open_gateway,
    secret_keys,
    store_url,
)
from gateway.fleet import run_fleet, stop_with_parent
from gateway.http_head import BoundedHead
from gateway.logs import configure_logging
from gateway.settings import Settings, WrongSettings
from gateway.telemetry.sharing import counting_together
from gateway.telemetry.timing import LoopLag

log = logging.getLogger(__name__)

# A request waits for a submit's outcome at most this long when the process stops.
_REQUEST_SECONDS = 15


def serve(settings: Settings, *, with_worker: bool, announce: Callable[[str], None]) -> None:
    """Listen until SIGTERM or SIGINT. The embedded store belongs to this, the parent process."""
    drain = _drain_seconds(settings)
    check_providers(settings)
    with _orderly_exit() as stop_asked, store_url(settings) as url:
        key = admin_key(settings)
        secret_keys(settings)  # a missing one is told now, not by each process
        _tell_what_was_read(settings)
        sockets = [_listen("GATEWAY_PORT", settings.host, settings.port)]
        if settings.admin_port is not None:
            sockets.append(_listen("GATEWAY_ADMIN_PORT", settings.host, settings.admin_port))
        announce(f"dashboard: {_address(sockets[-1])}/dashboard")
        for name, listening in zip(("gateway", "admin plane"), sockets, strict=False):
            announce(f"{name} listening on {_address(listening)}")
        if settings.workers == 1:
            uvloop.run(_serve(settings, url, key, sockets, with_worker, stop_asked))
        else:
            child = partial(_serve_child, settings, with_worker, sockets)
            stop_seconds = settings.drain_delay_seconds + _REQUEST_SECONDS + 2 * drain + 5
            with counting_together():
                run_fleet(settings.workers, child, stop_seconds=stop_seconds)


def work(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Run the background loops alone until SIGTERM or SIGINT; tell of them where that is asked."""

    async def run() -> None:
        drain = _drain_seconds(settings)
        with _stop_on_signal(stop_asked) as stop:
            async with (
                open_gateway(settings, url) as gateway,
                _running(gateway, stop, drain, with_worker=True) as started,
            ):
                announce(" ".join(("worker running", *where)))
                if sockets:
                    app = worker_app(gateway, _state(stop, started))
                    await _listen_until(stop, settings.drain_delay_seconds, [app], sockets)
                else:
                    await stop.wait()

    with _orderly_exit() as stop_asked, store_url(settings) as url:
        sockets = []
        if settings.worker_port is not None:
            sockets.append(_listen("GATEWAY_WORKER_PORT", settings.host, settings.worker_port))
        where = [f"(health and metrics on {_address(each)})" for each in sockets]
        uvloop.run(run())


def _tell_what_was_read(settings: Settings) -> None:
    """So that who starts in the wrong folder, or without the file, sees it at once."""
    accounts, teams = len(settings.accounts), len(settings.teams)
    log.info("settings: %d accounts, %d teams", accounts, teams)
    if not accounts:
        log.warning("no account in the settings (GATEWAY_ACCOUNTS): gateway accounts lists others")
    if not teams:
        log.warning("no team in the settings (GATEWAY_TEAMS): gateway teams lists others")


def _drain_seconds(settings: Settings) -> float:
    return settings.submit_timeout_seconds + 5


def _serve_child(settings: Settings, with_worker: bool, sockets: list[socket.socket]) -> None:
    """One of several API processes, with the parent's settings however late it starts."""
    configure_logging(settings.log_level, settings.log_format)
    with _orderly_exit() as stop_asked, store_url(settings) as url:
        key = admin_key(settings)
        uvloop.run(_serve(settings, url, key, sockets, with_worker, stop_asked))


async def _serve(
    settings: Settings,
    url: str,
    key: str,
    sockets: list[socket.socket],
    with_worker: bool,
    stop_asked: threading.Event,
) -> None:
    drain = _drain_seconds(settings)
    with _stop_on_signal(stop_asked) as stop:
        async with (
            open_gateway(settings, url) as gateway,
            _running(gateway, stop, drain, with_worker=with_worker) as started,
        ):
            state = _state(stop, started)
            if len(sockets) == 1:
                apps = [whole_app(gateway, settings, state, key)]
            else:
                apps = [
                    client_app(gateway, settings, state),
                    admin_app(gateway, settings, state, key),
                ]
            # What was built at the start lives as long as the process: full collections need not
            # walk it again and again (they showed as pauses of 40 ms under load).
            gc.collect()
            gc.freeze()
            await _listen_until(stop, settings.drain_delay_seconds, apps, sockets)


def _state(stop: asyncio.Event, started: asyncio.Event) -> Callable[[], str]:
    def state() -> str:
        if stop.is_set():
            return "stopping"
        return "ready" if started.is_set() else "starting"

    return state


async def _configure(gateway: Gateway) -> None:
    """A cancellation that nobody asked for, from some depth of a library, is no reason to give up:
    the process would go on looking healthy, and never become ready."""
    while True:
        try:
            return await gateway.configure()
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            log.exception("the start was interrupted; trying again")


@asynccontextmanager
async def _running(
    gateway: Gateway, stop: asyncio.Event, drain_seconds: float, *, with_worker: bool
) -> AsyncIterator[asyncio.Event]:
    """The background work beside the API; the event tells that the limits are in the store.

    The API answers before that (with a 503 while the store is away), but is not ready. From the
    stop on nothing is claimed, and what was claimed and not sent is given back. What is on the wire
    is finished: the answer to a submit cannot be had again.
    """
    started = asyncio.Event()

    async def run() -> None:
        try:
            await _configure(gateway)
            started.set()
            if with_worker:
                await gateway.background.run()
        except Exception:
            stop.set()  # a store that refuses our scripts, for instance: nothing can go on
            raise

    async def leave() -> None:
        await stop.wait()
        gateway.waiting.stop()
        gateway.live.stop()
        gateway.dispatcher.stop()
        gateway.background.stop()
        if not started.is_set():
            background.cancel()

    readers = (
        gateway.events.run,
        gateway.durations.run,
        gateway.pool.accounts.run,
        gateway.pool.tenants.run,
        LoopLag(gateway.counting).run,
        gateway.live.run,
    )
    listening = [asyncio.create_task(run()) for run in readers]
    background, leaving = asyncio.create_task(run()), asyncio.create_task(leave())
    try:
        yield started
    finally:
        stop.set()
        await leaving
        for reader in listening:
            reader.cancel()
        try:
            async with asyncio.timeout(drain_seconds):
                with contextlib.suppress(asyncio.CancelledError):
                    await background
                await gateway.poller.drain()
                await gateway.dispatcher.drain()
        except TimeoutError:
            log.warning("stopping with work under way: others will take it over")
            background.cancel()


async def _listen_until(
    stop: asyncio.Event,
    drain_delay_seconds: float,
    apps: list[ASGIApp],
    sockets: list[socket.socket],
) -> None:
    servers = [
        _Server(
            uvicorn.Config(
                app,
                http=BoundedHead,
                log_config=None,
                access_log=False,
                ws="none",
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=_REQUEST_SECONDS,
            )
        )
        for app in apps
    ]

    async def stop_servers() -> None:
        await stop.wait()
        # Not ready, and still listening: a load balancer needs a moment to send nothing more.
        await asyncio.sleep(drain_delay_seconds)
        for server in servers:
            server.should_exit = True

    async with asyncio.TaskGroup() as group:
        stopper = group.create_task(stop_servers())
        pairs = zip(servers, sockets, strict=True)
        running = [group.create_task(server.serve([sock])) for server, sock in pairs]
        await asyncio.wait(running)
        stopper.cancel()


class _Server(uvicorn.Server):
    """Leaves signals alone: one handler of ours stops all servers of the process in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def _orderly_exit() -> Iterator[threading.Event]:
    """Let a signal outside the event loop's time unwind what is open: an embedded store, say.

    The exception may be raised where it is swallowed (inside a callback, while the loop starts);
    so the event keeps that a stop was asked for.
    """
    stop_asked = threading.Event()

    def leave(*_: object) -> None:
        stop_asked.set()
        sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    try:
        yield stop_asked
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def _stop_on_signal(stop_asked: threading.Event) -> Iterator[asyncio.Event]:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if stop_asked.is_set():
        stop.set()
    stop_with_parent(stop.set)
    yield stop


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _listen(setting: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        raise WrongSettings(
            f"GATEWAY_HOST, {setting}: cannot listen on {host}:{port}: {error.strerror}"
        ) from None
    listening.set_inheritable(True)
    return listening
