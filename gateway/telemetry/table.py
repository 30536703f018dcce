"""Writes the table of all metrics: `python -m gateway.telemetry.table > deploy/metrics.md`."""

from __future__ import annotations

import sys

from gateway.telemetry.metrics import ALL, Of

_HEAD = """\
# Metrics

Made of `gateway/telemetry/metrics.py` with `make metrics`; a test holds the two together.

What is true of the *pool* is read from the store at a scrape, so every process tells the same: put
several together with `max by (...)`. What a *process* counts is put together with `sum by (...)`,
after `rate()`. Where money is told it is in fen, whole hundredths of a yuan.
"""


def table() -> str:
    """The whole page."""
    rows = ["| metric | labels | kind | of | what it tells |", "| --- | --- | --- | --- | --- |"]
    for metric in ALL:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        who = "pool" if metric.of is Of.POOL else "process"
        rows.append(f"| `{metric.name}` | {labels} | {metric.kind} | {who} | {metric.text} |")
    return "\n".join((_HEAD, *rows)) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
