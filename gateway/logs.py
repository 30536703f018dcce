"""How the gateway logs: one line an event, to stderr, keys by their names only."""

from __future__ import annotations

import logging


def configure_logging(level: str) -> None:
    """Set up logging for this process."""
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", force=True
    )
    # The first logs every request's URL, the second says what `serve` says better; the third takes
    # what a caller sends badly for errors of ours.
    quiet = {"httpx": "WARNING", "uvicorn": "WARNING", "python_multipart": "CRITICAL"}
    for name, least in quiet.items():
        logging.getLogger(name).setLevel(least)
