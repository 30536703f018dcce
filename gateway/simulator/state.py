"""What one running simulator consists of, and what a reset leaves of it."""

import random
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from gateway.simulator.accounts import Account, Accounts
from gateway.simulator.faults import Faults
from gateway.simulator.settings import Settings
from gateway.simulator.vendor import Vendor

REFUSALS_KEPT = 100


@dataclass(frozen=True, slots=True)
class RefusedSubmit:
    """Kept to show what a client did wrong."""

    at: float
    account: str | None
    api_key: str | None
    code: str
    message: str
    body: object


class Simulator:
    def __init__(
        self,
        accounts: list[Account],
        settings: Settings,
        seed: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.now = clock
        self._epoch = time.time() - clock()
        self._seed = seed
        self._first = accounts, settings
        self.accounts = Accounts(accounts)
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        """Forgets tasks, statistics and faults; accounts and settings stay.

        Requests that are still under way keep the old `Vendor`, and what they do is lost with it.
        """
        self.dice = random.Random(self._seed)  # noqa: S311 - a game, and one that can be repeated
        self.faults = Faults(self.dice)
        self.vendor = Vendor(self.accounts, self.settings.models, self.settings.keep_tasks)
        self.requests: Counter[str] = Counter()
        self.refusals: deque[RefusedSubmit] = deque(maxlen=REFUSALS_KEPT)

    def reset_everything(self) -> None:
        """As after the start."""
        accounts, self.settings = self._first
        self.accounts = Accounts(accounts)
        self.reset()

    def change_settings(self, settings: Settings) -> None:
        self.settings = settings
        self.vendor.models = settings.models
        self.vendor.keep_tasks = settings.keep_tasks

    def epoch(self, at: float) -> float:
        """Seconds since 1970 for a time of our clock."""
        return self._epoch + at
