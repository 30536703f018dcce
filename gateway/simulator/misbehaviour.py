"""Plays a fault: from a rule and the usual answer to what the client sees."""

import asyncio
from collections.abc import Callable

from gateway.simulator import faults
from gateway.simulator.connection import Answer, Client
from gateway.simulator.dialect import Dialect

PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


async def respond(
    dialect: Dialect, client: Client, armed: faults.Armed | None, usual: Callable[[], Answer]
) -> None:
    """`usual` does what was asked for and says the answer; a fault may call it late or never.

    Where the vendor itself refuses, a fault that comes after acceptance has nothing to act on: the
    client gets the refusal, and the rule has not fired.
    """
    match armed.rule if armed else None:
        case None:
            await _answer(client, None, usual())
        case faults.Error() as rule:
            await client.answer(_error(dialect, rule))
        case faults.Redirect() | faults.Cut() | faults.Hang() as rule:
            await _send_away(client, rule)
        case faults.Delay(seconds=seconds):
            if not await client.leaves_within(seconds):
                await _answer(client, None, usual())
        case faults.LateAccept(seconds=seconds):
            late = _later(seconds, usual)
            if not await client.leaves_before(late):
                await _answer(client, None, late.result())
        case faults.Garbage() | faults.Truncated() | faults.Huge() as rule if not rule.accepted:
            nothing = Answer.of({"task_status": dialect.running})
            await _answer(client, rule, nothing)
        case rule:
            answer = usual()
            if answer.refused and armed:
                armed.fired -= 1
                await client.answer(answer)
            else:
                await _spoil(dialect, client, rule, answer)


def _later(seconds: float, usual: Callable[[], Answer]) -> asyncio.Future[Answer]:
    """A timer of the loop, and not of the request: it goes off even if the client has left."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Answer] = loop.create_future()
    loop.call_later(seconds, lambda: future.set_result(usual()))
    return future


async def _send_away(client: Client, rule: faults.Redirect | faults.Cut | faults.Hang) -> None:
    match rule:
        case faults.Redirect():
            await client.answer(Answer(rule.status, b"", location=rule.location.encode()))
        case faults.Hang():
            await client.leaves_within(rule.seconds)
            await client.cut()
        case faults.Cut():
            await client.cut()


async def _spoil(dialect: Dialect, client: Client, rule: faults.AnyRule, answer: Answer) -> None:
    """What comes after acceptance: either at once, or when there is an answer to be spoilt."""
    match rule:
        case faults.AcceptThenCut():
            await client.cut()
        case faults.AcceptThenHang():
            await client.leaves_within(rule.seconds)
            await client.cut()
        case faults.AcceptThenError():
            await client.answer(_error(dialect, rule))
        case _:
            await _answer(client, rule, answer)


async def _answer(client: Client, rule: faults.AnyRule | None, answer: Answer) -> None:
    if answer.held is not None:
        if await client.leaves_before(answer.held.until):
            return
        answer = answer.held.answer()
    match rule:
        case faults.Garbage():
            await client.answer(Answer(200, PAGE, b"text/html"))
        case faults.Truncated():
            await client.answer_half(answer)
        case faults.Huge():
            await client.answer_padded(answer, rule.megabytes)
        case faults.Drip():
            await client.answer_slowly(answer, rule.seconds)
        case _:
            await client.answer(answer)


def _error(dialect: Dialect, rule: faults.ErrorAnswer) -> Answer:
    refusal = dialect.fault(rule)
    if rule.envelope == "html":
        return Answer(refusal.status, PAGE, b"text/html")
    return Answer.refusal(refusal, rule.envelope or dialect.envelope)
