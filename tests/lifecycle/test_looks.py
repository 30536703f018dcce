"""With which key a vendor is asked about a task, by the simulator's own count of refusals."""

from __future__ import annotations

from gateway.domain.account import Account, ApiKey
from gateway.domain.provider_answers import KeyRefused, Missing
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
            assert isinstance(await looks.ask("main", bad.id, "no-such-task"), Missing)
        assert vendor.stats()["keys"][bad.secret]["looks_refused"] == {"1002": 1}
        # With no other left it is asked all the same.
        vendor.change_account("main", revoked_keys=[bad.secret, good.secret])
        assert isinstance(await looks.ask("main", bad.id, "no-such-task"), KeyRefused)
