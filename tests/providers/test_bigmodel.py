"""The provider against the simulator over real HTTP: which of the worlds does it find itself in?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gateway.domain.account import Account, ApiKey
from gateway.domain.provider_answers import (
    Accepted,
    Failed,
    KeyRefused,
    Lost,
    Missing,
    Refused,
    Rest,
    Running,
    Succeeded,
)
from gateway.domain.video import VideoRequest
from gateway.providers.bigmodel import BigModel, read_state, request_body
from gateway.providers.http import open_provider_http
from tests.harness import Processes, Vendor

KEY = ApiKey("main-key.one")
REQUEST = VideoRequest(model="cogvideox-3", prompt="A cat is playing with a ball.")


async def no_objection() -> None:
    """Lets every request leave."""


@pytest.fixture(scope="module")
def simulated(shared: Processes) -> Vendor:
    return shared.simulator({"main": 2}, duration="3600")


@pytest.fixture
def vendor(simulated: Vendor) -> Iterator[Vendor]:
    yield simulated
    simulated.no_faults()
    simulated.forget()


@pytest.fixture
def account(vendor: Vendor) -> Account:
    return Account(
        name="main", provider="bigmodel", base_url=vendor.base_url, limit=2, api_keys=(KEY,)
    )


@pytest.fixture
async def provider() -> AsyncIterator[BigModel]:
    async with open_provider_http(submit_seconds=1.0, looks_at_once=4) as http:
        yield BigModel(http)


async def test_a_submit_is_accepted_and_looked_at(
    vendor: Vendor, account: Account, provider: BigModel
):
    accepted = await provider.submit(account, KEY, "task_1-1", REQUEST, no_objection)
    assert isinstance(accepted, Accepted)
    assert accepted.model == "cogvideox-3"
    assert await provider.look(account, KEY, accepted.provider_task_id) == Running()
    vendor.end_all()
    ended = await provider.look(account, KEY, accepted.provider_task_id)
    assert isinstance(ended, Succeeded)
    assert ended.videos[0].url.startswith(vendor.url)
    assert ended.videos[0].cover_url is not None


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "accept_then_cut"},
        {"kind": "accept_then_error"},
        {"kind": "cut"},
        {"kind": "garbage", "accepted": True},
        {"kind": "truncated", "accepted": True},
        {"kind": "drip", "seconds": 30},
        {"kind": "huge", "megabytes": 8},
        {"kind": "hang", "seconds": 30},
        {"kind": "error", "status": 502, "envelope": "html"},
        {"kind": "error", "code": "1234", "status": 500},
    ],
    ids=lambda fault: fault["kind"],
)
async def test_what_cannot_be_known_is_lost_not_refused(
    vendor: Vendor, account: Account, provider: BigModel, fault: dict[str, Any]
):
    vendor.fault(on="submit", **fault)
    assert isinstance(await provider.submit(account, KEY, "task_1-1", REQUEST, no_objection), Lost)


async def test_a_refusal_is_read_nested_and_flat(
    vendor: Vendor, account: Account, provider: BigModel
):
    for envelope in ("nested", "flat"):
        vendor.no_faults()
        vendor.fault(on="submit", kind="error", code="1302", envelope=envelope)
        answer = await provider.submit(account, KEY, "task_1-1", REQUEST, no_objection)
        assert isinstance(answer, Refused)
        assert answer.rest is Rest.CONCURRENCY


async def test_a_key_that_the_vendor_quotes_is_not_passed_on(
    vendor: Vendor, account: Account, provider: BigModel
):
    (key, *_) = account.api_keys
    said = f"Incorrect API key provided: {key.secret}."
    vendor.fault(on="submit", kind="error", status=401, code="1002", message=said)
    refused = await provider.submit(account, key, "task_1-1", REQUEST, no_objection)
    assert isinstance(refused, Refused)
    assert refused.reason == "1002: Incorrect API key provided: (the API key)."


async def test_nothing_is_sent_if_the_last_word_before_the_first_byte_is_no(
    provider: BigModel, vendor: Vendor, account: Account
):
    class No(Exception):
        pass

    async def refuse() -> None:
        raise No

    with pytest.raises(No):
        await provider.submit(account, KEY, "task_1-1", REQUEST, refuse)
    assert vendor.total()["submits"] == 0


async def test_a_vendor_that_is_slow_to_connect_surely_has_no_task(
    vendor: Vendor, account: Account
):
    async def too_slow() -> None:
        await asyncio.sleep(10)

    async with open_provider_http(submit_seconds=0.2, looks_at_once=1) as http:
        answer = await BigModel(http).submit(account, KEY, "task_1-1", REQUEST, too_slow)
    assert isinstance(answer, Refused)
    assert answer.rest is Rest.UNREACHABLE
    assert vendor.total()["submits"] == 0


async def test_a_redirect_is_not_followed(vendor: Vendor, account: Account, provider: BigModel):
    vendor.fault(on="submit", kind="redirect", location=f"{vendor.url}/elsewhere")
    answer = await provider.submit(account, KEY, "task_1-1", REQUEST, no_objection)
    assert isinstance(answer, Refused)
    assert "other" not in vendor.stats()["requests"]


async def test_a_vendor_that_is_not_there_surely_has_no_task(provider: BigModel):
    nowhere = Account(
        name="main", provider="bigmodel", base_url="http://127.0.0.1:9", limit=1, api_keys=(KEY,)
    )
    answer = await provider.submit(nowhere, KEY, "task_1-1", REQUEST, no_objection)
    assert isinstance(answer, Refused)
    assert answer.rest is Rest.UNREACHABLE
    assert isinstance(await provider.look(nowhere, KEY, "1"), Running)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut"},
        {"kind": "garbage"},
        {"kind": "truncated"},
        {"kind": "huge", "megabytes": 8},
        {"kind": "unknown_status"},
        {"kind": "error", "status": 500, "code": "500"},
        {"kind": "error", "status": 429, "code": "1302"},
        {"kind": "error", "status": 400, "code": "1113"},
        {"kind": "error", "status": 502, "envelope": "html"},
    ],
    ids=lambda fault: f"{fault['kind']} {fault.get('status', '')}".strip(),
)
async def test_an_odd_look_means_still_running(
    vendor: Vendor, account: Account, provider: BigModel, fault: dict[str, Any]
):
    accepted = await provider.submit(account, KEY, "task_1-1", REQUEST, no_objection)
    assert isinstance(accepted, Accepted)
    vendor.fault(on="look", **fault)
    answer = await provider.look(account, KEY, accepted.provider_task_id)
    assert isinstance(answer, Running)
    assert answer.doubt


@pytest.mark.parametrize("shape", ["status_only", "error_object", "error_text", "message"])
async def test_every_shape_of_a_failure_is_read(
    vendor: Vendor, account: Account, provider: BigModel, shape: str
):
    message = {} if shape == "status_only" else {"message": "no frames"}
    vendor.fault(on="submit", kind="task_fails", shape=shape, **message)
    accepted = await provider.submit(account, KEY, "task_1-1", REQUEST, no_objection)
    assert isinstance(accepted, Accepted)
    vendor.end_all()
    answer = await provider.look(account, KEY, accepted.provider_task_id)
    assert isinstance(answer, Failed)
    assert not message or answer.error.message == "no frames"


async def test_an_unknown_id_is_missing_and_a_wrong_key_is_only_that(
    vendor: Vendor, account: Account, provider: BigModel
):
    assert isinstance(await provider.look(account, KEY, "404"), Missing)
    assert isinstance(await provider.look(account, ApiKey("no.key"), "404"), KeyRefused)


async def test_a_message_cut_in_the_middle_of_an_emoji_is_still_read(provider: BigModel):
    body = b'{"task_status": "FAIL", "error": {"code": "1301", "message": "blocked \\ud83d"}}'

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        there = Account(
            name="main",
            provider="bigmodel",
            base_url=f"http://127.0.0.1:{port}",
            limit=1,
            api_keys=(KEY,),
        )
        answered = await provider.look(there, KEY, "1")
    assert isinstance(answered, Failed)
    assert answered.error.message.encode() == b"blocked ?"


def test_the_vendor_gets_what_was_said_and_no_null():
    assert request_body(REQUEST, "task_1-1") == {
        "model": "cogvideox-3",
        "prompt": "A cat is playing with a ball.",
        "request_id": "task_1-1",
    }


def test_one_image_goes_as_a_string_and_two_as_an_array():
    def images(*links: str) -> object:
        request = VideoRequest(model="cogvideox-3", images=links)
        return request_body(request, "task_1-1").get("image_url")

    assert images() is None
    assert images("a") == "a"
    assert images("a", "b") == ["a", "b"]


@pytest.mark.parametrize(
    "result",
    [
        {"video_result": [{"url": "https://v.example/1.mp4"}]},
        {"video_result": {"url": "https://v.example/1.mp4"}},
        {"video_url": "https://v.example/1.mp4"},
    ],
)
def test_every_shape_of_a_result_is_read(result: dict[str, Any]):
    answer = read_state({"task_status": "SUCCESS"} | result)
    assert isinstance(answer, Succeeded)
    assert answer.videos[0].url == "https://v.example/1.mp4"


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"task_status": None},
        {"task_status": "SUCCESS"},
        {"task_status": "SUCCESS", "video_result": []},
        {"task_status": "SUCCESS", "video_result": [{"url": "javascript:alert(1)"}]},
        {"task_status": ["SUCCESS"], "video_result": [{"url": "https://v.example/1.mp4"}]},
    ],
)
def test_a_success_without_a_link_to_a_video_is_none(body: dict[str, Any] | None):
    assert isinstance(read_state(body), Running)
