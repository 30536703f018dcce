"""Whose look is next: a vendor that answers slowly for one account holds up no other's."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

from gateway.domain.ports import DueLook


@dataclass(frozen=True, slots=True)
class TakenLook:
    """A look that this process is to make, and when it was given it."""

    look: DueLook
    taken_at: float = field(default_factory=time.monotonic)

    @property
    def waited_seconds(self) -> float:
        return time.monotonic() - self.taken_at

    @property
    def task_age_seconds(self) -> float:
        """Of the task, now."""
        return self.look.age_seconds + self.waited_seconds


class Turns:
    """Lets some looks at each account's tasks be under way; more of the same account wait.

    Those that wait are no more than there are tasks in flight. One that has waited for
    `patience_seconds` is dropped: soon it is due again, for whoever has time.
    """

    def __init__(self, per_account: int, patience_seconds: float) -> None:
        self._per_account = per_account
        self._patience_seconds = patience_seconds
        self._under_way: Counter[str] = Counter()
        self._waiting: defaultdict[str, deque[TakenLook]] = defaultdict(deque)

    def ask(self, taken: TakenLook) -> bool:
        """Whether its turn is now; else it is kept until it is."""
        account = taken.look.account
        if self._under_way[account] < self._per_account:
            self._under_way[account] += 1
            return True
        self._waiting[account].append(taken)
        return False

    def pass_on(self, account: str) -> TakenLook | None:
        """One look of this account is over: whose turn it is now, if anybody's."""
        waiting = self._waiting[account]
        while waiting:
            taken = waiting.popleft()
            if taken.waited_seconds < self._patience_seconds:
                return taken
        self._under_way[account] -= 1
        if not self._under_way[account]:
            del self._under_way[account], self._waiting[account]
        return None

    def drop_all(self) -> None:
        """Forget those that wait: the process stops."""
        for waiting in self._waiting.values():
            waiting.clear()
