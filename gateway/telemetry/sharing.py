"""Counting together: the processes of one `gateway serve` keep their counts in one folder, so that
whichever is scraped tells of all, those included that died.

It is prometheus-client's multiprocess mode. The library looks for the folder when it is first
imported, so the parent names it before it starts the processes that count.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the library's own name for it


@contextmanager
def counting_together() -> Iterator[None]:
    """For the parent: a folder for the processes that it starts meanwhile."""
    with tempfile.TemporaryDirectory(prefix="gateway-metrics-") as folder:
        os.environ[_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[_FOLDER]


def shared_counts() -> Path | None:
    """For a process that counts: the folder; None where it counts alone."""
    folder = os.environ.get(_FOLDER)
    return Path(folder) if folder else None
