"""What can strike at a place, and what is done to a process that was stopped exactly there.

The first five are the failpoints' own. For the others the failpoint only stops the process, which
makes it known where it stands; then something happens round it, and it goes on.
"""

from __future__ import annotations

from enum import StrEnum

from gateway.failpoints import Failure


class Blow(StrEnum):
    KILL = "kill"
    PAUSE = "pause"
    """Until others have taken over what it held."""
    RAISE = "raise"
    RESET = "reset"
    CANCEL = "cancel"
    STORE_KILLED = "store killed"
    """`before` a call: with the call in its hands, unanswered. `after`: between two calls."""
    STORE_STALLS = "store stalls"
    """Until the process has given its call up; then the call is made all the same."""
    STORE_FULL = "store full"
    """No memory left; until everything that had been taken in is over."""
    TOLD_TO_STOP = "told to stop"

    @property
    def failure(self) -> Failure:
        """What the failpoint itself does."""
        return Failure(self) if self in STRIKES else Failure.PAUSE


STRIKES = (Blow.KILL, Blow.PAUSE, Blow.RAISE, Blow.RESET, Blow.CANCEL)
