"""bigmodel's two routes, under /api/paas/v4.

A submit is judged in the vendor's order: key, account, parameters; only then may a fault play, and
places come last, when the task is to start.
"""

import hashlib
from functools import partial

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.simulator import faults, parameters
from gateway.simulator.accounts import Account
from gateway.simulator.connection import Answer, Client
from gateway.simulator.errors import VendorError
from gateway.simulator.media import links
from gateway.simulator.misbehaviour import respond
from gateway.simulator.settings import draw
from gateway.simulator.state import RefusedSubmit, Simulator
from gateway.simulator.vendor import Order, Task, Vendor

PREFIX = "/api/paas/v4"
LONGEST_TEXT_KEPT = 4096


def routes(simulator: Simulator) -> list[Route]:
    return [
        Route(f"{PREFIX}/videos/generations", Submit(simulator), methods=["POST"]),
        Route(f"{PREFIX}/async-result/{{id}}", Look(simulator), methods=["GET"]),
    ]


class Submit:
    """An ASGI application, because a plain route cannot cut its connection."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
            await client.answer(Answer.refusal(error))
            return
        armed = self._simulator.faults.fire("submit", order.account.name, order.prompt)
        failure = None
        if armed and isinstance(armed.rule, faults.Error):
            for tally in vendor.tallies(order.account, order.model):
                tally.refused[armed.rule.code] += 1
        elif armed and isinstance(armed.rule, faults.TaskFails):
            failure = armed.rule
        await respond(client, armed, partial(self._accept, vendor, order, failure))

    def _order(self, vendor: Vendor, authorization: str | None, raw: bytes) -> Order:
        """Judges a submit, and counts it where it belongs, whatever comes of it."""
        account: Account | None = None
        body: dict[str, object] = {}
        try:
            account, key = self._simulator.accounts.caller(authorization)
            body = parameters.decode(raw)
            if account.arrears:
                raise VendorError("1113")
            parameters.check(body, vendor.models)
            return Order(account, key, str(body["model"]), _kept(body))
        except VendorError as error:
            self._count_refusal(vendor, account, _kept(body), error)
            raise
        finally:
            for tally in vendor.tallies(account, body.get("model")):
                tally.submits += 1
                tally.nulls_received += parameters.count_nulls(body)
                tally.unknown_fields_received += len(parameters.unknown_fields(body))

    def _accept(self, vendor: Vendor, order: Order, failure: faults.TaskFails | None) -> Answer:
        simulator = self._simulator
        own = order.account.duration
        seconds = draw(simulator.settings.duration if own is None else own, simulator.dice)
        try:
            task = vendor.accept(order, simulator.now(), seconds, failure)
        except VendorError as error:
            self._count_refusal(vendor, order.account, order.body, error)
            return Answer.refusal(error)
        return Answer.of(
            {
                "id": task.id,
                "model": order.model,
                "request_id": task.request_id,
                "task_status": "PROCESSING",
            }
        )

    def _count_refusal(
        self,
        vendor: Vendor,
        account: Account | None,
        body: dict[str, object],
        error: VendorError,
    ) -> None:
        for tally in vendor.tallies(account, body.get("model")):
            tally.refused[error.code] += 1
        at = self._simulator.epoch(self._simulator.now())
        name = account.name if account else None
        self._simulator.refusals.append(RefusedSubmit(at, name, error.code, error.message, body))


class Look:
    """An ASGI application, for the same reason."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        simulator = self._simulator
        delay = draw(simulator.settings.look_delay_seconds, simulator.dice)
        client = Client(scope, receive, send, delay)
        vendor = simulator.vendor
        try:
            account, _ = simulator.accounts.caller(client.header(b"authorization"))
        except VendorError as error:
            vendor.total.looks_refused[error.code] += 1
            await client.answer(Answer.refusal(error))
            return
        now = simulator.now()
        task = vendor.find(scope["path_params"]["id"], now)
        if task is not None:
            vendor.count_look(task, account, now)
        if task is None or (simulator.settings.strict_keys and account.name != task.account):
            await client.answer(self._no_such_task(vendor))
            return
        armed = simulator.faults.fire("look", task.account, task.order.prompt)
        word = None
        if armed and isinstance(armed.rule, faults.Error):
            for tally in vendor.tallies(task.order.account, task.order.model):
                tally.looks_refused[armed.rule.code] += 1
        elif armed and isinstance(armed.rule, faults.UnknownStatus):
            word = armed.rule.status
        await respond(client, armed, partial(self._tell, client, vendor, task, word))

    def _no_such_task(self, vendor: Vendor) -> Answer:
        unknown = self._simulator.settings.unknown_id
        vendor.total.looks_refused[unknown.code] += 1
        error: dict[str, object] = {"code": unknown.code, "message": unknown.message}
        return Answer.of({"error": error}, unknown.status)

    def _tell(self, client: Client, vendor: Vendor, task: Task, word: str | None) -> Answer:
        body: dict[str, object] = {"model": task.order.model, "request_id": task.request_id}
        if word is not None:
            return Answer.of(body | {"task_status": word})
        status = vendor.tell(task, self._simulator.now())
        body["task_status"] = status
        if status == "SUCCESS":
            base = self._simulator.settings.public_url
            if base is None:
                base = f"{client.scope['scheme']}://{client.header(b'host')}"
            body["video_result"] = [links(self._simulator, task, base.rstrip("/"))]
        elif status == "FAIL" and task.failure is not None:
            body |= _reason(task.failure)
        return Answer.of(body)


def _reason(failure: faults.TaskFails) -> dict[str, object]:
    """The documents name no field for it; these are the shapes that clients have met."""
    match failure.shape:
        case "error_object":
            return {"error": {"code": failure.code, "message": failure.message}}
        case "error_text":
            return {"error": failure.message}
        case "message":
            return {"message": failure.message}
        case "status_only":
            return {}


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
