"""The breaker of pool.lua, and whether one more submit may go. Time is left out of it: a pause
lasts, until a step of its own says that it is over."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from tests.modelcheck.config import Config, Counts
from tests.modelcheck.faults import Fault
from tests.modelcheck.scripts import Word


class Pause(IntEnum):
    NONE = 0
    LASTS = 1
    OVER = 2


class Breaker(NamedTuple):
    losses: int = 0
    """In a row; more than the rules ask about make no difference, and are not counted."""
    pause: Pause = Pause.NONE

    @property
    def code(self) -> int:
        return self.losses * 3 + self.pause

    @classmethod
    def of(cls, code: int) -> Breaker:
        return _BY_CODE[code]

    def told(self, word: Word, unknown: int, config: Config) -> Breaker:
        """After a script's word; `unknown` counts what is unknown after that script."""
        if word is Word.HEARD:
            return Breaker()
        if word is Word.NOTHING:
            return self
        losses = min(self.losses + 1, config.breaker_losses)
        opens = losses >= config.breaker_losses or unknown >= config.unknown_cap
        return Breaker(losses, Pause.LASTS if opens else self.pause)

    def paused_enough(self, fault: Fault | None) -> Breaker:
        """Once the pause is over."""
        if self.pause is not Pause.LASTS or fault is Fault.BREAKER_NEVER_TRIES:
            return self
        return self._replace(pause=Pause.OVER)


_BY_CODE = [Breaker(losses, pause) for losses in range(5) for pause in Pause]


def may_claim(counts: Counts, breaker: Breaker, config: Config, fault: Fault | None) -> bool:
    """Whether a slot is free and the lane may take a submit (may_submit in pool.lua)."""
    most = config.limit + (1 if fault is Fault.ONE_SLOT_TOO_MANY else 0)
    if counts.slots >= most:
        return False
    cap, transit, unknown = config.unknown_cap, counts.transit, counts.unknown
    if breaker.pause is not Pause.NONE:
        waits = breaker.pause is Pause.LASTS and fault is not Fault.BREAKER_DOES_NOT_WAIT
        return not waits and (transit == 0 or fault is Fault.TRIAL_LETS_ALL_GO)
    if unknown >= cap:
        return transit == 0
    return unknown < cap if fault is Fault.CAP_FORGETS_TRANSIT else unknown + transit < cap
