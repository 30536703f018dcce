"""Plays a fault: from a rule and the usual answer to what the client sees."""

import asyncio
from collections.abc import Callable

from gateway.simulator import faults
from gateway.simulator.connection import Answer, Client
from gateway.simulator.errors import documented

PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"

# What a broken answer carries when nothing was accepted.
_NOTHING = Answer.of({"task_status": "PROCESSING"})


async def respond(client: Client, armed: faults.Armed | None, usual: Callable[[], Answer]) -> None:
    """`usual` does what was asked for and says the answer; a fault may call it late or never.

    Where the vendor itself refuses, a fault that comes after acceptance has nothing to act on: the
    client gets the refusal, and the rule has not fired.
    """
    match armed.rule if armed else None:
        case None:
            await client.answer(usual())
        case faults.Error() | faults.Redirect() | faults.Cut() | faults.Hang() as rule:
            await _refuse(client, rule)
        case faults.Delay(seconds=seconds):
            if not await client.leaves_within(seconds):
                await client.answer(usual())
        case faults.LateAccept(seconds=seconds):
            late = _later(seconds, usual)
            if not await client.leaves_before(late):
                await client.answer(late.result())
        case faults.Garbage() | faults.Truncated() | faults.Huge() as rule if not rule.accepted:
            await _spoil(client, rule, _NOTHING)
        case rule:
            answer = usual()
            if answer.refused and armed:
                armed.fired -= 1
                await client.answer(answer)
            else:
                await _spoil(client, rule, answer)


def _later(seconds: float, usual: Callable[[], Answer]) -> asyncio.Future[Answer]:
    """A timer of the loop, and not of the request: it goes off even if the client has left."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Answer] = loop.create_future()
    loop.call_later(seconds, lambda: future.set_result(usual()))
    return future


async def _refuse(
    client: Client, rule: faults.Error | faults.Redirect | faults.Cut | faults.Hang
) -> None:
    match rule:
        case faults.Error():
            await client.answer(_error(rule.status, rule.code, rule.message, rule.envelope))
        case faults.Redirect():
            await client.answer(Answer(rule.status, b"", location=rule.location.encode()))
        case faults.Hang():
            await client.leaves_within(rule.seconds)
            await client.cut()
        case faults.Cut():
            await client.cut()


async def _spoil(client: Client, rule: faults.AnyRule, answer: Answer) -> None:
    match rule:
        case faults.Garbage():
            await client.answer(Answer(200, PAGE, b"text/html"))
        case faults.Truncated():
            await client.answer_half(answer)
        case faults.Huge():
            await client.answer_padded(answer, rule.megabytes)
        case faults.Drip():
            await client.answer_slowly(answer, rule.seconds)
        case faults.AcceptThenCut():
            await client.cut()
        case faults.AcceptThenHang():
            await client.leaves_within(rule.seconds)
            await client.cut()
        case faults.AcceptThenError():
            await client.answer(_error(rule.status, rule.code, rule.message))
        case _:
            await client.answer(answer)


def _error(status: int | None, code: str, message: str | None, envelope: str = "nested") -> Answer:
    usual_status, words = documented(code)
    status = usual_status if status is None else status
    words = words if message is None else message
    if envelope == "html":
        return Answer(status, PAGE, b"text/html")
    if envelope == "flat":
        return Answer.of({"code": int(code), "message": words}, status)
    return Answer.of({"error": {"code": code, "message": words}}, status)
