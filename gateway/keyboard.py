"""What commands have in common: the store that they look into, who sits there, how they print."""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import AbstractContextManager

from rich.console import Console
from rich.table import Table

from gateway.bootstrap import store_url
from gateway.settings import Settings, WrongSettings


def existing_store(settings: Settings) -> AbstractContextManager[str]:
    """The store's URL; a look into an empty folder must not make a store there."""
    if settings.redis_url is None and not (settings.data_dir / "store.lock").exists():
        raise WrongSettings(
            f"GATEWAY_DATA_DIR: there is no store in {settings.data_dir.absolute()}; "
            "is this the folder, and are these the settings, that `gateway serve` has?"
        )
    return store_url(settings)


def operator() -> str:
    """Who is at the keyboard, as far as the machine knows."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except OSError:  # a user id without a name, as in a container
        return f"uid {os.getuid()}@{socket.gethostname()}"


def print_whole(console: Console, table: Table) -> None:
    """Print a table as wide as it needs to be: ids are there to be copied, so none is cut short."""
    width = console.measure(table, options=console.options.update(width=1000)).maximum
    console.width = max(console.width, width)
    console.print(table)
