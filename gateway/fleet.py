"""Several API processes on one machine, kept running by a parent that does nothing else."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

log = logging.getLogger(__name__)

_RESTART_PAUSE_SECONDS = 1.0


def run_fleet(size: int, target: Callable[[], None], *, stop_seconds: float) -> None:
    """Run `target` in so many processes, start those again that die, until SIGTERM or SIGINT.

    `stop_seconds` must be longer than a process takes to finish what is on the wire.
    """
    # "spawn": a fork would inherit the parent's threads' locks in whatever state they are in.
    context = multiprocessing.get_context("spawn")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def start() -> SpawnProcess:
        process = context.Process(target=target)
        process.start()
        return process

    fleet = [start() for _ in range(size)]
    while not stop.is_set():
        # Bounded, because a signal that only sets the event does not end the wait.
        wait([process.sentinel for process in fleet], timeout=0.5)
        for i, process in enumerate(fleet):
            if process.exitcode is not None and not stop.is_set():
                log.error(
                    "process %s ended with %s; starting another", process.pid, process.exitcode
                )
                time.sleep(_RESTART_PAUSE_SECONDS)
                fleet[i] = start()
    _stop(fleet, stop_seconds)


def stop_with_parent(stop: Callable[[], None]) -> None:
    """In a process of the fleet: stop when the parent is gone, whoever killed it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        loop = asyncio.get_running_loop()

        def parent_gone() -> None:
            loop.remove_reader(parent.sentinel)
            stop()

        loop.add_reader(parent.sentinel, parent_gone)


def _stop(fleet: list[SpawnProcess], seconds: float) -> None:
    for process in fleet:
        process.terminate()
    deadline = time.monotonic() + seconds
    for process in fleet:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.exitcode is None:
            log.error("process %s does not stop; killing it", process.pid)
            process.kill()
