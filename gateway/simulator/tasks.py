"""Orders and the tasks they become."""

import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.simulator.accounts import Account, VendorName
from gateway.simulator.faults import TaskFails

_CLAIM = re.compile(r"(.+)-\d+")


@dataclass(frozen=True, slots=True)
class Order:
    """A submit that passed every check but those on places and on repetition."""

    account: Account
    api_key: str
    model: str
    body: dict[str, object]

    @property
    def prompt(self) -> str:
        return str(self.body.get("prompt", ""))

    def request_id(self) -> str | None:
        """The client's, else one made up; None at geekai, which has no such thing."""
        if self.account.vendor == "geekai":
            return None
        return str(self.body.get("request_id") or secrets.token_hex(16))


@dataclass(slots=True, eq=False)
class Task:
    id: str
    number: int
    order: Order
    request_id: str | None
    accepted_at: float
    ends_at: float
    failure: TaskFails | None
    ended: bool = False
    told_at: float | None = None
    looks: int = 0
    look_times: list[float] = field(default_factory=list)
    links_expire_at: int | None = None
    on_end: Callable[[], None] | None = None

    @property
    def account(self) -> str:
        return self.order.account.name

    @property
    def vendor(self) -> VendorName:
        return self.order.account.vendor

    @property
    def status(self) -> str:
        """In bigmodel's words, whoever the vendor is."""
        if not self.ended:
            return "PROCESSING"
        return "SUCCESS" if self.failure is None else "FAIL"


def new_id(vendor: VendorName) -> str:
    """Never repeatable, so that a look from before a reset cannot hit a task from after it."""
    if vendor == "geekai":
        return str(uuid.uuid4())
    # 19 digits, as bigmodel's: too many for whoever reads them as a number.
    return str(10**18 + secrets.randbelow(9 * 10**18))


def gateway_task(request_id: str) -> str:
    """The gateway's own task: it sends `<task>-<claim number>`, a new number for each submit."""
    claim = _CLAIM.fullmatch(request_id)
    return claim[1] if claim else request_id
