"""The processes: `gateway serve` with one or several API processes, and `gateway worker`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import uvicorn
import uvloop
from starlette.types import ASGIApp

from gateway.app import admin_app, client_app, whole_app
from gateway.bootstrap import Gateway, admin_key, open_gateway, store_url
from gateway.fleet import run_fleet, stop_with_parent
from gateway.logs import configure_logging
from gateway.settings import Settings, WrongSettings, load_settings

# A request waits for a submit's outcome at most this long when the process stops.
_REQUEST_SECONDS = 15


def serve(settings: Settings, *, with_worker: bool, announce: Callable[[str], None]) -> None:
    """Listen until SIGTERM or SIGINT. The embedded store belongs to this, the parent process."""
    with store_url(settings) as url:
        key = admin_key(settings)
        sockets = [_listen("GATEWAY_PORT", settings.host, settings.port)]
        if settings.admin_port is not None:
            sockets.append(_listen("GATEWAY_ADMIN_PORT", settings.host, settings.admin_port))
        for name, listening in zip(("gateway", "admin plane"), sockets, strict=False):
            host, port = listening.getsockname()[:2]
            announce(f"{name} listening on http://{host}:{port}")
        if settings.workers == 1:
            uvloop.run(_serve(settings, url, key, sockets, with_worker))
        else:
            run_fleet(settings.workers, partial(_serve_child, with_worker, sockets))


def work(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Run the background loops alone until SIGTERM or SIGINT."""

    async def run() -> None:
        drain = _drain_seconds(settings)
        with _stop_on_signal() as stop:
            async with open_gateway(settings, url) as gateway, _background(gateway, drain):
                announce("worker running")
                await stop.wait()

    with store_url(settings) as url:
        uvloop.run(run())


def _drain_seconds(settings: Settings) -> float:
    return settings.submit_timeout_seconds + 5


def _serve_child(with_worker: bool, sockets: list[socket.socket]) -> None:
    """One of several API processes: reads the settings anew, the sockets are inherited."""
    settings = load_settings()
    configure_logging(settings.log_level)
    with store_url(settings) as url:
        uvloop.run(_serve(settings, url, admin_key(settings), sockets, with_worker))


async def _serve(
    settings: Settings, url: str, key: str, sockets: list[socket.socket], with_worker: bool
) -> None:
    with _stop_on_signal() as stop:
        async with open_gateway(settings, url) as gateway:

            def ready() -> bool:
                return not stop.is_set()

            if len(sockets) == 1:
                apps = [whole_app(gateway, settings, ready, key)]
            else:
                apps = [
                    client_app(gateway, settings, ready),
                    admin_app(gateway, settings, ready),
                ]
            run_beside = _background if with_worker else _dispatching_only
            async with run_beside(gateway, _drain_seconds(settings)):
                await _listen_until(stop, apps, sockets)


async def _listen_until(
    stop: asyncio.Event, apps: list[ASGIApp], sockets: list[socket.socket]
) -> None:
    servers = [
        _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=_REQUEST_SECONDS,
            )
        )
        for app in apps
    ]

    async def stop_servers() -> None:
        await stop.wait()
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
def _stop_on_signal() -> Iterator[asyncio.Event]:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    stop_with_parent(stop.set)
    yield stop


@asynccontextmanager
async def _background(gateway: Gateway, drain_seconds: float) -> AsyncIterator[None]:
    loops = asyncio.create_task(gateway.background.run())
    try:
        async with _dispatching_only(gateway, drain_seconds):
            yield
    finally:
        loops.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loops
        await _bounded(gateway.poller.drain(), drain_seconds)


@asynccontextmanager
async def _dispatching_only(gateway: Gateway, drain_seconds: float) -> AsyncIterator[None]:
    """What is on the wire when the process stops is finished: its answer cannot be had again."""
    try:
        yield
    finally:
        await _bounded(gateway.dispatcher.drain(), drain_seconds)


async def _bounded(drain: Coroutine[None, None, None], seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(drain, seconds)


def _listen(setting: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        raise WrongSettings(
            f"{setting}: cannot listen on {host}:{port}: {error.strerror}"
        ) from None
    listening.set_inheritable(True)
    return listening
