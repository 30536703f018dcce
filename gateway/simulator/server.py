"""Runs the simulator until it is told to stop."""

import signal
import socket
from types import FrameType

import click
import uvicorn

from gateway.simulator.app import build_app
from gateway.simulator.connection import Protocol
from gateway.simulator.state import Simulator


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            click.echo(f"simulator listening on http://{shown}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A hanging fault would keep its connection, and us, for as long as it was told to.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


def serve(simulator: Simulator, host: str, port: int) -> None:
    """Raises OSError if it cannot listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    config = uvicorn.Config(
        build_app(simulator),
        http=Protocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        timeout_keep_alive=60,
    )
    # uvicorn raises the signal that stopped it once more: here that is a clean end.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    _Server(config).run(sockets=[listener])


def _leave(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
