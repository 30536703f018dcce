"""How the gateway logs: one line an event, to stderr, keys by their names only."""

from __future__ import annotations

import logging
from typing import Any, Literal

from pythonjsonlogger.json import JsonFormatter

# The first logs every request's URL, the second says what `serve` says better; the third takes
# what a caller sends badly for errors of ours.
_QUIET = {"httpx": "WARNING", "uvicorn": "WARNING", "python_multipart": "CRITICAL"}


class _OneObject(JsonFormatter):
    """An event's own fields stand beside the common ones, a traceback in `exception`."""

    def __init__(self) -> None:
        super().__init__(
            ["asctime", "levelname", "name", "process", "message"],
            rename_fields={
                "asctime": "at",
                "levelname": "level",
                "name": "logger",
                "exc_info": "exception",
            },
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        fields: dict[str, Any] = log_data.pop("fields", {})
        return log_data | fields


def configure_logging(level: str, form: Literal["pretty", "json"] = "pretty") -> None:
    """Set up logging for this process."""
    handler = logging.StreamHandler()
    pretty = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(_OneObject() if form == "json" else pretty)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)
