"""What the pool leaves alone, and how much room it thinks that each lane has, as it must be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gateway.domain.provider_answers import Rest
from gateway.store.tasks import Rules
from tests.store.vendor_model import Lane

OPEN = "open"


@dataclass(slots=True)
class RestState:
    ends: int
    since: int
    times: int
    trial: str
    """Who tries when it is over; OPEN if that takes no trial, - before anybody does."""
    cause: str


@dataclass(slots=True)
class Effective:
    limit: int
    accepted: int
    refused_at: int


class Rests:
    """The rests, the effective limits and the budgets, as pure arithmetic. Times are in ms."""

    def __init__(self, rules: Rules, providers: Mapping[str, str], key_ids: Mapping[str, str]):
        self._rules = rules
        self._providers = providers
        self._key_ids = key_ids
        self.rests: dict[str, RestState] = {}
        self.effective: dict[Lane, Effective] = {}
        self.budgets: dict[str, float] = {}

    def names(self, lane: Lane) -> tuple[str, ...]:
        """All that a task on a lane depends on."""
        account, model = lane
        return (
            f"account:{account}",
            f"account:{account}:{model}",
            self._provider(lane),
            f"key:{account}:{self._key_ids[account]}",
        )

    def blame(self, lane: Lane, cause: Rest, limit: int | None, used: int, now: int) -> None:
        """A task on this lane was refused; `used` is how many others hold slots there. `limit` is
        None where the account is there no more: then only the vendor can be to blame."""
        if limit is None and cause is not Rest.OVERLOAD:
            return
        of_account, of_lane, of_provider, of_key = self.names(lane)
        match cause:
            case Rest.KEY:
                self._leave_alone(of_key, cause, "-", now)
            case Rest.OVERLOAD:
                left = self.budgets.get(of_provider, self._rules.rest_budget)
                self.budgets[of_provider] = max(0.0, left - 1)
                self._leave_alone(of_provider, cause, OPEN if left >= 1 else "-", now)
            case Rest.RATE:
                self._leave_alone(of_lane, cause, "-", now)
            case Rest.CONCURRENCY:
                assert limit is not None
                known = self.effective.pop(lane, None)
                lowered = max(1, min(known.limit if known else limit, used))
                if lowered < limit:
                    self.effective[lane] = Effective(lowered, 0, now)
                self._leave_alone(of_lane, cause, OPEN if used else "-", now)
            case _:
                self._leave_alone(of_account, cause, "-", now)

    def absolve(self, lane: Lane, limit: int | None, used: int, sent_at: int) -> None:
        """A task on this lane was accepted; `used` hold slots there, this one included."""
        provider = self._provider(lane)
        left = round(self.budgets.pop(provider, self._rules.rest_budget) + 0.1, 1)
        if left < self._rules.rest_budget:
            self.budgets[provider] = left
        for name in self.names(lane):
            if name in self.rests and sent_at >= self.rests[name].since:
                del self.rests[name]
        known = self.effective.get(lane)
        if known is not None and limit is not None:
            known.limit, known.accepted = max(known.limit, used), known.accepted + 1
            if known.limit >= limit:
                del self.effective[lane]

    def change(self, account: str) -> None:
        """Somebody changed the account, and should not have to wait."""
        for name in list(self.rests):
            if not name.startswith("provider:") and name.split(":")[1] == account:
                del self.rests[name]
        for lane in [lane for lane in self.effective if lane[0] == account]:
            del self.effective[lane]

    def take_turn(self, lane: Lane, trial: str) -> None:
        for name in self.names(lane):
            if name in self.rests and self.rests[name].trial != OPEN:
                self.rests[name].trial = trial

    def blocked(self, lane: Lane, now: int, on_the_way: Callable[[str], bool]) -> bool:
        rests = [self.rests[name] for name in self.names(lane) if name in self.rests]
        return any(now < rest.ends or on_the_way(rest.trial) for rest in rests)

    def on_trial(self, lane: Lane) -> bool:
        """Whether tasks go to it one at a time."""
        return any(
            name in self.rests and self.rests[name].trial != OPEN for name in self.names(lane)
        )

    def limit(self, lane: Lane, limit: int, used: int, transit: int, now: int) -> int:
        """How many tasks may be in flight on a lane that has so many."""
        known = self.effective.get(lane)
        if known is None or known.limit >= limit:
            return limit
        waited = now - known.refused_at >= self._rules.probe_seconds * 1000
        probes = known.accepted >= self._rules.probe_submits or waited
        return known.limit + (probes and used == known.limit and transit == 0)

    def ends(self) -> Iterator[tuple[str, int]]:
        """What will be over, and when."""
        yield from (("rest", rest.ends) for rest in self.rests.values())
        for known in self.effective.values():
            yield "probe", known.refused_at + round(self._rules.probe_seconds * 1000)

    def stored(self, reason: str) -> dict[str, dict[str, str]]:
        """The three hashes as they must be."""
        return {
            "rests": {
                name: f"{rest.ends} {rest.since} {rest.times} {rest.trial} {rest.cause} {reason}"
                for name, rest in self.rests.items()
            },
            "effective": {
                ":".join(lane): f"{known.limit} {known.accepted} {known.refused_at} {reason}"
                for lane, known in self.effective.items()
            },
            "budgets": {name: f"{left:.1f}" for name, left in self.budgets.items()},
        }

    def _provider(self, lane: Lane) -> str:
        return f"provider:{self._providers[lane[0]]}:{lane[1]}"

    def _leave_alone(self, name: str, cause: Rest, trial: str, now: int) -> None:
        rest, times, since = self.rests.get(name), 0, now
        goes_on = rest is not None and rest.cause == cause
        if rest is not None and goes_on and (now < rest.ends or rest.trial != OPEN):
            since = rest.since
            times = rest.times if now < rest.ends else rest.times + 1
        growth = min(2.0**times, self._rules.rest_growth)
        ends = now + int(self._rules.rest_seconds[cause] * 1000 * growth)
        if rest is None or rest.ends < ends:
            self.rests[name] = RestState(ends, since, times, trial, cause)
