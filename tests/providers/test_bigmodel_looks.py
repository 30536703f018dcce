"""What a refused look at bigmodel says of the task: by its code first, as a refused submit does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.domain.account import Account, ApiKey
from gateway.domain.provider_answers import Accepted, KeyRefused, LookAnswer, Missing, Running
from gateway.domain.video import VideoRequest
from gateway.providers.bigmodel import BigModel
from gateway.providers.http import open_provider_http
from tests.harness import Processes, Vendor

KEY = ApiKey("main-key.one")
REQUEST = VideoRequest(model="cogvideox-3", prompt="A cat is playing with a ball.")


async def no_objection() -> None:
    """Lets every request leave."""


@pytest.fixture(scope="module")
def simulated(shared: Processes) -> Vendor:
    return shared.simulator({"main": 1}, duration="3600")


@pytest.fixture
def vendor(simulated: Vendor) -> Iterator[Vendor]:
    yield simulated
    simulated.no_faults()
    simulated.forget()


async def looked(vendor: Vendor, status: int, code: str) -> LookAnswer:
    account = Account(
        name="main", provider="bigmodel", base_url=vendor.base_url, limit=1, api_keys=(KEY,)
    )
    async with open_provider_http(submit_seconds=5.0, looks_at_once=1) as http:
        provider = BigModel(http)
        accepted = await provider.submit(account, KEY, "task_1-1", REQUEST, no_objection)
        assert isinstance(accepted, Accepted)
        vendor.fault(on="look", kind="error", status=status, code=code)
        return await provider.look(account, KEY, accepted.provider_task_id)


@pytest.mark.parametrize("status", [400, 401, 429])
@pytest.mark.parametrize("code", ["1000", "1001", "1002", "1003", "1004"])
async def test_a_code_about_the_key_refuses_the_key(vendor: Vendor, status: int, code: str):
    assert isinstance(await looked(vendor, status, code), KeyRefused)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "1113"),
        (404, "1220"),
        (429, "1302"),
        (429, "1305"),
        (500, "500"),
        pytest.param(
            401,
            "1113",
        ),
    ],
)
async def test_trouble_of_the_account_or_the_vendor_says_nothing_of_the_task(
    vendor: Vendor, status: int, code: str
):
    answer = await looked(vendor, status, code)
    assert isinstance(answer, Running)
    assert answer.doubt


@pytest.mark.parametrize(
    "code",
    [
        "1214",
        "1999",
        "10030",
    ],
)
async def test_any_other_code_with_a_refusal_means_that_the_task_is_not_known(
    vendor: Vendor, code: str
):
    assert isinstance(await looked(vendor, 404, code), Missing)
