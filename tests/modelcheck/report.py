"""What a run prints: a table of worlds, a table of faults, and counterexamples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.modelcheck.config import Config
from tests.modelcheck.explore import Result
from tests.modelcheck.mutants import Caught
from tests.modelcheck.retell import retell

_WORLDS = (
    "| processes, tasks, limit | states | edges | seconds | of CPU | peak MB | result |",
    "|---|--:|--:|--:|--:|--:|---|",
)
_FAULTS = ("| fault | world | states | steps | how it shows |", "|---|---|--:|--:|---|")


def worlds_head() -> Iterable[str]:
    return _WORLDS


def world_line(config: Config, result: Result) -> str:
    """Peak memory is of the whole run so far: what Python was given it keeps."""
    end = result.violation.what if result.violation else "holds; all can always end"
    times = f"{result.seconds:.0f} | {result.cpu_seconds:.0f}"
    peak = f"{result.peak_bytes >> 20:,}"
    return f"| {config} | {result.states:,} | {result.edges:,} | {times} | {peak} | {end} |"


def faults(caught: list[Caught]) -> Iterator[str]:
    """The table, then each of them step by step."""
    yield from _FAULTS
    for each in caught:
        violation = each.result.violation
        end = f"{violation.length} | {violation.what}" if violation else "- | SURVIVES"
        yield f"| {each.fault} | {each.config} | {each.result.states:,} | {end} |"
    for each in caught:
        if each.result.violation:
            yield ""
            yield f"{each.fault}:"
            yield from counterexample(each.result)


def counterexample(result: Result) -> Iterator[str]:
    if result.violation:
        for number, line in enumerate(retell(result.world, result.violation), 1):
            yield f"  {line}" if line.startswith("=>") else f"  {number:>2}. {line}"
