"""A vendor in memory, and the network before him: he counts for himself what he was made to do.

He shares nothing with the gateway but the claims that he is handed, so he can judge it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.task import Claim

Lane = tuple[str, str]
"""An account and a model: what a vendor limits."""


class Fate(StrEnum):
    """What becomes of a submit when it leaves."""

    ACCEPTED = "accepted"
    ANSWER_LOST = "accepted, and the answer lost"
    DELAYED = "still in the network"
    LOST = "lost on the way"
    REFUSED = "refused for now"
    REFUSED_FOR_GOOD = "refused for good"


class State(StrEnum):
    ON_THE_WAY = "on the way"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NEVER_HAD = "never had"


@dataclass(slots=True)
class Attempt:
    """One submit as the vendor and the network know it."""

    claim: Claim
    model: str
    state: State
    answer_lost: bool = False
    forgiven: bool = False
    """An operator gave its slot away at his own risk."""

    @property
    def id(self) -> str:
        return f"vendor-{self.claim.request_id}"

    @property
    def lane(self) -> Lane:
        return self.claim.account, self.model

    @property
    def at_work(self) -> bool:
        """Whether it runs, or may still come to run."""
        return self.state in (State.ON_THE_WAY, State.RUNNING)

    def __repr__(self) -> str:
        return f"<{self.id}: {self.state}>"


class Vendor:
    """Never limits anybody: that is what the gateway is for."""

    def __init__(self) -> None:
        self.attempts: dict[str, Attempt] = {}

    def submit(self, claim: Claim, model: str, fate: Fate) -> Attempt:
        """Take a message into the network, and perhaps out of it."""
        for earlier in self.of(claim.task_id):
            assert earlier.state is State.NEVER_HAD, f"{claim} was sent although {earlier} was"
        attempt = Attempt(claim, model, State.ON_THE_WAY, answer_lost=fate is Fate.ANSWER_LOST)
        assert attempt.id not in self.attempts, f"{claim} was sent twice"
        self.attempts[attempt.id] = attempt
        if fate in (Fate.ACCEPTED, Fate.ANSWER_LOST):
            self.accept(attempt)
        elif fate is not Fate.DELAYED:
            attempt.state = State.NEVER_HAD
        return attempt

    def accept(self, attempt: Attempt) -> None:
        attempt.state = State.RUNNING
        accepted = [a for a in self.of(attempt.claim.task_id) if a.state is not State.NEVER_HAD]
        assert accepted == [attempt], f"one task was accepted more than once: {accepted}"

    def of(self, task_id: str) -> Iterator[Attempt]:
        return (a for a in self.attempts.values() if a.claim.task_id == task_id)

    def at_work_on(self, task_id: str) -> bool:
        return any(a.at_work and not a.forgiven for a in self.of(task_id))

    def at_work(self) -> list[Attempt]:
        """Every attempt that must have a slot."""
        return [a for a in self.attempts.values() if a.at_work and not a.forgiven]

    def running(self) -> Counter[Lane]:
        """How many he has in hand, by lane."""
        return Counter(a.lane for a in self.at_work() if a.state is State.RUNNING)

    def forgive(self, task_id: str) -> None:
        for attempt in self.of(task_id):
            attempt.forgiven = True
