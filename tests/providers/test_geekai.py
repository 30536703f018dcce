"""The provider of geekai against the simulator over real HTTP: each answer read for what it is."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.domain.account import Account, ApiKey
from gateway.domain.catalog import COGVIDEOX_3
from gateway.domain.provider_answers import (
    Accepted,
    Failed,
    KeyRefused,
    LookAnswer,
    Lost,
    Missing,
    Refused,
    Rest,
    Running,
    SubmitAnswer,
    Succeeded,
)
from gateway.domain.video import VideoRequest
from gateway.providers.geekai import GeekAI, cannot_express, read_state, request_body
from gateway.providers.http import open_provider_http
from gateway.simulator.geekai import SIZES as DOCUMENTED_SIZES
from tests.harness import Processes, Vendor

KEY = ApiKey("sk-geek-0001")
PROMPT = "A cat is playing with a ball."
REQUEST = VideoRequest(model="cogvideox-3", prompt=PROMPT)
FIRST, LAST = "https://img.example/first.png", "https://img.example/last.png"
LINK = "https://v.example/1.mp4"
SEVEN_DAYS = 7 * 86400
ACCOUNTS = [
    {"name": "geek", "vendor": "geekai", "limit": 2, "api_keys": [KEY.secret, "sk-geek-0002"]},
    {"name": "poor", "vendor": "geekai", "limit": 2, "api_keys": ["sk-poor"], "arrears": True},
    {"name": "zhipu", "limit": 2, "api_keys": ["zhipu-key.one"]},
]


async def no_objection() -> None:
    """Lets every request leave."""


@pytest.fixture(scope="module")
def simulated(shared: Processes) -> Vendor:
    return shared.simulator({}, accounts=ACCOUNTS, duration="3600")


@pytest.fixture
def vendor(simulated: Vendor) -> Iterator[Vendor]:
    yield simulated
    simulated.no_faults()
    simulated.settings(geekai_envelope="nested", geekai_result="array", geekai_success="succeed")
    simulated.forget()


def account_at(base_url: str) -> Account:
    return Account(name="geek", provider="geekai", base_url=base_url, limit=2, api_keys=(KEY,))


@pytest.fixture
def account(vendor: Vendor) -> Account:
    return account_at(f"{vendor.url}/api/v1")


@pytest.fixture
async def provider() -> AsyncIterator[GeekAI]:
    async with open_provider_http(submit_seconds=1.0, looks_at_once=4) as http:
        yield GeekAI(http)


async def submitted(provider: GeekAI, account: Account, key: ApiKey = KEY) -> SubmitAnswer:
    return await provider.submit(account, key, "task_1-1", REQUEST, no_objection)


async def accepted(provider: GeekAI, account: Account) -> str:
    answer = await submitted(provider, account)
    assert isinstance(answer, Accepted)
    return answer.provider_task_id


async def looked_at_the_end(provider: GeekAI, account: Account, vendor: Vendor) -> LookAnswer:
    task_id = await accepted(provider, account)
    vendor.end_all()
    return await provider.look(account, KEY, task_id)


@asynccontextmanager
async def answering(raw: bytes, asked: list[str] | None = None) -> AsyncIterator[Account]:
    """An account at a server that gives every request this body, with HTTP 200."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(head.split(b"\r\n")[0].decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(raw), raw))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield account_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")


# What is sent


def test_the_vendor_gets_what_was_said_no_null_and_never_has_us_wait():
    assert request_body(REQUEST) == {"model": "cogvideox-3", "prompt": PROMPT, "async": True}


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ({"images": (FIRST,)}, {"image": FIRST}),
        ({"images": (FIRST, LAST)}, {"image": [FIRST, LAST]}),
        ({"watermark": False}, {"watermark": False}),
        ({"watermark": True}, {"watermark": True}),
        ({"with_audio": False}, {"with_audio": False}),
        ({"quality": "speed"}, {"quality": "speed"}),
        ({"size": "3840x2160"}, {"size": "3840x2160"}),
        ({"fps": 60}, {"fps": 60}),
        ({"duration_seconds": 10}, {"duration": 10}),
        ({"retries": 3}, {"retries": 3}),
        ({"client_request_id": "mine-0001"}, {}),
    ],
)
async def test_each_wish_reaches_the_vendor_under_its_documented_name(
    vendor: Vendor, account: Account, provider: GeekAI, said: dict[str, Any], sent: dict[str, Any]
):
    request = VideoRequest(model="cogvideox-3", prompt=PROMPT, **said)
    assert cannot_express(request) is None
    answer = await provider.submit(account, KEY, "task_1-1", request, no_objection)
    assert isinstance(answer, Accepted), answer
    (task,) = vendor.tasks()
    assert task["body"] == {"model": "cogvideox-3", "prompt": PROMPT, "async": True} | sent
    total = vendor.total()
    assert (total["nulls_received"], total["unknown_fields_received"]) == (0, 0)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("user_id", {"user_id": "user-0001"}),
        ("prompt", {"prompt": None, "images": (FIRST,)}),
        ("image", {"images": ("data:image/png;base64,iVBORw0KGgo=",)}),
        ("image", {"images": (FIRST, "data:image/png;base64,iVBORw0KGgo=")}),
    ],
)
def test_what_the_vendor_has_no_words_for_is_told_by_name(field: str, said: dict[str, Any]):
    request = VideoRequest(**{"model": "cogvideox-3", "prompt": PROMPT} | said)
    assert cannot_express(request) == field


def test_of_the_models_sizes_it_expresses_those_that_the_vendor_lists():
    def size(size: str) -> VideoRequest:
        return VideoRequest(model="cogvideox-3", prompt=PROMPT, size=size)

    expressed = {s for s in COGVIDEOX_3.sizes if cannot_express(size(s)) is None}
    assert expressed == set(COGVIDEOX_3.sizes) & set(DOCUMENTED_SIZES)
    assert cannot_express(size("1280x720")) == "size"


def test_a_link_is_a_link_however_its_scheme_is_written():
    link = "HTTPS://img.example/first.png"
    assert cannot_express(VideoRequest(model="cogvideox-3", prompt=PROMPT, images=(link,))) is None


def test_a_size_of_another_model_that_the_vendor_lists_can_be_asked_for():
    request = VideoRequest(model="cogvideox-2", prompt=PROMPT, size="720x480")
    assert cannot_express(request) is None


# What a submit comes to


async def test_a_submit_is_accepted_and_looked_at(
    vendor: Vendor, account: Account, provider: GeekAI
):
    answer = await submitted(provider, account)
    assert isinstance(answer, Accepted)
    assert answer.model == "cogvideox-3"
    assert await provider.look(account, KEY, answer.provider_task_id) == Running()
    vendor.end_all()
    ended = await provider.look(account, KEY, answer.provider_task_id)
    assert isinstance(ended, Succeeded)
    assert ended.model == "cogvideox-3"
    assert ended.videos[0].url.startswith(vendor.url)


ENDS = "the task ends, and its caller is at fault"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, ENDS),
        (413, ENDS),
        (415, ENDS),
        (422, ENDS),
        (401, Rest.KEY),
        (402, Rest.ACCOUNT),
        (403, Rest.ACCOUNT),
        (404, Rest.ACCOUNT),
        (429, Rest.CONCURRENCY),
    ],
)
async def test_a_refusal_says_by_its_status_what_rests_or_ends(
    vendor: Vendor, account: Account, provider: GeekAI, status: int, outcome: str | Rest
):
    vendor.fault(on="submit", kind="error", status=status, message="no")
    answer = await submitted(provider, account)
    assert isinstance(answer, Refused)
    if outcome == ENDS:
        assert answer.rest is None
        assert answer.error is not None
        assert (answer.error.message, answer.error.caller_at_fault) == ("no", True)
    else:
        assert (answer.rest, answer.error) == (outcome, None)


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": "error", "status": status} for status in (408, 409, 500, 502, 503, 504)),
        {"kind": "error", "status": 502, "envelope": "html"},
        {"kind": "cut"},
        {"kind": "hang", "seconds": 30},
        {"kind": "drip", "seconds": 30},
        {"kind": "garbage"},
        {"kind": "garbage", "accepted": True},
        {"kind": "truncated", "accepted": True},
        {"kind": "huge", "megabytes": 8, "accepted": True},
        {"kind": "accept_then_cut"},
        {"kind": "accept_then_error", "status": 500},
        {"kind": "accept_then_hang", "seconds": 30},
        {"kind": "late_accept", "seconds": 30},
    ],
    ids=lambda fault: " ".join(str(v) for k, v in fault.items() if k != "seconds"),
)
async def test_what_cannot_be_known_is_lost_not_refused(
    vendor: Vendor, account: Account, provider: GeekAI, fault: dict[str, Any]
):
    vendor.fault(on="submit", **fault)
    assert isinstance(await submitted(provider, account), Lost)


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b'{"task_id": ""}', b'{"task_id": {"a": 1}}'])
async def test_an_answer_of_200_without_an_id_is_lost(provider: GeekAI, body: bytes):
    async with answering(body) as there:
        assert isinstance(await submitted(provider, there), Lost)


async def test_an_id_may_be_a_number_and_leaves_as_one_piece_of_the_path(provider: GeekAI):
    asked: list[str] = []
    async with answering(b'{"task_id": 1234567890123456789}', asked) as there:
        assert await accepted(provider, there) == "1234567890123456789"
        await provider.look(there, KEY, "a/b?c d")
    assert asked == [
        "POST /videos/generations HTTP/1.1",
        "GET /video/a%2Fb%3Fc%20d/result HTTP/1.1",
    ]


@pytest.mark.parametrize("envelope", ["nested", "flat", "text", "message"])
async def test_a_refusal_is_read_in_every_shape(
    vendor: Vendor, account: Account, provider: GeekAI, envelope: str
):
    vendor.fault(on="submit", kind="error", status=400, message="bad size", envelope=envelope)
    answer = await submitted(provider, account)
    assert isinstance(answer, Refused)
    assert answer.error is not None
    assert answer.error.message == "bad size"
    if envelope in ("text", "message"):
        assert answer.error.code == "1210"


async def test_a_refusal_without_a_word_is_still_told_as_something(
    vendor: Vendor, account: Account, provider: GeekAI
):
    vendor.fault(on="submit", kind="error", status=400, envelope="html")
    answer = await submitted(provider, account)
    assert isinstance(answer, Refused)
    assert answer.error is not None
    assert (answer.error.code, answer.error.message) == ("1210", "the vendor gave no reason")


@pytest.mark.parametrize("message", ["输入包含敏感内容", "The prompt is UNSAFE"])
async def test_content_that_the_vendor_does_not_want_is_told_as_such(
    vendor: Vendor, account: Account, provider: GeekAI, message: str
):
    vendor.fault(on="submit", kind="error", status=400, message=message)
    answer = await submitted(provider, account)
    assert isinstance(answer, Refused)
    assert answer.error is not None
    assert (answer.error.code, answer.error.message) == ("1301", message)


@pytest.mark.parametrize(("key", "rest"), [("sk-nobodys", Rest.KEY), ("sk-poor", Rest.ACCOUNT)])
async def test_a_key_that_opens_nothing_and_an_account_without_money_rest(
    account: Account, provider: GeekAI, key: str, rest: Rest
):
    answer = await submitted(provider, account, ApiKey(key))
    assert isinstance(answer, Refused)
    assert (answer.rest, answer.error) == (rest, None)


async def test_more_than_the_vendor_lets_in_flight_rests_and_ends_nothing(
    account: Account, provider: GeekAI
):
    for _ in range(2):
        await accepted(provider, account)
    answer = await submitted(provider, account)
    assert isinstance(answer, Refused)
    assert (answer.rest, answer.error) == (Rest.CONCURRENCY, None)


async def test_a_base_url_that_leads_elsewhere_rests_the_account(
    vendor: Vendor, account: Account, provider: GeekAI
):
    wrong = await submitted(provider, account_at(f"{vendor.url}/api/v9"))
    vendor.fault(on="submit", kind="redirect", location=f"{vendor.url}/elsewhere")
    redirected = await submitted(provider, account)
    for answer in (wrong, redirected):
        assert isinstance(answer, Refused)
        assert (answer.rest, answer.error) == (Rest.ACCOUNT, None)
    assert vendor.total()["accepted"] == 0


async def test_a_vendor_that_is_not_there_surely_has_no_task(provider: GeekAI):
    nowhere = account_at("http://127.0.0.1:9")
    answer = await submitted(provider, nowhere)
    assert isinstance(answer, Refused)
    assert answer.rest is Rest.UNREACHABLE
    assert isinstance(await provider.look(nowhere, KEY, "1"), Running)


async def test_nothing_is_sent_if_the_last_word_before_the_first_byte_is_no(
    vendor: Vendor, account: Account, provider: GeekAI
):
    class No(Exception):
        pass

    async def refuse() -> None:
        raise No

    with pytest.raises(No):
        await provider.submit(account, KEY, "task_1-1", REQUEST, refuse)
    assert vendor.total()["submits"] == 0


# What a look comes to


async def test_a_task_that_has_not_begun_is_running_without_a_doubt(
    vendor: Vendor, account: Account, provider: GeekAI
):
    task_id = await accepted(provider, account)
    vendor.fault(on="look", kind="unknown_status", status="pending")
    assert await provider.look(account, KEY, task_id) == Running()


@pytest.mark.parametrize("word", ["succeed", "success"])
@pytest.mark.parametrize("result", ["array", "object"])
async def test_a_video_is_read_in_the_words_of_old_pages_and_of_new_ones(
    vendor: Vendor, account: Account, provider: GeekAI, word: str, result: str
):
    vendor.settings(geekai_success=word, geekai_result=result)
    answer = await looked_at_the_end(provider, account, vendor)
    assert isinstance(answer, Succeeded)
    assert (answer.videos[0].cover_url is not None) is (result == "object")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("error_object", "no frames"),
        ("error_text", "no frames"),
        ("message", "no frames"),
        ("status_only", None),
    ],
)
async def test_every_shape_of_a_failure_is_read(
    vendor: Vendor, account: Account, provider: GeekAI, shape: str, message: str | None
):
    vendor.fault(on="submit", kind="task_fails", shape=shape, code="17", message="no frames")
    answer = await looked_at_the_end(provider, account, vendor)
    assert isinstance(answer, Failed)
    assert not answer.error.caller_at_fault
    assert answer.error.code == ("17" if shape == "error_object" else "generation_failed")
    if message is not None:
        assert answer.error.message == message


@pytest.mark.parametrize("shape", ["error_object", "error_text", "message"])
async def test_a_video_against_the_vendors_policy_is_its_callers_fault(
    vendor: Vendor, account: Account, provider: GeekAI, shape: str
):
    vendor.fault(on="submit", kind="task_fails", shape=shape)
    answer = await looked_at_the_end(provider, account, vendor)
    assert isinstance(answer, Failed)
    assert (answer.error.code, answer.error.caller_at_fault) == ("1301", True)


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": "error", "status": status} for status in (402, 403, 408, 429, 500, 503, 504)),
        {"kind": "error", "status": 502, "envelope": "html"},
        {"kind": "redirect"},
        {"kind": "cut"},
        {"kind": "garbage"},
        {"kind": "truncated"},
        {"kind": "huge", "megabytes": 8},
        {"kind": "unknown_status", "status": "SUCCESS"},
    ],
    ids=lambda fault: f"{fault['kind']} {fault.get('status', '')}".strip(),
)
async def test_an_odd_look_means_still_running(
    vendor: Vendor, account: Account, provider: GeekAI, fault: dict[str, Any]
):
    task_id = await accepted(provider, account)
    vendor.end_all()
    vendor.fault(on="look", **fault)
    answer = await provider.look(account, KEY, task_id)
    assert isinstance(answer, Running)
    assert answer.doubt


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_a_task_that_the_vendor_does_not_know_is_missing(
    vendor: Vendor, account: Account, provider: GeekAI, status: int
):
    task_id = await accepted(provider, account)
    vendor.fault(on="look", kind="error", status=status)
    assert isinstance(await provider.look(account, KEY, task_id), Missing)
    vendor.forget()
    assert isinstance(await provider.look(account, KEY, task_id), Missing)


@pytest.mark.parametrize("key", ["sk-nobodys", "zhipu-key.one"])
async def test_a_key_that_may_not_look_says_nothing_of_the_task(
    vendor: Vendor, account: Account, provider: GeekAI, key: str
):
    task_id = await accepted(provider, account)
    assert isinstance(await provider.look(account, ApiKey(key), task_id), KeyRefused)
    assert await provider.look(account, ApiKey("sk-geek-0002"), task_id) == Running()


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"task_status": None},
        {"task_status": ["succeed"], "video_result": [{"url": LINK}]},
        {"task_status": "Succeed", "video_result": [{"url": LINK}]},
        {"task_status": "succeed"},
        {"task_status": "succeed", "video_result": []},
        {"task_status": "succeed", "video_result": "soon"},
        {"task_status": "succeed", "video_result": [LINK]},
        {"task_status": "succeed", "video_result": [{"url": "javascript:alert(1)"}]},
    ],
    ids=json.dumps,
)
def test_what_is_not_plainly_a_video_is_doubted(body: dict[str, Any] | None):
    answer = read_state(body)
    assert isinstance(answer, Running)
    assert answer.doubt


# How long the links live


async def test_a_link_lives_for_as_long_as_it_says(
    vendor: Vendor, account: Account, provider: GeekAI
):
    answer = await looked_at_the_end(provider, account, vendor)
    assert isinstance(answer, Succeeded)
    (video,) = answer.videos
    assert video.expires_at == int(parse_qs(urlsplit(video.url).query)["Expires"][0])


def test_a_link_that_does_not_say_lives_for_the_vendors_seven_days():
    before = int(time.time())
    answer = read_state({"task_status": "succeed", "video_result": [{"url": LINK}]})
    assert isinstance(answer, Succeeded)
    expires = answer.videos[0].expires_at
    assert expires is not None
    assert before + SEVEN_DAYS <= expires <= int(time.time()) + SEVEN_DAYS
