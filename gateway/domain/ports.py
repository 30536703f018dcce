"""Everything that a task's life asks of the outside world.

Adapters fit these by shape; `bootstrap` puts one behind each.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.domain.account import Account, AccountState, ApiKey, KeptAccount
from gateway.domain.account_form import AccountForm
from gateway.domain.capacity import Capacity
from gateway.domain.charge import Bound, Charge, Rate, Spending
from gateway.domain.durations import Expectation, Variant
from gateway.domain.happenings import Happening
from gateway.domain.operators import AuditEntry, Operator
from gateway.domain.prices import Price, PriceBook
from gateway.domain.provider_answers import LookAnswer, Rest, SubmitAnswer
from gateway.domain.submission import QueuePlace, Submission
from gateway.domain.task import Claim, Step, Task, TaskError
from gateway.domain.task_query import TaskQuery
from gateway.domain.team import Caller, Team, TeamKey
from gateway.domain.tenant_form import KeyForm, PriceForm, TeamForm
from gateway.domain.tenant_record import Kind
from gateway.domain.usage import Entry, Tally
from gateway.domain.usage_query import Span
from gateway.domain.video import Video, VideoRequest


class Provider(Protocol):
    """A vendor. Neither call raises of itself: whatever happens is one of the answers."""

    async def submit(
        self,
        account: Account,
        key: ApiKey,
        request_id: str,
        request: VideoRequest,
        before_bytes: Callable[[], Awaitable[None]],
    ) -> SubmitAnswer:
        """Send a task. `before_bytes` is awaited once, when the connection stands and nothing of
        the request has left; what it raises is passed on, and nothing will have been sent."""
        ...

    async def look(self, account: Account, key: ApiKey, provider_task_id: str) -> LookAnswer: ...


class Journal(Protocol):
    """Is told what happens to tasks, by whoever makes it happen. It neither waits nor fails."""

    def tell(self, happening: Happening, /) -> None: ...


class _Nobody:
    def tell(self, happening: Happening, /) -> None:
        pass


NOBODY: Journal = _Nobody()
"""Where nothing is kept of what happens."""

CannotExpress = Callable[[VideoRequest], str | None]
"""Tells the field of a request that a vendor has no words for; None if it can say all of it."""


class MediaStream(Protocol):
    """A file of the vendor's as it comes in. Whoever opened it closes it."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Those that say what and how much this is, in lower case."""
        ...

    def chunks(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


class Media(Protocol):
    """The files behind a result's links."""

    async def open(self, url: str, byte_range: str | None) -> MediaStream:
        """Begin to read a file; `byte_range` is a Range header to pass on.

        Raises:
            ContentUnavailable: no answer, or not from a file server.
        """
        ...


@dataclass(frozen=True, slots=True)
class DueLook:
    """A task that the vendor should be asked about now."""

    task_id: str
    claim_number: int
    account: str
    api_key_id: str
    provider_task_id: str
    variant: Variant
    age_seconds: float
    """Since the vendor accepted it."""
    work_waits: bool
    """Whether something waits in the queue that could take its slot."""


@dataclass(frozen=True, slots=True)
class MissingSoFar:
    """How often in a row, and for how long, the vendor has said that it knows no such task."""

    times: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Swept:
    """What the sweeper moved, by task id, and what could be claimed with the freed slots."""

    requeued: tuple[str, ...]
    unknown: tuple[str, ...]
    given_up: tuple[str, ...]
    poisoned: tuple[str, ...]
    timed_out: tuple[str, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Admitted:
    """The task is durable, claimed or queued."""

    task: Task
    claims: tuple[Claim, ...]
    replayed: bool = False
    """It was made by an earlier submit with the same idempotency key."""
    place: QueuePlace | None = None
    """None when it need not wait, or where nobody looked."""
    budget_left_fen: int | None = None
    """Of the tightest budget that it is charged to; None without any."""
    alarming: tuple[Bound, ...] = ()
    """Budgets that run out, each told once."""


class NotAdmittedBecause(StrEnum):
    OTHER_BODY = "other_body"
    """The idempotency key had been used with another request."""
    FULL = "full"
    """It would have to wait, and the queue is full."""
    NO_SLOT = "no_slot"
    """It would have to wait, and its caller does not want that."""
    OVER_BUDGET = "over_budget"
    """A budget has no room for its price."""
    TOO_FAST = "too_fast"
    """A rate of submits is used up for the moment."""


@dataclass(frozen=True, slots=True)
class NotAdmitted:
    """Nothing was made. Free slots may have gone to others all the same."""

    because: NotAdmittedBecause
    claims: tuple[Claim, ...]
    place: QueuePlace | None
    bound: Bound | Rate | None = None
    """The budget or the rate in question."""
    taken_fen: int = 0
    """What is reserved and spent of that budget."""
    wait_seconds: float = 0.0
    """Until that rate has room again."""


@dataclass(frozen=True, slots=True)
class ClassLimits:
    """How a team's tasks of one class stand, and how a new one would."""

    waiting: int
    place: QueuePlace
    """Of a new task; its position is 0 if it would start at once."""


@dataclass(frozen=True, slots=True)
class TeamLimits:
    """What a team has in flight and in the queue."""

    in_flight: int
    cap: int
    waiting_bytes: int
    classes: tuple[ClassLimits, ...]
    """In the order in which they were asked for."""


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Some of a team's tasks, in the order that was asked for."""

    tasks: tuple[Task, ...]
    more: bool
    """Whether others follow."""


class Renewal(StrEnum):
    """Whether to ask a vendor to sign a dead link anew; it is asked once for each."""

    YOURS = "yours"
    PENDING = "pending"
    """Somebody else is asking at the moment."""
    OVER = "over"
    """It was asked before."""


@dataclass(frozen=True, slots=True)
class FoundTasks:
    """What was found among all tasks, newest first."""

    tasks: tuple[Task, ...]
    after: int | None
    """Where to go on; None where nothing is left to look at."""
    read: int
    """How many were looked at."""


class FindsTasks(Protocol):
    async def find(self, query: TaskQuery) -> FoundTasks: ...


class OverseesTasks(Protocol):
    """What operators do with tasks, beside what their callers may do."""

    async def history(self, task_id: str) -> tuple[Step, ...]: ...

    async def release(self, task: Task, who: str, reason: str) -> bool:
        """Free the slot of a task of unknown fate, and write it down; False if it is no longer as
        the operator saw it."""
        ...

    async def note(
        self, who: str, action: str, on: str, *, before: str = "", after: str = "", reason: str = ""
    ) -> None:
        """Write into the audit what is written by no step of its own."""
        ...


class Durations(Protocol):
    """How long tasks take, by what was seen of them. From memory: it neither waits nor fails."""

    def of(self, variant: Variant) -> Expectation:
        """What is known of just such tasks, else of the model there, else what is assumed."""
        ...

    def seconds_of(self, model: str) -> float:
        """How long a task of this model holds a slot, on average."""
        ...


class Endings(Protocol):
    """Tells of ends, whichever process saw them."""

    def watch(self, task_id: str) -> AbstractContextManager[asyncio.Event]:
        """An event that is set when the task has ended, or when word of it may have been missed."""
        ...


class Tasks(Protocol):
    """The records, the queue and the slots: one atomic step a method, each safe to run twice.

    Every method raises StoreUnavailable when the store does not answer. A step that frees a slot
    hands it on in the same script and returns whom to: claims that the caller must dispatch.
    """

    async def admit(
        self, task_id: str, team: str, submission: Submission, task_class: str, charge: Charge
    ) -> Admitted | NotAdmitted: ...

    async def get(self, task_id: str) -> Task | None: ...

    async def with_images(self, task_id: str) -> Task | None: ...

    async def place(self, task_id: str) -> QueuePlace | None: ...

    async def team_limits(self, team: str, classes: tuple[str, ...]) -> TeamLimits: ...

    async def cancel(self, task_id: str) -> tuple[Task | None, tuple[Claim, ...]]: ...

    async def page(
        self, team: str, *, after: str | None, newest_first: bool, most: int
    ) -> TaskPage | None: ...

    async def forget(self, task_id: str) -> bool: ...

    async def take_renewal(self, task_id: str, link: str, variant: str = "video") -> Renewal: ...

    async def renew_links(self, task_id: str, videos: tuple[Video, ...]) -> None: ...

    async def mark_sending(self, claim: Claim, api_key_id: str) -> bool: ...

    async def record_accepted(
        self, claim: Claim, provider_task_id: str, model: str | None, first_look_seconds: float
    ) -> tuple[bool, tuple[Claim, ...]]: ...

    async def record_lost(self, claim: Claim, reason: str) -> bool: ...

    async def give_back(
        self,
        claim: Claim,
        rest: Rest | None,
        reason: str,
        *,
        answered: bool = False,
        hand_on: bool = True,
    ) -> tuple[Claim, ...]: ...

    async def settle(
        self,
        task_id: str,
        claim_number: int,
        ending: tuple[Video, ...] | TaskError,
        model: str | None,
        age_seconds: float | None = None,
    ) -> tuple[bool, tuple[Claim, ...]]:
        """`age_seconds` is that of the look that found the end; None if none did."""
        ...

    async def claim_waiting(self, most: int) -> tuple[Claim, ...]: ...

    async def take_due(self, most: int) -> tuple[tuple[DueLook, ...], float | None]: ...

    async def look_again(
        self,
        look: DueLook,
        delay_seconds: float,
        missing: bool,
        running_seconds: float | None = None,
    ) -> MissingSoFar:
        """`running_seconds` is the age at which the vendor said that it runs; None: he did not."""
        ...

    async def sweep(self, most: int) -> Swept: ...


class Accounts(Protocol):
    """The accounts in use, by name, and those of them that are kept where they can be changed.

    Whatever asks the store raises StoreUnavailable when it does not answer.
    """

    @property
    def kept(self) -> Mapping[str, KeptAccount]: ...

    def get(self, name: str, /) -> Account | None: ...

    def values(self) -> Collection[Account]: ...

    async def refresh(self) -> None: ...

    def check(self, form: AccountForm) -> None: ...

    def keys_of(self, kept: KeptAccount) -> list[ApiKey]: ...

    async def put(
        self, form: AccountForm, before: KeptAccount | None, *, who: str, action: str, reason: str
    ) -> bool: ...

    async def remove(self, kept: KeptAccount, *, who: str, reason: str) -> tuple[bool, int]: ...

    async def set_state(
        self, name: str, state: AccountState | None, *, who: str, reason: str
    ) -> bool: ...


class ReadsLedger(Protocol):
    """Tells what was settled. Whatever asks the store raises StoreUnavailable."""

    def entries(self, span: Span | None = None) -> AsyncGenerator[Entry, None]: ...

    async def require(self, span: Span | None = None) -> None: ...

    async def hours(self, span: Span) -> list[str] | None: ...

    def hourly(self, hours: Sequence[str]) -> AsyncGenerator[Tally, None]: ...

    async def spend(self, periods: Iterable[str]) -> list[dict[str, int]]: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What was done about the ledger's age."""

    archived: tuple[str, ...]
    """Days that are files from now on, by this process's doing."""
    failure: str | None
    """Why a day cannot be made a file, which is in the store until it can."""


class KeepsLedger(Protocol):
    """Makes files of the ledger's older days, and drops sums whose time is over."""

    async def keep(self) -> Kept: ...


class Directory(Protocol):
    """Who calls, and what they pay. From memory: it neither waits nor fails."""

    def authenticate(self, key: str) -> Caller: ...

    @property
    def teams(self) -> Mapping[str, Team]: ...

    @property
    def book(self) -> PriceBook: ...


class Tenants(Protocol):
    """Teams, their keys, the price book and the operators: those in use, and the records of those
    that are kept where they can be changed.

    Whatever asks the store raises StoreUnavailable when it does not answer.
    """

    @property
    def records(self) -> Mapping[Kind, Mapping[str, str]]:
        """What is kept, by kind and name or id; see tenant_record.py."""
        ...

    @property
    def teams(self) -> Mapping[str, Team]: ...

    @property
    def keys(self) -> Mapping[str, TeamKey]: ...

    @property
    def prices(self) -> Mapping[str, Price]: ...

    @property
    def setting_prices(self) -> tuple[Price, ...]: ...

    @property
    def operators(self) -> Mapping[str, Operator]: ...

    @property
    def unfit(self) -> Mapping[str, str]:
        """What is kept and not in use, like "team films", and why."""
        ...

    async def refresh(self) -> None: ...

    def check(self, form: TeamForm | KeyForm | PriceForm) -> None: ...

    async def put(
        self,
        kind: Kind,
        name: str,
        before: str | None,
        record: str | None,
        *,
        who: str,
        action: str,
        reason: str,
    ) -> int | None: ...


class ReadsSpending(Protocol):
    """Tells what holders have reserved and spent: in this day, in this month, and in all."""

    async def spending_of(self, holders: Collection[str]) -> Mapping[str, tuple[Spending, ...]]: ...


class ReadsAudit(Protocol):
    """Tells what operators did, oldest first; the last so many."""

    async def audit(self, last: int) -> list[AuditEntry]: ...


class Sessions(Protocol):
    """Browsers that an operator has signed in with."""

    async def begin(self, value: str) -> str:
        """Keep whose it is for a time; return the secret that the browser shows from now on."""
        ...

    async def value_of(self, secret: str) -> str | None:
        """Whose it is; None if it is over, or never was."""
        ...

    async def end(self, secret: str) -> None: ...


class KnowsOperators(Protocol):
    """Who may use the admin plane, beside whoever has the admin key of the settings."""

    def operator_of(self, key: str) -> Operator | None: ...

    def operator(self, operator_id: str, /) -> Operator | None: ...


class ReadsCapacity(Protocol):
    """Tells how the pool stands at the moment."""

    async def read(self) -> Capacity: ...
