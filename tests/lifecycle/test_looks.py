"""With which key a vendor is asked about a task, by the simulator's own count of refusals."""

from __future__ import annotations

from gateway.domain.account import Account, ApiKey
from gateway.domain.provider_answers import KeyRefused, Missing, Running
from gateway.lifecycle.looks import Looks
from gateway.providers.bigmodel import BigModel
from gateway.providers.http import open_provider_http
from tests.harness import Processes, api_keys


async def test_a_refused_key_is_asked_last_from_then_on(processes: Processes):
    vendor = processes.simulator({"main": 1}, duration="1")
    bad, good = map(ApiKey, api_keys("main"))
    account = Account(
        name="main",
        provider="bigmodel",
        base_url=vendor.base_url,
        limit=1,
        api_keys=(bad, good),
    )
    vendor.change_account("main", revoked_keys=[bad.secret])
    async with open_provider_http(submit_seconds=5, looks_at_once=1) as http:
        looks = Looks({"bigmodel": BigModel(http)}, {"main": account})
        for _ in range(5):
            assert isinstance(await looks.ask("main", "bigmodel", bad.id, "no-such-task"), Missing)
        assert vendor.stats()["keys"][bad.secret]["looks_refused"] == {"1002": 1}
        # With no other left it is asked all the same.
        vendor.change_account("main", revoked_keys=[bad.secret, good.secret])
        assert isinstance(await looks.ask("main", "bigmodel", bad.id, "no-such-task"), KeyRefused)


async def test_an_account_that_is_at_another_vendor_now_tells_nothing_of_old_tasks(
    processes: Processes,
):
    """A new one of the old name: its vendor never had the task, and must not be believed."""
    vendor = processes.simulator({"main": 1}, duration="1")
    account = Account(
        name="main",
        provider="bigmodel",
        base_url=vendor.base_url,
        limit=1,
        api_keys=(ApiKey(api_keys("main")[0]),),
    )
    async with open_provider_http(submit_seconds=5, looks_at_once=1) as http:
        looks = Looks({"bigmodel": BigModel(http)}, {"main": account})
        answer = await looks.ask("main", "geekai", None, "no-such-task")
    assert isinstance(answer, Running)
    assert vendor.total()["looks_refused"] == {}
