"""What the demo plays on: the simulator and a gateway, in processes of their own."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console

LIMIT = 5  # tier V0


class DemoFailed(Exception):
    """The demo did not go as it must; one line says what."""


@dataclass(frozen=True)
class Stage:
    """What is running, and what a caller needs to know of it."""

    gateway_url: str
    simulator_url: str
    team_key: str
    config: Path
    processes: tuple[subprocess.Popen[str], ...]

    def wait(self) -> None:
        """Until one of the processes ends, or Ctrl-C."""
        while all(process.poll() is None for process in self.processes):
            time.sleep(0.5)
        raise DemoFailed("one of the processes ended")


@contextmanager
def stage(folder: Path, console: Console) -> Iterator[Stage]:
    """Start the simulator and a gateway on free ports, with settings of their own."""
    # Whatever gateway is configured on this machine, the demo has nothing to do with it.
    for name in [name for name in os.environ if name.startswith(("GATEWAY_", "SIMULATOR_"))]:
        del os.environ[name]
    console.rule("[bold]1. A vendor and a gateway, in processes of their own")
    with ExitStack() as stack:
        vendor_key = f"{secrets.token_hex(16)}.{secrets.token_hex(8)}"
        accounts = f'[{{"name": "demo", "tier": "V0", "api_keys": ["{vendor_key}"]}}]'
        options = ["--port", "0", "--duration", "3-6", "--accounts", accounts]
        simulator, simulator_url = stack.enter_context(
            _process(folder / "simulator.log", "simulator", *options)
        )
        team_key = f"sk-{secrets.token_hex(24)}"
        config = folder / "gateway.yaml"
        config.write_text(yaml.safe_dump(_settings(folder, simulator_url, vendor_key, team_key)))
        os.environ["GATEWAY_CONFIG"] = str(config)
        gateway, gateway_url = stack.enter_context(_process(folder / "gateway.log", "serve"))
        console.print(
            f"  vendor   {simulator_url}   simulated; one account of tier V0: {LIMIT} at once"
        )
        console.print(f"  gateway  {gateway_url}   its store is a Valkey of its own")
        console.print("  team     [bold]films[/] has a key for it")
        yield Stage(gateway_url, simulator_url, team_key, config, (simulator, gateway))


def _settings(
    folder: Path, simulator_url: str, vendor_key: str, team_key: str
) -> dict[str, object]:
    account = {
        "name": "demo",
        "provider": "bigmodel",
        "base_url": f"{simulator_url}/api/paas/v4",
        "tier": "V0",
        "api_keys": [vendor_key],
    }
    return {
        "port": 0,
        "data_dir": str(folder / "data"),
        "accounts": [account],
        "teams": [{"name": "films", "tier": "V3", "keys": [team_key]}],
        "first_look_seconds": 1,
        "longest_look_seconds": 2,
    }


@contextmanager
def _process(log: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command of this program, up to the line that tells its address."""
    with log.open("w") as errors:
        process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "gateway", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is ours to hand on, in order
        )
    try:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        for line in process.stdout:
            if found := re.search(r"listening on (http://\S+)", line):
                yield process, found[1]
                return
        raise DemoFailed(f"`gateway {arguments[0]}` did not start")
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
