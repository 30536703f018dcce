"""What a submit and a look go through, whichever vendor they are for.

A submit is judged in bigmodel's order: key, account, parameters; only then may a fault play, and
places come last, when the task is to start. geekai says nothing about an order.
"""

import hashlib
from functools import partial

from starlette.types import Receive, Scope, Send

from gateway.simulator import faults, parameters
from gateway.simulator.accounts import Account
from gateway.simulator.connection import Answer, Client
from gateway.simulator.dialect import Dialect
from gateway.simulator.errors import Reason, VendorError
from gateway.simulator.misbehaviour import respond
from gateway.simulator.settings import draw
from gateway.simulator.state import RefusedSubmit
from gateway.simulator.tasks import Order, Task
from gateway.simulator.vendor import Vendor

LONGEST_TEXT_KEPT = 4096


class Submit:
    """An ASGI application, because a plain route cannot cut its connection."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._simulator = dialect.simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        dialect = self._dialect
        delay = draw(self._simulator.settings.submit_delay_seconds, self._simulator.dice)
        client = Client(scope, receive, send, delay)
        # A reset puts another vendor in place; what began before it must not reach that one.
        vendor = self._simulator.vendor
        raw = await client.body(parameters.MAX_BODY_BYTES)
        if raw is None:
            return
        try:
            order = self._order(vendor, client.header(b"authorization"), raw)
        except VendorError as error:
            await client.answer(_refused(dialect, error))
            return
        armed = self._simulator.faults.fire("submit", order.account.name, order.prompt)
        if armed and isinstance(armed.rule, faults.Error):
            for tally in vendor.tallies(order.api_key, order.account, order.model):
                tally.refused[dialect.fault(armed.rule).code] += 1
        accept = partial(self._accept, client, vendor, order, armed.rule if armed else None)
        await respond(dialect, client, armed, accept)

    def _order(self, vendor: Vendor, authorization: str | None, raw: bytes) -> Order:
        """Judges a submit, and counts it where it belongs, whatever comes of it."""
        key = self._simulator.accounts.key(authorization)
        account: Account | None = None
        body: dict[str, object] = {}
        schema = self._dialect.schema
        try:
            account, own = self._simulator.accounts.caller(authorization, self._dialect.vendor)
            body = parameters.decode(raw)
            if account.arrears:
                raise VendorError(Reason.ARREARS)
            parameters.check(body, schema, vendor.models)
            return Order(account, own, str(body["model"]), _kept(body))
        except VendorError as error:
            self._count_refusal(vendor, key, account, _kept(body), error)
            raise
        finally:
            for tally in vendor.tallies(key, account, body.get("model")):
                tally.submits += 1
                tally.nulls_received += parameters.count_nulls(body)
                tally.unknown_fields_received += len(parameters.unknown_fields(body, schema))

    def _accept(
        self, client: Client, vendor: Vendor, order: Order, rule: faults.AnyRule | None
    ) -> Answer:
        simulator = self._simulator
        usual, own = simulator.settings.duration, order.account.duration
        span = usual if own is None else own
        if isinstance(rule, faults.TaskTakes):
            span = rule.seconds
        seconds = draw(span, simulator.dice)
        failure = rule if isinstance(rule, faults.TaskFails) else None
        try:
            task = vendor.accept(order, simulator.now(), seconds, failure)
        except VendorError as error:
            self._count_refusal(vendor, order.api_key, order.account, order.body, error)
            return _refused(self._dialect, error)
        return self._dialect.accepted(client, vendor, task)

    def _count_refusal(
        self,
        vendor: Vendor,
        key: str | None,
        account: Account | None,
        body: dict[str, object],
        error: VendorError,
    ) -> None:
        refusal = self._dialect.refusal(error)
        for tally in vendor.tallies(key, account, body.get("model")):
            tally.refused[refusal.code] += 1
        at = self._simulator.epoch(self._simulator.now())
        name = account.name if account else None
        refused = RefusedSubmit(at, name, key, refusal.code, refusal.message, body)
        self._simulator.refusals.append(refused)


class Look:
    """An ASGI application, for the same reason."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._simulator = dialect.simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        simulator, dialect = self._simulator, self._dialect
        delay = draw(simulator.settings.look_delay_seconds, simulator.dice)
        client = Client(scope, receive, send, delay)
        vendor = simulator.vendor
        authorization = client.header(b"authorization")
        key = simulator.accounts.key(authorization)
        try:
            task = self._task(vendor, authorization, scope["path_params"]["id"])
        except VendorError as error:
            for tally in vendor.tallies(key, None, None):
                tally.looks_refused[dialect.refusal(error).code] += 1
            await client.answer(_refused(dialect, error))
            return
        armed = simulator.faults.fire("look", task.account, task.order.prompt)
        word = None
        if armed and isinstance(armed.rule, faults.Error):
            for tally in vendor.tallies(key, task.order.account, task.order.model):
                tally.looks_refused[dialect.fault(armed.rule).code] += 1
        elif armed and isinstance(armed.rule, faults.UnknownStatus):
            word = armed.rule.status
        await respond(dialect, client, armed, partial(self._tell, client, vendor, task, word))

    def _task(self, vendor: Vendor, authorization: str | None, task_id: str) -> Task:
        """The task that is looked at. The look is counted even if strict keys hide the task."""
        simulator = self._simulator
        account, _ = simulator.accounts.caller(authorization, self._dialect.vendor)
        now = simulator.now()
        task = vendor.find(task_id, now)
        if task is None or task.vendor != self._dialect.vendor:
            raise VendorError(Reason.NO_SUCH_TASK)
        vendor.count_look(task, account, now)
        if simulator.settings.strict_keys and account.name != task.account:
            raise VendorError(Reason.NO_SUCH_TASK)
        return task

    def _tell(self, client: Client, vendor: Vendor, task: Task, word: str | None) -> Answer:
        if word is not None:
            return Answer.of(self._dialect.with_status(task, word))
        vendor.tell(task, self._simulator.now())
        return Answer.of(self._dialect.told(client, task))


def _refused(dialect: Dialect, error: VendorError) -> Answer:
    return Answer.refusal(dialect.refusal(error), dialect.envelope)


def _kept(body: dict[str, object]) -> dict[str, object]:
    return {field: _shortened(value) for field, value in body.items()}


def _shortened(value: object) -> object:
    """Images would fill the memory: of a long text, its beginning, length and hash are kept."""
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if not isinstance(value, str) or len(value) <= LONGEST_TEXT_KEPT:
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()
    return f"{value[:64]}... ({len(value)} characters, sha256 {digest})"
