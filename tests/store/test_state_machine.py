"""Any order of steps, by any number of processes, on the real scripts in a real store.

Hypothesis makes the steps up; `Life` knows what each must do to the pool. After every step all
keys of the pool are read at once and compared with that, and with the vendor's own count. What
the scripts may choose, namely whom a free slot goes to, is taken from the store and judged.

Time stands still but for the steps that move it: before each script the clock's `wall` is set
hours or seconds off, which the scripts must take for a jump and not for time that passed.

GATEWAY_TEST_EXAMPLES says how many examples to try. A failure prints its steps, and a line that
makes it happen again.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatch
from typing import Any, ClassVar, NamedTuple, TypeVar

import uvloop
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis.asyncio import Redis

from gateway.domain.account import Account, ApiKey
from gateway.domain.catalog import Catalog, ModelSpec
from gateway.domain.charge import Bound, Budget, Charge, Periods, of_team
from gateway.domain.durations import Variant, form_of
from gateway.domain.learning import A_DURATION, KEPT
from gateway.domain.ports import Admitted, DueLook, NotAdmittedBecause
from gateway.domain.provider_answers import Rest
from gateway.domain.submission import Overflow, QueueBounds, QueuePlace, Submission
from gateway.domain.task import ENDED, HOLDS_SLOT, MOVES, Claim, Status, TaskError
from gateway.domain.team import Team
from gateway.domain.video import Video, VideoRequest
from gateway.store.connection import Store
from gateway.store.keyspace import PERMANENT
from gateway.store.lanes import LaneRules
from gateway.store.records import request_to_json, step_from_text, task_from_record
from gateway.store.slots import SlotStore
from gateway.store.tasks import Rules, TaskStore
from tests.store.rests_model import Rests
from tests.store.vendor_model import Attempt, Fate, Lane, State, Vendor

SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000

# Short enough that steps meet them, and each of another length, so that none passes for another.
RULES = Rules(
    claim_lease_seconds=10,
    sending_lease_seconds=60,
    unknown_hold_seconds=7200,
    look_lease_seconds=30,
    retention_seconds=10**8,  # longer than any history: test_retention.py has what comes after
    idempotency_seconds=86_400,
    queue_timeout_seconds=36_000,
    breaker_losses=2,
    breaker_seconds=40,
    trial_seconds=300,
    poison_claims=1,
    rest_seconds={
        Rest.KEY: 50,
        Rest.ACCOUNT: 90,
        Rest.CONCURRENCY: 5,
        Rest.RATE: 11,
        Rest.OVERLOAD: 20,
        Rest.UNREACHABLE: 7,
    },
    rest_growth=4,
    rest_jitter=0,
    rest_budget=2,
    probe_submits=2,
    probe_seconds=400,
)
BOUNDS = QueueBounds(tasks=6, team_tasks=4, bytes=1100, team_bytes=800)
SEND_WINDOW_MS = 5 * SECOND
UNKNOWN_SHARE = 0.4

PROVIDERS = {"a": "here", "b": "there"}
KEYS = {name: ApiKey(f"{name}.secret") for name in PROVIDERS}
CATALOG = Catalog(
    [
        ModelSpec(name="both", price_fen=50, providers=("here", "there")),
        ModelSpec(name="one", price_fen=50, providers=("here",)),
    ]
)
CLASSES = ("both@here+there", "both@here+there", "both@here", "one@here")
WEIGHTS = {"films": 1.0, "adverts": 2.0}
PRICE_FEN = 100
BUDGETS = {"films": Budget(day_fen=450, total_fen=1200), "adverts": Budget()}
PROCESSES = (0, 1, 2)

VIDEOS = (Video(url="https://vendor.example/1.mp4"),)
REFUSAL = TaskError(code="1301", message="no", caller_at_fault=True)
IMAGE = "data:image/png;base64," + "A" * 80
IN_TRANSIT = (Status.CLAIMED, Status.SENDING)
UNSENT = (Status.QUEUED, Status.CLAIMED)
"""Nothing of it has left, as far as its caller can tell."""
KEEPS_BYTES = (*UNSENT, Status.SENDING)

# Every key of a pool as it is at one moment.
READ_ALL = """
local all = cjson.decode('[]')
for _, name in ipairs(redis.call('KEYS', KEYS[1] .. ':*')) do
  local kind, value = redis.call('TYPE', name).ok, nil
  if kind == 'hash' then value = redis.call('HGETALL', name)
  elseif kind == 'set' then value = redis.call('SMEMBERS', name)
  elseif kind == 'zset' then value = redis.call('ZRANGE', name, 0, -1, 'WITHSCORES')
  elseif kind == 'list' then value = redis.call('LRANGE', name, 0, -1)
  elseif kind == 'stream' then value = redis.call('XRANGE', name, '-', '+')
  else value = redis.call('GET', name) end
  all[#all + 1] = {name:sub(#KEYS[1] + 2), kind, value, redis.call('PTTL', name)}
end
return cjson.encode(all)
"""

# How often everybody may be asked until all has ended; far fewer times are needed.
_MOST_ROUNDS = 200

_pools = itertools.count()
T = TypeVar("T")


class Limits(NamedTuple):
    """What the settings say; b may be missing from them."""

    a: int = 2
    b: int | None = 3
    films: int = 4
    adverts: int = 2

    def lanes(self) -> dict[Lane, int]:
        limits = {("a", "one"): self.a, ("a", "both"): self.a}
        return limits if self.b is None else limits | {("b", "both"): self.b}

    def cap(self, team: str) -> int:
        return {"films": self.films, "adverts": self.adverts}[team]


class Stage(StrEnum):
    """Where a process stands with a claim."""

    HOLDS = "holds the claim"
    MAY_SEND = "was told that it may send"
    SENT_NOTHING = "knows that it has sent nothing"
    WAITS = "waits for the answer"
    ACCEPTED = "knows that the vendor has it"
    REFUSED = "knows that the vendor refused it for now"
    REFUSED_FOR_GOOD = "knows that the vendor refused it for good"
    LOST = "gave the answer up"


@dataclass(slots=True)
class Holder:
    """A process with a claim in its hands. It stays when the claim is no longer good: a zombie."""

    process: int
    claim: Claim
    stage: Stage = Stage.HOLDS
    asked_ms: int = 0
    """When it asked to be allowed to send."""
    attempt: Attempt | None = None

    def __repr__(self) -> str:
        return f"<{self.process}: {self.claim.request_id}, {self.stage}>"


class Reply(StrEnum):
    """What becomes of the answer of a script that ran."""

    HEARD = "heard"
    LOST = "lost"
    ASKED_TWICE = "lost, and asked for again"


@dataclass(slots=True)
class Expected:
    """A task as its record must be."""

    id: str
    team: str
    task_class: str
    submission: Submission
    order: int
    deadline: int
    day: int
    """Of its admission, to whose budget it is charged."""
    status: Status = Status.QUEUED
    number: int = 0
    account: str | None = None
    until: int = 0
    """When its lease, its hold or its time until the next look is over."""
    drops: int = 0
    running_since: int = 0
    running_ms: int = 0
    """The age at which it was last said to run."""
    provider_task_id: str | None = None
    missing: int = 0
    missing_since: int = 0
    looks: int = 0
    cancel_asked: bool = False
    keep_until: int = 0
    """When an ended one may be forgotten."""
    is_trial: bool = False
    """Its claim was let through one at a time, by a breaker or for too many unknown outcomes."""
    sent_at: int = 0

    @property
    def model(self) -> str:
        return self.task_class.partition("@")[0]

    @property
    def lane(self) -> Lane:
        assert self.account is not None
        return self.account, self.model

    @property
    def images(self) -> str:
        images = self.submission.request.images
        return json.dumps(images) if images else ""

    @property
    def size(self) -> int:
        return len(request_to_json(self.submission.request).encode()) + len(self.images)

    def holds(self, claim: Claim) -> bool:
        """Whether this claim is the latest."""
        return self.number == claim.number


@dataclass(slots=True)
class Breaker:
    losses: int = 0
    trial_at: int | None = None

    def fields(self) -> dict[str, str]:
        fields = {"losses": str(self.losses)}
        return fields if self.trial_at is None else fields | {"trial_at": str(self.trial_at)}


class Entry(NamedTuple):
    """An entry of the ledger."""

    task: str
    claim: str
    account: str
    status: str
    outcome: str


class Life(RuleBasedStateMachine):
    """The steps of a task's life, and what must hold after each."""

    run: ClassVar[asyncio.Runner]
    redis: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(self.redis, f"machine-{os.getpid()}-{next(_pools)}")
        self.processes = [TaskStore(self.store, RULES, BOUNDS, cached_tasks=3) for _ in PROCESSES]
        self.now = 1_700_000_000_000
        self.wall_ahead = 2 * HOUR
        self._await(self.redis.hset(self.store.keys.clock, "now", self.now))

        self.vendor = Vendor()
        self.holders: list[Holder] = []
        self.looks: list[tuple[int, DueLook]] = []
        self.claims: list[Claim] = []
        """All that were ever given, to whomever."""

        self.tasks: dict[str, Expected] = {}
        self.admitted: dict[str, Expected] = {}
        """All that ever were, those that are forgotten by now as well."""
        self.day = 1
        self._refused: set[str] = set()
        """Ids of tasks that were not let in."""
        self.orders = 0
        self.remembered: dict[str, tuple[int, str, str]] = {}
        """Idempotency keys: until when, task id, digest of the request."""
        self.breakers: dict[Lane, Breaker] = {}
        key_ids = {name: key.id for name, key in KEYS.items()}
        self.rests = Rests(RULES, PROVIDERS, key_ids)
        self.ledger: list[Entry] = []
        self.durations: dict[str, list[str]] = {}
        """What is kept of how long tasks took, latest first."""
        self.audited = 0

        self.limits = Limits()
        self.in_use: Counter[object] = Counter()
        """By lane and by team, and for each lane what may become unknown without a trial, as
        after the last step: what is over a lowered limit may stay and must not grow."""
        self.told: dict[str, Status] = {}

    # Steps ---------------------------------------------------------------------------------

    @initialize(
        limits=st.builds(Limits, *(st.integers(1, most) for most in (3, 4, 5, 3))),
    )
    def start(self, limits: Limits) -> None:
        self._configure(limits)

    @rule(
        process=st.sampled_from(PROCESSES),
        team=st.sampled_from(sorted(WEIGHTS)),
        task_class=st.sampled_from(CLASSES),
        prompt=st.sampled_from(("sunrise", "日落")),
        image=st.booleans(),
        length=st.sampled_from((None, 5)),
        key=st.sampled_from((None, None, None, "header 1", "header 2")),
        overflow=st.sampled_from((None, None, Overflow.QUEUE, Overflow.REJECT)),
        patience=st.sampled_from((None, None, 20.0)),
        reply=st.sampled_from(Reply),
    )
    def admit(
        self,
        process: int,
        team: str,
        task_class: str,
        prompt: str,
        image: bool,
        length: int | None,
        key: str | None,
        overflow: Overflow | None,
        patience: float | None,
        reply: Reply,
    ) -> None:
        submission = Submission(
            request=VideoRequest(
                model=task_class.partition("@")[0],
                prompt=prompt,
                images=(IMAGE,) if image else (),
                duration_seconds=length,
            ),
            overflow=overflow,
            queue_timeout_seconds=patience,
            idempotency_key=key,
        )
        task_id = f"task-{self.orders + 1:02d}"
        while task_id in self.tasks or task_id in self._refused:
            task_id += "x"
        claims = self._admit(process, task_id, team, task_class, submission)
        self._hand(process, claims, reply)
        if reply is Reply.ASKED_TWICE and task_id in self.tasks:
            self._admit_again(process, self.tasks[task_id])

    @precondition(lambda self: self.tasks)
    @rule()
    def a_day_begins(self) -> None:
        """For budgets alone: it is the process that says which day it is."""
        self.day = min(self.day + 1, 28)

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), process=st.sampled_from(PROCESSES))
    def admit_again(self, data: st.DataObject, process: int) -> None:
        """As late as its caller, or the network, likes."""
        self._admit_again(process, data.draw(st.sampled_from([*self.tasks.values()])))

    @rule(
        process=st.sampled_from(PROCESSES),
        most=st.sampled_from((1, 2, 50)),
        reply=st.sampled_from(Reply),
    )
    def claim_waiting(self, process: int, most: int, reply: Reply) -> None:
        self._repeat(process, reply, lambda: self._claim_waiting(process, most))

    @precondition(lambda self: self._at(Stage.HOLDS, Stage.MAY_SEND))
    @rule(data=st.data(), reply=st.sampled_from(Reply))
    def mark_sending(self, data: st.DataObject, reply: Reply) -> None:
        holder = self._draw(data, Stage.HOLDS, Stage.MAY_SEND)
        for _ in range(2 if reply is Reply.ASKED_TWICE else 1):
            yes = self._mark_sending(holder.process, holder.claim)
        if reply is Reply.LOST:
            return
        if not yes:
            self.holders.remove(holder)
        elif holder.stage is Stage.HOLDS:
            holder.stage, holder.asked_ms = Stage.MAY_SEND, self.now

    @precondition(lambda self: self._at(Stage.HOLDS))
    @rule(data=st.data(), refused_for=st.sampled_from((None, *Rest)))
    def submit_in_one_go(self, data: st.DataObject, refused_for: Rest | None) -> None:
        """As it mostly goes: nothing comes between. So histories get further in their few steps."""
        holder = self._draw(data, Stage.HOLDS)
        process, claim = holder.process, holder.claim
        self.holders.remove(holder)
        if not self._mark_sending(process, claim):
            return
        fate = Fate.REFUSED if refused_for else Fate.ACCEPTED
        attempt = self.vendor.submit(claim, self.tasks[claim.task_id].model, fate)
        if refused_for:
            answered = refused_for is not Rest.UNREACHABLE
            claims = self._give_back(process, claim, refused_for, answered)
        else:
            _, claims = self._record_accepted(process, claim, attempt.id)
        self._hand(process, claims, Reply.HEARD)

    @precondition(lambda self: self._at(Stage.MAY_SEND))
    @rule(data=st.data(), fate=st.sampled_from(Fate))
    def submit(self, data: st.DataObject, fate: Fate) -> None:
        holder = self._draw(data, Stage.MAY_SEND)
        if self.now - holder.asked_ms > SEND_WINDOW_MS:
            holder.stage = Stage.SENT_NOTHING
            return
        task = self.tasks[holder.claim.task_id]
        read = self._await(self.processes[holder.process].with_images(task.id))
        assert read is not None
        assert read.request == task.submission.request
        holder.attempt = self.vendor.submit(holder.claim, task.model, fate)
        holder.stage = {
            Fate.ACCEPTED: Stage.ACCEPTED,
            Fate.DELAYED: Stage.WAITS,
            Fate.REFUSED: Stage.REFUSED,
            Fate.REFUSED_FOR_GOOD: Stage.REFUSED_FOR_GOOD,
        }.get(fate, Stage.LOST)
        self._judge_vendor()

    @precondition(lambda self: any(a.state is State.ON_THE_WAY for a in self.vendor.at_work()))
    @rule(data=st.data(), arrives=st.booleans(), answered=st.booleans())
    def network_moves(self, data: st.DataObject, arrives: bool, answered: bool) -> None:
        """A message that was held up comes through, or is dropped; perhaps somebody hears."""
        on_the_way = [a for a in self.vendor.at_work() if a.state is State.ON_THE_WAY]
        attempt = data.draw(st.sampled_from(on_the_way))
        if arrives:
            self.vendor.accept(attempt)
        else:
            attempt.state = State.NEVER_HAD
        for holder in self._at(Stage.WAITS):
            if holder.attempt is attempt:
                holder.stage = Stage.ACCEPTED if arrives and answered else Stage.LOST
        self._judge_vendor()

    @precondition(lambda self: self._at(Stage.WAITS))
    @rule(data=st.data())
    def give_the_answer_up(self, data: st.DataObject) -> None:
        self._draw(data, Stage.WAITS).stage = Stage.LOST

    @precondition(lambda self: self._at(*(stage for stage in Stage if stage is not Stage.WAITS)))
    @rule(
        data=st.data(),
        rest=st.sampled_from((None, *Rest)),
        hand_on=st.booleans(),
        reply=st.sampled_from(Reply),
    )
    def report(self, data: st.DataObject, rest: Rest | None, hand_on: bool, reply: Reply) -> None:
        """A process tells the store what it knows of its claim; then it is through with it."""
        holder = self._draw(data, *(stage for stage in Stage if stage is not Stage.WAITS))
        process, claim = holder.process, holder.claim
        match holder.stage:
            case Stage.ACCEPTED:
                assert holder.attempt is not None
                vendor_id = holder.attempt.id
                step = lambda: self._record_accepted(process, claim, vendor_id)[1]  # noqa: E731
            case Stage.LOST:
                step = lambda: self._record_lost(process, claim)  # noqa: E731
            case Stage.REFUSED_FOR_GOOD:
                step = lambda: self._settle(process, claim, REFUSAL)[1]  # noqa: E731
            case Stage.REFUSED:
                answered = rest is not Rest.UNREACHABLE
                step = lambda: self._give_back(process, claim, rest, answered)  # noqa: E731
            case _:
                holder.stage = Stage.SENT_NOTHING
                step = lambda: self._give_back(process, claim, None, False, hand_on)  # noqa: E731
        self._repeat(process, reply, step)
        if reply is not Reply.LOST:
            self.holders.remove(holder)

    @precondition(lambda self: any(self._idle_steps()))
    @rule(data=st.data(), process=st.sampled_from(PROCESSES))
    def step_out_of_turn(self, data: st.DataObject, process: int) -> None:
        """Whoever has a claim, old or new, makes a step that must come to nothing now."""
        claim, name = data.draw(st.sampled_from([*self._idle_steps()]))
        variant = Variant(PROVIDERS[claim.account], "both")
        look = DueLook(
            *(claim.task_id, claim.number, claim.account, "key-id", "no-such"),
            *(variant, 1.0, False),
        )
        steps: dict[str, Callable[[], object]] = {
            "mark": lambda: self._mark_sending(process, claim),
            "accepted": lambda: self._record_accepted(process, claim, f"vendor-{claim.request_id}"),
            "accepted as another": lambda: self._record_accepted(process, claim, "no-such"),
            "lost": lambda: self._record_lost(process, claim),
            "give back": lambda: self._give_back(process, claim, Rest.OVERLOAD, True),
            "complete": lambda: self._settle(process, claim, VIDEOS, age_ms=HOUR),
            "fail": lambda: self._settle(process, claim, REFUSAL),
            "look again": lambda: self._look_again(process, look, True),
            "look again, it runs": lambda: self._look_again(process, look, False, running_ms=HOUR),
        }
        before = self._read_all()
        steps[name]()
        assert self._read_all() == before

    @precondition(lambda self: any(a.state is State.RUNNING for a in self.vendor.attempts.values()))
    @rule(data=st.data(), well=st.booleans())
    def vendor_ends(self, data: st.DataObject, well: bool) -> None:
        running = [a for a in self.vendor.attempts.values() if a.state is State.RUNNING]
        attempt = data.draw(st.sampled_from(running))
        attempt.state = State.SUCCEEDED if well else State.FAILED

    @rule(
        process=st.sampled_from(PROCESSES),
        most=st.sampled_from((1, 50)),
        reply=st.sampled_from(Reply),
    )
    def take_due(self, process: int, most: int, reply: Reply) -> None:
        looks = self._take_due(process, most)
        if reply is Reply.ASKED_TWICE:
            looks = self._take_due(process, most)
        if reply is not Reply.LOST:
            self.looks += [(process, look) for look in looks]

    @precondition(lambda self: self.looks)
    @rule(data=st.data(), missing=st.booleans(), lags=st.booleans(), reply=st.sampled_from(Reply))
    def look(self, data: st.DataObject, missing: bool, lags: bool, reply: Reply) -> None:
        """Ask the vendor, who may be behind or say that he knows no such task; tell the store."""
        process, look = seen = data.draw(st.sampled_from(self.looks))
        attempt = self.vendor.attempts[look.provider_task_id]
        age_ms = round(look.age_seconds * 1000)
        if attempt.state is State.RUNNING or lags or missing:
            running_ms = None if missing else age_ms
            self._look_again(process, look, missing, running_ms)
            if reply is Reply.ASKED_TWICE:
                self._look_again(process, look, missing, running_ms)
        else:
            ending = VIDEOS if attempt.state is State.SUCCEEDED else REFUSAL
            self._repeat(
                process, reply, lambda: self._settle(process, attempt.claim, ending, age_ms)[1]
            )
        if reply is not Reply.LOST:
            self.looks.remove(seen)

    @rule(
        process=st.sampled_from(PROCESSES),
        most=st.sampled_from((1, 2, 50)),
        reply=st.sampled_from(Reply),
    )
    def sweep(self, process: int, most: int, reply: Reply) -> None:
        self._repeat(process, reply, lambda: self._sweep(process, most))

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), process=st.sampled_from(PROCESSES), reply=st.sampled_from(Reply))
    def cancel(self, data: st.DataObject, process: int, reply: Reply) -> None:
        task = data.draw(st.sampled_from([*self.tasks.values()]))
        self._repeat(process, reply, lambda: self._cancel(process, task))

    @precondition(lambda self: self._in(Status.UNKNOWN, Status.IN_PROGRESS))
    @rule(data=st.data(), as_seen=st.booleans())
    def release(self, data: st.DataObject, as_seen: bool) -> None:
        """By an operator, whose sight of it may be old; then again."""
        task = data.draw(st.sampled_from(self._in(Status.UNKNOWN, Status.IN_PROGRESS)))
        others = {Status.UNKNOWN: Status.IN_PROGRESS, Status.IN_PROGRESS: Status.UNKNOWN}
        seen = task.status if as_seen else others[task.status]
        self._release(task, seen)
        self._release(task, seen)

    @precondition(lambda self: self.holders or self.looks)
    @rule(process=st.sampled_from(PROCESSES))
    def crash(self, process: int) -> None:
        self.holders = [holder for holder in self.holders if holder.process != process]
        self.looks = [look for look in self.looks if look[0] != process]

    @rule(
        limits=st.builds(
            Limits,
            st.integers(1, 6),
            st.sampled_from((None, 1, 2, 3, 6)),
            st.integers(1, 5),
            st.integers(1, 5),
        )
    )
    def configure(self, limits: Limits) -> None:
        """Another start, with other settings; then one with the same."""
        self._configure(limits)
        self._configure(limits)

    @precondition(lambda self: self._ends())
    @rule(data=st.data(), just_before=st.booleans())
    def time_passes(self, data: st.DataObject, just_before: bool) -> None:
        """Until something runs out. Not the hold of what the vendor is at: that is what it buys."""
        kind = data.draw(st.sampled_from(sorted({kind for kind, _ in self._ends()})))
        until = data.draw(st.sampled_from([at for kind_, at in self._ends() if kind_ == kind]))
        self._advance(until - just_before - self.now)

    @rule(ahead=st.sampled_from((2 * HOUR, -2 * HOUR, MINUTE, -10 * SECOND)))
    def clock_jumps(self, ahead: int) -> None:
        """The server's clock is set: before each script from now on."""
        self.wall_ahead = ahead

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), process=st.sampled_from(PROCESSES))
    def read(self, data: st.DataObject, process: int) -> None:
        """As callers do, who must find what they were told is there."""
        task = data.draw(st.sampled_from([*self.tasks.values()]))
        tasks = self.processes[process]
        read = self._await(tasks.get(task.id))
        assert read is not None
        assert (read.status, read.claim_number) == (task.status, task.number)
        place = self._call(tasks.place(task.id))
        assert (place is not None) == (task.status is Status.QUEUED)
        if place is not None:
            self._judge_place(task, place)
        limits = self._call(tasks.team_limits(task.team, (task.task_class,)))
        assert limits.in_flight == len([t for t in self._in(*HOLDS_SLOT) if t.team == task.team])
        assert limits.cap == self.limits.cap(task.team)
        waiting = [t for t in self._in(Status.QUEUED) if self._compete(t, task)]
        assert limits.classes[0].waiting == sum(t.team == task.team for t in waiting)
        self._agree()

    # What each step must do -----------------------------------------------------------------

    def _admit(
        self, process: int, task_id: str, team: str, task_class: str, submission: Submission
    ) -> tuple[Claim, ...]:
        charge = self._charge(team)
        step = self.processes[process].admit(task_id, team, submission, task_class, charge)
        digest = submission.request_digest()
        name = f"{team}:{_sha256(submission.idempotency_key or '')}"
        if submission.idempotency_key and name in self.remembered:
            _, first, body = self.remembered[name]
            answer = self._call(step)
            assert answer.claims == ()
            if body == digest:
                assert isinstance(answer, Admitted)
                assert (answer.replayed, answer.task.id) == (True, first)
            else:
                assert answer.because is NotAdmittedBecause.OTHER_BODY
            self._agree()
            return ()
        exceeded = [b for b in charge.bounds if self._taken(b) + PRICE_FEN > b.cap_fen]
        if exceeded:
            answer = self._call(step)
            self._refused.add(task_id)
            assert (answer.because, answer.bound) == (
                NotAdmittedBecause.OVER_BUDGET,
                exceeded[0],
            )
            assert answer.taken_fen == self._taken(exceeded[0])
            self._agree()
            return ()

        self.orders += 1
        seconds = submission.queue_timeout_seconds or RULES.queue_timeout_seconds
        deadline = self.now + round(seconds * 1000)
        task = Expected(task_id, team, task_class, submission, self.orders, deadline, self.day)
        self.tasks[task_id] = self.admitted[task_id] = task
        answer = self._call(step)
        if isinstance(answer, Admitted):
            assert (answer.task.id, answer.replayed) == (task_id, False)
            left = [bound.cap_fen - self._taken(bound) for bound in charge.bounds]
            assert answer.budget_left_fen == (min(left) if left else None)
            if submission.idempotency_key:
                until = self.now + round(RULES.idempotency_seconds * 1000)
                self.remembered[name] = (until, task_id, digest)
            self._agree(answer.claims, most=2)
            assert answer.task.status is task.status
        else:
            del self.tasks[task_id], self.admitted[task_id]
            self._refused.add(task_id)
            self._agree(answer.claims, most=2)
            assert len(answer.claims) == 2 or not self._could_start(task)
        if answer.place is not None:
            self._judge_place(task, answer.place)
        if isinstance(answer, Admitted) and task.status is not Status.QUEUED:
            return answer.claims
        assert answer.place is not None
        place = answer.place
        # One that finds a slot free may wait for the answer to what is on the way to its account.
        finds_room = (
            place.position <= place.free_slots and place.position_in_team <= place.team_free
        )
        if submission.overflow is Overflow.REJECT and not finds_room:
            expected: NotAdmittedBecause | None = NotAdmittedBecause.NO_SLOT
        else:
            expected = NotAdmittedBecause.FULL if self._overfull(task) else None
        assert getattr(answer, "because", None) is expected
        return answer.claims

    def _admit_again(self, process: int, task: Expected) -> None:
        submission, charge = task.submission, self._charge(task.team)
        answer = self._call(
            self.processes[process].admit(task.id, task.team, submission, task.task_class, charge)
        )
        assert isinstance(answer, Admitted)
        assert (answer.task.id, answer.task.status, answer.claims) == (task.id, task.status, ())
        self._agree()

    def _charge(self, team: str) -> Charge:
        """Of one of the teams the budget is bounded, by day and in all."""
        periods = Periods(f"2026-03-{self.day:02d}", 1, "2026-03", 2)
        bounds = periods.bounds(of_team(team), BUDGETS[team])
        return Charge(
            price_fen=PRICE_FEN, key_id=f"key-of-{team}", periods=periods, bounds=tuple(bounds)
        )

    def _taken(self, bound: Bound) -> int:
        spend = self._spend().get(bound.period, {})
        return sum(spend.get(f"{bound.holder}:{what}", 0) for what in ("reserved", "spent"))

    def _spend(self) -> dict[str, dict[str, int]]:
        """By period, what must be reserved and spent, by the tasks and the ledger."""
        spend: dict[str, dict[str, int]] = {}
        charged = {entry.task for entry in self.ledger if entry.outcome == "charged"}
        for task in self.admitted.values():
            for period in (f"2026-03-{task.day:02d}", "2026-03", "all"):
                sums = spend.setdefault(period, {})
                for holder in (f"team:{task.team}", f"key:key-of-{task.team}"):
                    reserved = sums.get(f"{holder}:reserved", 0)
                    sums[f"{holder}:reserved"] = reserved + PRICE_FEN * (task.status not in ENDED)
                    if task.id in charged:
                        sums[f"{holder}:spent"] = sums.get(f"{holder}:spent", 0) + PRICE_FEN
        return spend

    def _claim_waiting(self, process: int, most: int) -> tuple[Claim, ...]:
        claims = self._call(self.processes[process].claim_waiting(most))
        self._agree(claims, most=most)
        return claims

    def _mark_sending(self, process: int, claim: Claim) -> bool:
        task = self.tasks[claim.task_id]
        good = task.holds(claim) and task.status in IN_TRANSIT
        if good and task.status is Status.CLAIMED:
            task.status, task.drops = Status.SENDING, 0
            task.until = self.now + round(RULES.sending_lease_seconds * 1000)
            task.sent_at = self.now
        yes = self._call(self.processes[process].mark_sending(claim, claim.api_key_id))
        assert yes == good
        self._agree()
        return yes

    def _record_accepted(
        self, process: int, claim: Claim, vendor_id: str
    ) -> tuple[bool, tuple[Claim, ...]]:
        task = self.tasks[claim.task_id]
        good, most = task.holds(claim), 0
        if good and task.status in (Status.SENDING, Status.UNKNOWN):
            task.status, task.running_since, most = Status.IN_PROGRESS, self.now, 2
            task.provider_task_id, task.until = vendor_id, self.now + 15 * SECOND
            self.breakers.pop(task.lane, None)
            limit, used = self.limits.lanes().get(task.lane), self._count(task.lane, *HOLDS_SLOT)
            self.rests.absolve(task.lane, limit, used, task.sent_at)
        else:
            good &= task.provider_task_id == vendor_id  # a look may even have ended it meanwhile
        step = self.processes[process].record_accepted(claim, vendor_id, None, 15)
        recorded, claims = self._call(step)
        assert recorded == good
        self._agree(claims, most=most)
        return recorded, claims

    def _record_lost(self, process: int, claim: Claim) -> tuple[Claim, ...]:
        task = self.tasks[claim.task_id]
        good = task.holds(claim) and task.status in (Status.SENDING, Status.UNKNOWN)
        if good and task.status is Status.SENDING:
            self._lose(task)
        assert self._call(self.processes[process].record_lost(claim, "cut")) == good
        self._agree()
        return ()

    def _give_back(
        self, process: int, claim: Claim, rest: Rest | None, answered: bool, hand_on: bool = True
    ) -> tuple[Claim, ...]:
        task = self.tasks[claim.task_id]
        good = task.holds(claim) and task.status in IN_TRANSIT
        if good:
            if rest is not None:
                limit, used = (
                    self.limits.lanes().get(task.lane),
                    self._count(task.lane, *HOLDS_SLOT),
                )
                self.rests.blame(task.lane, rest, limit, used - 1, self.now)
            if answered:
                self.breakers.pop(task.lane, None)
            if task.cancel_asked:
                self._end(task, Status.CANCELLED, "free")
            else:
                self._requeue(task)
        claims = self._call(
            self.processes[process].give_back(
                claim, rest, "no room", answered=answered, hand_on=hand_on
            )
        )
        self._agree(claims, most=2 if good and hand_on else 0)
        return claims

    def _settle(
        self,
        process: int,
        claim: Claim,
        ending: tuple[Video, ...] | TaskError,
        age_ms: int | None = None,
    ) -> tuple[bool, tuple[Claim, ...]]:
        task = self.tasks[claim.task_id]
        well = not isinstance(ending, TaskError)
        may_end = {Status.IN_PROGRESS} if well else MOVES_TO_FAILED
        good = task.holds(claim) and task.status in may_end
        if good:
            if task.status is Status.SENDING:
                self.breakers.pop(task.lane, None)
            if task.status is Status.IN_PROGRESS and age_ms is not None:
                self._learn(task, age_ms)
            status = Status.COMPLETED if well else Status.FAILED
            self._end(task, status, "charged" if well else "free")
        age = None if age_ms is None else age_ms / 1000
        step = self.processes[process].settle(task.id, claim.number, ending, None, age)
        ended, claims = self._call(step)
        assert ended == good
        self._agree(claims, most=2 if good else 0)
        return ended, claims

    def _learn(self, task: Expected, age_ms: int) -> None:
        """Once for all of the model's tasks there, and once for those of its form."""
        if age_ms > task.running_ms:
            assert task.account is not None
            of_model = f"durations:{PROVIDERS[task.account]}:{task.model}"
            for name in (of_model, f"{of_model}:{form_of(task.submission.request)}"):
                kept = self.durations.get(name, [])
                _, by_ms, at = map(int, kept[0].split()) if kept else (0, 0, 0)
                if self.now - at >= len(kept) / KEPT * by_ms / A_DURATION:
                    kept = [f"{task.running_ms} {age_ms} {self.now}", *kept]
                    self.durations[name] = kept[:KEPT]

    def _take_due(self, process: int, most: int) -> tuple[DueLook, ...]:
        due = sorted((t.until, t.id) for t in self._in(Status.IN_PROGRESS) if t.until <= self.now)
        taken = [self.tasks[task_id] for _, task_id in due[:most]]
        for task in taken:
            task.until = self.now + round(RULES.look_lease_seconds * 1000)
            task.looks += 1
        looks, next_due = self._call(self.processes[process].take_due(most))
        assert [(look.task_id, look.claim_number) for look in looks] == [
            (task.id, task.number) for task in taken
        ]
        for task, look in zip(taken, looks, strict=True):
            assert task.account is not None
            variant = Variant(PROVIDERS[task.account], task.model, form_of(task.submission.request))
            assert (look.account, look.variant) == (task.account, variant)
            assert look.work_waits == self._work_waits(variant)
            assert (look.provider_task_id, look.api_key_id) == (
                task.provider_task_id,
                KEYS[task.account].id,
            )
            assert look.age_seconds == (self.now - task.running_since) / 1000
        untils = [t.until for t in self._in(Status.IN_PROGRESS)]
        assert next_due == (max(0, min(untils) - self.now) / 1000 if untils else None)
        self._agree()
        return looks

    def _look_again(
        self, process: int, look: DueLook, missing: bool, running_ms: int | None = None
    ) -> None:
        task = self.tasks[look.task_id]
        good = task.number == look.claim_number and task.status is Status.IN_PROGRESS
        if good:
            task.until = self.now + 8 * SECOND
            task.missing_since = task.missing_since if task.missing else self.now
            task.missing = task.missing + 1 if missing else 0
            task.running_ms = max(task.running_ms, running_ms or 0)
        running = None if running_ms is None else running_ms / 1000
        so_far = self._call(self.processes[process].look_again(look, 8, missing, running))
        expected = (task.missing, self.now - task.missing_since) if good and missing else (0, 0)
        assert (so_far.times, so_far.seconds * 1000) == expected
        self._agree()

    def _sweep(self, process: int, most: int) -> tuple[Claim, ...]:
        requeued, unknown, given_up, poisoned, timed_out = swept = [], [], [], [], []  # type: ignore[var-annotated]
        leased = (*IN_TRANSIT, Status.UNKNOWN)
        over = sorted((t.until, t.id) for t in self._in(*leased) if t.until <= self.now)
        for _, task_id in over[:most]:
            task = self.tasks[task_id]
            if task.status is Status.SENDING:
                self._lose(task)
                unknown.append(task_id)
            elif task.status is Status.UNKNOWN:
                self._end(task, Status.FAILED, "unknown")
                given_up.append(task_id)
            elif task.drops == RULES.poison_claims:
                task.drops += 1
                self._end(task, Status.FAILED, "free")
                poisoned.append(task_id)
            else:
                task.drops += 1
                self._requeue(task)
                requeued.append(task_id)
        late = sorted((t.deadline, t.id) for t in self._in(Status.QUEUED) if t.deadline <= self.now)
        for _, task_id in late[:most]:
            self._end(self.tasks[task_id], Status.FAILED, "free")
            timed_out.append(task_id)
        past = sorted((until, name) for name, (until, *_) in self.remembered.items())
        for until, name in past[:most]:
            if until <= self.now:
                del self.remembered[name]

        told = self._call(self.processes[process].sweep(most))
        assert [told.requeued, told.unknown, told.given_up, told.poisoned, told.timed_out] == [
            tuple(ids) for ids in swept
        ]
        self._agree(told.claims, most=len(requeued) + len(given_up) + len(poisoned))
        return told.claims

    def _cancel(self, process: int, task: Expected) -> tuple[Claim, ...]:
        most = 2 if task.status is Status.CLAIMED else 0
        if task.status in UNSENT:
            task.cancel_asked = True
            self._end(task, Status.CANCELLED, "free")
        elif task.status not in ENDED:
            task.cancel_asked = True
        read, claims = self._call(self.processes[process].cancel(task.id))
        assert read is not None
        assert read.status is task.status
        self._agree(claims, most=most)
        return claims

    def _release(self, task: Expected, seen: Status) -> None:
        good = task.status is seen
        if good:
            self.vendor.forgive(task.id)
            self._end(task, Status.FAILED, "unknown")
            self.audited += 1
        read = self._await(self.processes[0].get(task.id))
        assert read is not None
        step = self.processes[0].release(replace(read, status=seen), "operator", "had to")
        assert self._call(step) == good
        self._agree()

    def _configure(self, limits: Limits) -> None:
        for account in ("a", "b"):
            if getattr(limits, account) != getattr(self.limits, account):
                self.rests.change(account)
                for lane in [lane for lane in self.breakers if lane[0] == account]:
                    if lane in self.limits.lanes():
                        del self.breakers[lane]
        self.limits = limits
        of_accounts = {"a": limits.a, "b": limits.b}
        accounts = {
            name: Account(
                name=name,
                provider=PROVIDERS[name],
                base_url="http://vendor.example",
                limit=limit,
                api_keys=(KEYS[name],),
            )
            for name, limit in of_accounts.items()
            if limit is not None
        }
        teams = [Team(name=n, cap=limits.cap(n), weight=w) for n, w in WEIGHTS.items()]
        self.slots = SlotStore(
            self.store, accounts, LaneRules(catalog=CATALOG, unknown_share=UNKNOWN_SHARE)
        )
        self._teams = teams
        self._await(self.slots.configure(teams))
        self._agree()

    # The moves that several steps share ------------------------------------------------------

    def _requeue(self, task: Expected) -> None:
        task.status, task.account, task.is_trial = Status.QUEUED, None, False

    def _lose(self, task: Expected) -> None:
        task.status = Status.UNKNOWN
        task.until = self.now + round(RULES.unknown_hold_seconds * 1000)
        breaker = self.breakers.setdefault(task.lane, Breaker())
        breaker.losses += 1
        unknown, cap = self._count(task.lane, Status.UNKNOWN), self._unknown_cap(task.lane)
        if breaker.losses >= RULES.breaker_losses or unknown >= cap:
            pause = RULES.trial_seconds if unknown > cap else RULES.breaker_seconds
            breaker.trial_at = self.now + round(pause * 1000)

    def _end(self, task: Expected, status: Status, outcome: str) -> None:
        task.status = status
        task.keep_until = self.now + round(RULES.retention_seconds * 1000)
        entry = Entry(task.id, str(task.number), task.account or "", status, outcome)
        self.ledger.append(entry)

    def _claimed(self, task: Expected, account: str, api_key_id: str) -> Claim:
        task.status, task.account, task.number = Status.CLAIMED, account, task.number + 1
        task.until = self.now + round(RULES.claim_lease_seconds * 1000)
        claim = Claim(task.id, task.number, account, api_key_id)
        self.claims.append(claim)
        note(f"  {claim.request_id} is claimed on {account}")
        return claim

    # The judge -------------------------------------------------------------------------------

    def _agree(self, claims: Iterable[Claim] = (), most: int = 0) -> None:
        """Compare the pool with what it must be. Of the tasks that could be claimed, at most
        `most` may have been, and exactly those that the step said."""
        pool = self._read_all()
        new = self._take_in_claims(pool)
        assert {(c.task_id, c.number, c.account) for c in claims} == {
            (c.task_id, c.number, c.account) for c in new
        }
        assert len(new) <= most
        self._judge_choice(new, work_left=len(new) < most)

        temporary = {
            name: value
            for name, value in pool.items()
            if not _matches(name, *PERMANENT, "task:*", "steps:*")
        }
        assert temporary == self._temporary_keys()
        self._judge_records(pool)
        self._judge_ledger(pool)
        learned = {name: pool[name] for name in pool if name.startswith("durations:")}
        assert learned == self.durations
        assert pool["clock"]["now"] == str(self.now)
        held = {team: int(held) for team, held in pool.get("bytes", {}).items() if held != "0"}
        assert Counter(held) == self._bytes()
        for name, must in self.rests.stored("no room").items():
            assert pool.get(name, {}) == must, name
        self._judge_limits()
        self._judge_vendor()
        assert self._await(self.slots.verify(self._teams)) == []

    def _take_in_claims(self, pool: dict[str, Any]) -> list[Claim]:
        """Whom the free slots went to, by the records."""
        new = []
        for task in self._in(Status.QUEUED):
            record = pool[f"task:{task.id}"]
            if (record["status"], int(record["claim"])) == (Status.CLAIMED, task.number + 1):
                new.append(self._claimed(task, record["account"], record["api_key_id"]))
        return new

    def _judge_choice(self, new: list[Claim], work_left: bool) -> None:
        """Only what may be claimed was, in order; and nothing that could have been was left."""
        for lane in {self.tasks[claim.task_id].lane for claim in new}:
            breaker = self.breakers.get(lane, Breaker())
            transit = self._count(lane, *IN_TRANSIT)
            unknown, cap = self._count(lane, Status.UNKNOWN), self._unknown_cap(lane)
            self._judge_room(lane, new)
            if breaker.trial_at is not None:
                assert (transit, breaker.trial_at <= self.now) == (1, True), "the breaker is open"
            elif unknown >= cap:
                assert transit == 1, "unknown outcomes hold as many slots as they may"
            else:
                assert unknown + transit <= cap
            for claim in new:
                task = self.tasks[claim.task_id]
                if task.lane == lane:
                    task.is_trial = breaker.trial_at is not None or unknown >= cap
        for claim in new:
            task = self.tasks[claim.task_id]
            assert claim.api_key_id == KEYS[claim.account].id
            self.rests.take_turn(task.lane, f"{claim.task_id}/{claim.number}")
            older = [t for t in self._queue(task.task_class, task.team) if t.order < task.order]
            assert older == [], "it was not its turn within its team"
        if work_left:
            could = [task.id for task in self._in(Status.QUEUED) if self._could_start(task)]
            assert could == [], "a slot is free for it"

    def _judge_room(self, lane: Lane, new: list[Claim]) -> None:
        """What the lane was left alone for, and the room it was thought to have."""
        own = [claim for claim in new if self.tasks[claim.task_id].lane == lane]
        ids = {f"{claim.task_id}/{claim.number}" for claim in new}
        blocked = self.rests.blocked(
            lane, self.now, lambda trial: trial not in ids and self._on_the_way(trial)
        )
        assert not blocked, f"{lane} is to be left alone"
        assert len(own) == 1 or not self.rests.on_trial(lane), f"{lane} is on trial"
        used = self._count(lane, *HOLDS_SLOT) - len(own)
        transit = self._count(lane, *IN_TRANSIT) - len(own)
        for more in range(len(own)):
            limit = self.limits.lanes()[lane]
            assert used + more < self.rests.limit(
                lane, limit, used + more, transit + more, self.now
            )

    def _on_the_way(self, trial: str) -> bool:
        task_id, _, number = trial.partition("/")
        task = self.tasks.get(task_id)
        return task is not None and str(task.number) == number and task.status in IN_TRANSIT

    def _judge_records(self, pool: dict[str, Any]) -> None:
        """Every task is there, as it must be; an ended one never changes."""
        records = {
            name.removeprefix("task:"): record
            for name, record in pool.items()
            if name.startswith("task:")
        }
        assert sorted(records) == sorted(self.tasks)
        for task_id, record in records.items():
            task = self.tasks[task_id]
            assert (record["status"], record["claim"]) == (task.status, str(task.number))
            assert record.get("account") == task.account
            assert ("cancel_asked_ms" in record) == task.cancel_asked
            assert record.get("drops", "0") == str(task.drops)
            assert ("bytes" in record) == (task.status in KEEPS_BYTES)
            told, before = (
                task_from_record(task_id, record).as_told().status,
                self.told.get(task_id),
            )
            if before in ENDED:
                assert told is before, f"{task_id} was told to be {before}"
            if before in (Status.UNKNOWN, Status.IN_PROGRESS):
                assert told not in KEEPS_BYTES, f"{task_id} was told to be {before}"
            self.told[task_id] = told
        self._judge_steps(pool)

    def _judge_steps(self, pool: dict[str, Any]) -> None:
        """A task's history has every move that it made, and no other, up to where it stands."""
        steps = {name: texts for name, texts in pool.items() if name.startswith("steps:")}
        assert sorted(steps) == sorted(f"steps:{task_id}" for task_id in self.tasks)
        for task_id, task in self.tasks.items():
            names = [step_from_text(text).name for text in steps[f"steps:{task_id}"]]
            assert names.count("cancel_asked") <= 1
            path = [Status(name) for name in names if name != "cancel_asked"]
            assert path[-1] is task.status
            for before, after in itertools.pairwise(path):
                assert after in MOVES[before], f"{task_id} went from {before} to {after}"

    def _judge_ledger(self, pool: dict[str, Any]) -> None:
        """One entry for each ended task, and none says anything about the vendor that is untrue."""
        days = sorted(name for name in pool if name.startswith("ledger:"))
        read = [entry for day in days for entry in pool[day]]
        entries = [Entry(*(e[field] for field in Entry._fields)) for e in read]
        assert entries == self.ledger
        assert Counter(e.task for e in entries) == Counter(t.id for t in self._in(*ENDED))
        for entry in entries:
            states = {a.state for a in self.vendor.of(entry.task)}
            if entry.outcome == "charged":
                assert State.SUCCEEDED in states
            elif entry.outcome == "free":
                assert states <= {State.FAILED, State.NEVER_HAD}
        assert len(pool.get("audit", [])) == self.audited
        self._judge_money(pool)

    def _judge_money(self, pool: dict[str, Any]) -> None:
        """What is reserved and spent follows from the tasks, and is within the budgets."""
        must = self._spend()
        for period, sums in must.items():
            stored = pool.get(f"spend:{period}", {})
            told = {name: int(fen) for name, fen in stored.items() if "alerted" not in name}
            assert {k: v for k, v in told.items() if v} == {k: v for k, v in sums.items() if v}
            for team, budget in BUDGETS.items():
                cap = budget.total_fen if period == "all" else budget.day_fen
                taken = sum(told.get(f"team:{team}:{what}", 0) for what in ("reserved", "spent"))
                assert cap is None or period == "2026-03" or taken <= cap

    def _judge_limits(self) -> None:
        """No limit is exceeded; one that was lowered may be for as long as nothing is added."""
        in_use: Counter[object] = Counter()
        limits: dict[object, int] = {}
        for task in self._in(*HOLDS_SLOT):
            in_use[task.lane] += 1
            in_use[task.team] += 1
            if task.status is not Status.IN_PROGRESS and not task.is_trial:
                in_use["may be unknown", task.lane] += 1
            limits[task.lane] = self.limits.lanes().get(task.lane, 0)
            limits[task.team] = self.limits.cap(task.team)
            limits["may be unknown", task.lane] = self._unknown_cap(task.lane)
        for what, count in in_use.items():
            assert count <= max(limits[what], self.in_use[what]), f"{what} is over its limit"
        self.in_use = in_use

    def _judge_vendor(self) -> None:
        """What he is at, or may come to be at, has its slot; so he is within the limits too."""
        for attempt in self.vendor.at_work():
            task = self.tasks[attempt.claim.task_id]
            assert task.status in HOLDS_SLOT, f"{attempt} has no slot"
            assert (task.lane, task.number) == (attempt.lane, attempt.claim.number)
        for lane, running in self.vendor.running().items():
            assert running <= max(self.limits.lanes().get(lane, 0), self.in_use[lane])

    def _judge_place(self, task: Expected, place: QueuePlace) -> None:
        waiting = [t for t in self._in(Status.QUEUED) if self._compete(t, task)]
        before = [t for t in waiting if t.team == task.team and t.order < task.order]
        assert place.position_in_team == len(before) + 1
        assert place.team_cap == self.limits.cap(task.team)
        lanes = [lane for lane in self._lanes(task.task_class) if not self._resting(lane)]
        assert place.slots == sum(self._limit_now(lane) for lane in lanes)
        assert len(before) < place.position <= len({t.id for t in waiting} | {task.id})

    # What the pool must hold -----------------------------------------------------------------

    def _temporary_keys(self) -> dict[str, Any]:
        keys: dict[str, Any] = {}
        for task in self.tasks.values():
            if task.status in HOLDS_SLOT:
                lane = ":".join(task.lane)
                keys.setdefault(f"slots:{lane}", set()).add(task.id)
                keys.setdefault(f"places:{task.team}", set()).add(task.id)
                timed = "due" if task.status is Status.IN_PROGRESS else "leases"
                keys.setdefault(timed, {})[task.id] = task.until
                if part := {Status.UNKNOWN: "unknown", Status.IN_PROGRESS: None}.get(
                    task.status, "transit"
                ):
                    keys.setdefault(f"{part}:{lane}", set()).add(task.id)
            if task.status is Status.QUEUED:
                keys.setdefault(f"queue:{task.task_class}:{task.team}", {})[task.id] = task.order
                keys.setdefault(f"waiting:{task.task_class}", set()).add(task.team)
                keys.setdefault("classes", set()).add(task.task_class)
                keys.setdefault("deadlines", {})[task.id] = task.deadline
            if task.images and task.status in KEEPS_BYTES:
                keys[f"images:{task.id}"] = task.images
            keys.setdefault(f"tasks:{task.team}", {})[task.id] = task.order
            if task.status in ENDED:
                keys.setdefault("ended", {})[f"{task.team} {task.id}"] = task.keep_until
        for name, (until, task_id, body) in self.remembered.items():
            keys.setdefault("remembered", {})[name] = until
            keys[f"idempotency:{name}"] = f"{task_id} {body}"
        for lane_, breaker in self.breakers.items():
            keys[":".join(("breaker", *lane_))] = breaker.fields()
        return keys

    def _bytes(self) -> Counter[str]:
        held: Counter[str] = Counter()
        for task in self._in(*KEEPS_BYTES):
            held[task.team] += task.size
        return held

    def _overfull(self, task: Expected) -> bool:
        """Whether the queue is, with this task in it."""
        waiting = [t for t in self._in(Status.QUEUED) if t is not task]
        of_team = [t for t in waiting if t.team == task.team]
        held = self._bytes()
        if task.id not in self.tasks:
            held[task.team] += task.size
        return (
            len(waiting) + 1 > BOUNDS.tasks
            or len(of_team) + 1 > BOUNDS.team_tasks
            or held.total() > BOUNDS.bytes
            or held[task.team] > BOUNDS.team_bytes
        )

    def _in(self, *statuses: Status) -> list[Expected]:
        return [task for task in self.tasks.values() if task.status in statuses]

    def _queue(self, task_class: str, team: str) -> list[Expected]:
        waiting = self._in(Status.QUEUED)
        return [t for t in waiting if (t.task_class, t.team) == (task_class, team)]

    def _count(self, lane: Lane, *statuses: Status) -> int:
        return sum(task.lane == lane for task in self._in(*statuses))

    def _compete(self, one: Expected, other: Expected) -> bool:
        """Whether there is a slot that both could take."""
        (model, _, its), (other_model, _, others) = (
            t.task_class.partition("@") for t in (one, other)
        )
        return model == other_model and bool({*its.split("+")} & {*others.split("+")})

    def _lanes(self, task_class: str) -> Iterator[Lane]:
        model, _, providers = task_class.partition("@")
        for lane in self.limits.lanes():
            if lane[1] == model and PROVIDERS[lane[0]] in providers.split("+"):
                yield lane

    def _unknown_cap(self, lane: Lane) -> int:
        limit = self.limits.lanes().get(lane)
        return 1 if limit is None else max(2, math.ceil(UNKNOWN_SHARE * limit))

    def _resting(self, lane: Lane) -> bool:
        return self.rests.blocked(lane, self.now, self._on_the_way)

    def _limit_now(self, lane: Lane) -> int:
        used, transit = self._count(lane, *HOLDS_SLOT), self._count(lane, *IN_TRANSIT)
        return self.rests.limit(lane, self.limits.lanes()[lane], used, transit, self.now)

    def _work_waits(self, variant: Variant) -> bool:
        """Whether something waits that a slot of this model, at this provider, would do for."""
        providers = (
            t.task_class.rpartition("@")[2].split("+")
            for t in self._in(Status.QUEUED)
            if t.model == variant.model
        )
        return any(variant.provider in able for able in providers)

    def _could_start(self, task: Expected) -> bool:
        in_places = sum(t.team == task.team for t in self._in(*HOLDS_SLOT))
        return in_places < self.limits.cap(task.team) and any(
            self._has_room(lane) for lane in self._lanes(task.task_class)
        )

    def _has_room(self, lane: Lane) -> bool:
        if self._resting(lane) or self._count(lane, *HOLDS_SLOT) >= self._limit_now(lane):
            return False
        transit = self._count(lane, *IN_TRANSIT)
        unknown, cap = self._count(lane, Status.UNKNOWN), self._unknown_cap(lane)
        breaker = self.breakers.get(lane, Breaker())
        if breaker.trial_at is not None:
            return transit == 0 and breaker.trial_at <= self.now
        return transit == 0 if unknown >= cap else unknown + transit < cap

    def _ends(self) -> list[tuple[str, int]]:
        """What will run out, and when; up to the first hold that must not."""
        ends = [(str(task.status), task.until) for task in self._in(*HOLDS_SLOT)]
        ends += [("deadline", task.deadline) for task in self._in(Status.QUEUED)]
        ends += [("idempotency", until) for until, *_ in self.remembered.values()]
        ends += self.rests.ends()
        ends += [("trial", b.trial_at) for b in self.breakers.values() if b.trial_at]
        ends += [("send window", h.asked_ms + SEND_WINDOW_MS + 1) for h in self._at(Stage.MAY_SEND)]
        bound = min(
            (t.until for t in self._in(Status.UNKNOWN) if self.vendor.at_work_on(t.id)),
            default=math.inf,
        )
        return [(kind, at) for kind, at in ends if self.now < at < bound]

    def _idle_steps(self) -> Iterator[tuple[Claim, str]]:
        """Claims, and the steps that must do nothing with them now."""
        works = {
            "mark": {Status.CLAIMED},
            "accepted": {Status.SENDING, Status.UNKNOWN},
            "accepted as another": {Status.SENDING, Status.UNKNOWN},
            "lost": {Status.SENDING},
            "give back": set(IN_TRANSIT),
            "complete": {Status.IN_PROGRESS},
            "fail": MOVES_TO_FAILED,
            "look again": {Status.IN_PROGRESS},
            "look again, it runs": {Status.IN_PROGRESS},
        }
        for claim in self.claims:
            task = self.tasks[claim.task_id]
            for name, statuses in works.items():
                if not task.holds(claim) or task.status not in statuses:
                    yield claim, name

    # Processes -------------------------------------------------------------------------------

    def _at(self, *stages: Stage) -> list[Holder]:
        return [holder for holder in self.holders if holder.stage in stages]

    def _draw(self, data: st.DataObject, *stages: Stage) -> Holder:
        return data.draw(st.sampled_from(self._at(*stages)))

    def _hand(self, process: int, claims: Iterable[Claim], reply: Reply) -> None:
        if reply is Reply.HEARD:
            self.holders += [Holder(process, claim) for claim in claims]

    def _repeat(self, process: int, reply: Reply, step: Callable[[], tuple[Claim, ...]]) -> None:
        """Make a step, or make it again because the first answer was lost with all its claims."""
        claims = step()
        if reply is Reply.ASKED_TWICE:
            claims, reply = step(), Reply.HEARD
        self._hand(process, claims, reply)

    # The store -------------------------------------------------------------------------------

    def _await(self, command: Coroutine[Any, Any, T]) -> T:
        return self.run.run(command)

    def _call(self, step: Coroutine[Any, Any, T]) -> T:
        """Run a script, before which the server's clock was set."""

        async def with_a_jump() -> T:
            wall = time.time_ns() // 1_000_000 + self.wall_ahead
            await self.redis.hset(self.store.keys.clock, "wall", wall)
            return await step

        return self._await(with_a_jump())

    def _advance(self, ms: int) -> None:
        self.now += ms
        self._await(self.redis.hincrby(self.store.keys.clock, "now", ms))

    def _read_all(self) -> dict[str, Any]:
        """Every key of the pool. None has a lifetime of the server's."""

        async def read() -> str:
            return await self.redis.eval(READ_ALL, 1, self.store.keys.tag)

        pool: dict[str, Any] = {}
        for name, kind, value, ttl in json.loads(self._await(read())):
            assert ttl == -1, name
            if kind == "hash":
                pool[name] = _flat(value)
            elif kind == "set":
                pool[name] = set(value)
            elif kind == "zset":
                pool[name] = {member: int(score) for member, score in _flat(value).items()}
            elif kind == "stream":
                pool[name] = [_flat(fields) for _, fields in value]
            else:
                pool[name] = value
        pool.get("clock", {}).pop("wall", None)
        return pool

    # The end ---------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if sys.exception() is None:
                self._drain()
        finally:
            self._await(self._delete_all())

    def _drain(self) -> None:
        """All processes died. One that knows nothing brings everything to an end."""
        self.holders.clear()
        self.looks.clear()
        for attempt in self.vendor.attempts.values():
            if attempt.state is State.ON_THE_WAY:
                attempt.state = State.NEVER_HAD
            elif attempt.state is State.RUNNING:
                attempt.state = State.SUCCEEDED
        for _ in range(_MOST_ROUNDS):
            self._take_over([*self._sweep(0, 50), *self._claim_waiting(0, 50)])
            for look in self._take_due(0, 50):
                attempt = self.vendor.attempts[look.provider_task_id]
                ending = VIDEOS if attempt.state is State.SUCCEEDED else REFUSAL
                age_ms = round(look.age_seconds * 1000)
                self._take_over(self._settle(0, attempt.claim, ending, age_ms)[1])
            if not self._in(*(status for status in Status if status not in ENDED)):
                return
            later = [at for _, at in self._ends()]
            self._advance(min(later, default=self.now) - self.now)
        raise AssertionError(f"there is no end to {self._in(*Status)}")

    def _take_over(self, claims: Iterable[Claim]) -> None:
        """Submit what was claimed, and what is claimed meanwhile; the vendor makes it at once."""
        left = [*claims]
        while left:
            claim = left.pop()
            assert self._mark_sending(0, claim)
            attempt = self.vendor.submit(claim, self.tasks[claim.task_id].model, Fate.ACCEPTED)
            left += self._record_accepted(0, claim, attempt.id)[1]
            attempt.state = State.SUCCEEDED

    async def _delete_all(self) -> None:
        names = [
            n async for n in self.redis.scan_iter(match=f"{self.store.keys.tag}:*", count=1000)
        ]
        if names:
            await self.redis.delete(*names)


def test_no_history_of_steps_breaks_a_promise(store_url: str):
    examples = int(os.environ.get("GATEWAY_TEST_EXAMPLES", "60"))
    # Whoever only wants to know whether it fails need not wait for the shortest way to it.
    shortens = "GATEWAY_TEST_ANY_FAILURE" not in os.environ
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as Life.run:
        Life.redis = Redis.from_url(store_url, decode_responses=True)
        try:
            run_state_machine_as_test(
                Life,
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=60,
                    deadline=None,
                    print_blob=True,
                    report_multiple_bugs=False,
                    database=None,
                    phases=tuple(Phase) if shortens else (Phase.generate,),
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            Life.run.run(Life.redis.aclose())


MOVES_TO_FAILED = frozenset({Status.SENDING, Status.UNKNOWN, Status.IN_PROGRESS})


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _flat(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _matches(name: str, *patterns: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
