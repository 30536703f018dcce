"""The seeded faults, each with the world in which it shows, and the shortest way to see it."""

from __future__ import annotations

from typing import NamedTuple

from tests.modelcheck.config import Config
from tests.modelcheck.explore import Explorer, Result
from tests.modelcheck.faults import Fault

SMALL = Config(processes=2, tasks=2, limit=1)

# Without cancels, a counterexample tells what the fault does to those who cancel nothing.
_DEFAULT = SMALL._replace(cancels=False)
_CANCELLED = SMALL
# A cap that bites although there are few slots.
_CAPPED = _DEFAULT._replace(unknown_cap=1)
_SHARED = Config(processes=2, tasks=3, limit=2, unknown_cap=1, cancels=False)

_WORLDS = {
    Fault.CANCEL_FREES_SENT: _CANCELLED,
    Fault.CANCEL_FORGOTTEN: _CANCELLED,
    Fault.CAP_FORGETS_TRANSIT: _SHARED,
    Fault.TRIAL_LETS_ALL_GO: _SHARED,
    Fault.BREAKER_DOES_NOT_WAIT: _CAPPED,
    Fault.BREAKER_NEVER_TRIES: _CAPPED,
}


class Caught(NamedTuple):
    fault: Fault
    config: Config
    result: Result


def try_out(fault: Fault) -> Caught:
    """Walk through the world with this fault until a promise breaks."""
    config = _WORLDS.get(fault, _DEFAULT)
    return Caught(fault, config, Explorer(config, fault).run())
