"""What each SDK makes of our refusals: its own exceptions, our words, and no second try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from tests.harness import TEAM_KEY, Processes
from tests.harness import TEAMS as OTHER_TEAMS
from tests.sdk.clients import CLIENTS, TEAMS, Client
from tests.sdk.tap import Tap

# A team that rather hears a no than waits.
HURRIED_KEY = "hurried-0123456789abcdef.0123456789abcdef"
HURRIED = {"name": "hurried", "tier": "V3", "overflow": "reject", "keys": [HURRIED_KEY]}

# And one that may spend nothing.
PENNILESS_KEY = "penniless-0123456789abcdef.0123456789abcdef"
PENNILESS = {
    "name": "penniless",
    "tier": "V3",
    "budget_total_fen": 0,
    "keys": [PENNILESS_KEY],
}
NAMED_BY_NODE = {400, 401, 404, 429, 503}
# None has a class of its own for a 402.
EXCEPTIONS = {
    "bigmodel": {
        400: "APIRequestFailedError",
        401: "APIAuthenticationError",
        402: "APIStatusError",
        404: "APIStatusError",
        429: "APIReachLimitError",
        503: "APIServerFlowExceedError",
    },
    "openai": {
        400: "BadRequestError",
        401: "AuthenticationError",
        402: "APIStatusError",
        404: "NotFoundError",
        429: "RateLimitError",
        503: "InternalServerError",
    },
}


@dataclass(frozen=True)
class Refusal:
    """A call that a gateway refuses, and how, by the words that the client speaks."""

    status: dict[str, int]
    code: dict[str, str]
    words: str
    gateway: str = "full"
    key: str | None = None
    asks: dict[str, Any] = field(default_factory=lambda: {"fields": {}})


def _both(value: Any) -> dict[str, Any]:
    return {"bigmodel": value, "openai": value}


REFUSALS = {
    "wrong size": Refusal(
        _both(400),
        {"bigmodel": "1214", "openai": "invalid_field"},
        "1920x1080",
        asks={"fields": {"size": "1x1"}},
    ),
    "unknown model": Refusal(
        {"bigmodel": 400, "openai": 404},
        {"bigmodel": "1211", "openai": "model_not_found"},
        "cogvideox-3",
        asks={"fields": {"model": "sora-2"}},
    ),
    "wrong key": Refusal(
        _both(401),
        {"bigmodel": "1002", "openai": "invalid_api_key"},
        "API key",
        key="nobodys-0123456789abcdef.0123456789abcdef",
    ),
    "no such task": Refusal(
        _both(404),
        _both("not_found"),
        "no such task",
        asks={"task_id": "task_0123456789abcdef0123456789abcdef"},
    ),
    "budget spent": Refusal(
        _both(402),
        {"bigmodel": "1113", "openai": "budget_exceeded"},
        "budget",
        key=PENNILESS_KEY,
    ),
    "no free slot, and the request does not wait": Refusal(
        _both(429),
        {"bigmodel": "1302", "openai": "no_free_slot"},
        "slot",
        asks={"fields": {"overflow": "reject"}},
    ),
    "no free slot, and the team does not wait": Refusal(
        _both(429),
        {"bigmodel": "1302", "openai": "no_free_slot"},
        "slot",
        key=HURRIED_KEY,
    ),
    "store away": Refusal(_both(503), _both("store_unavailable"), "store", gateway="storeless"),
    # Last: a client that tries this again waits for as long as the answer says, up to a minute.
    "no account": Refusal(_both(503), _both("no_account"), "account", gateway="without accounts"),
}


class Outcome(NamedTuple):
    told: dict[str, Any] | None
    """None: it was still at it when the patience of the test ended."""
    requests: list[bytes]


Outcomes = Callable[[Client, str], Outcome]


@pytest.fixture(scope="module")
def urls(shared: Processes) -> dict[str, str]:
    """A gateway whose only slot is taken, one whose store is away, one that has no account."""
    vendor = shared.simulator({"main": 1}, duration="3600")
    teams = {"GATEWAY_TEAMS": [*OTHER_TEAMS, HURRIED, PENNILESS, *TEAMS]}
    full = shared.gateway(vendor, {"main": 1}, **teams)
    shared.caller(full, TEAM_KEY).created()
    nowhere = {"GATEWAY_REDIS_URL": "redis://127.0.0.1:9/0"}
    storeless = shared.gateway(vendor, {"main": 1}, wait_ready=False, **teams, **nowhere)
    accountless = shared.gateway(None, {}, **teams, GATEWAY_POOL="without-accounts")
    running = {"full": full, "storeless": storeless, "without accounts": accountless}
    return {name: process.url for name, process in running.items()}


@pytest.fixture(scope="module")
def outcomes(urls: dict[str, str]) -> Iterator[Outcomes]:
    """What each client made of each refusal. Every one has a wire of its own, to count on."""
    with ExitStack() as stack:
        taps = {
            (client, name): stack.enter_context(closing(Tap(urls[refusal.gateway])))
            for client in CLIENTS
            for name, refusal in REFUSALS.items()
        }

        def ask(client: Client) -> dict[str, Any]:
            cases = [
                {
                    "name": name,
                    "base_url": f"{taps[client, name].url}{client.prefix}",
                    "api_key": refusal.key or client.key,
                    **refusal.asks,
                }
                for name, refusal in REFUSALS.items()
            ]
            return client.refusals(cases)

        pool = ThreadPoolExecutor(len(CLIENTS))
        running = {c: pool.submit(ask, c) for c in CLIENTS if c.installed}

        def outcome(client: Client, name: str) -> Outcome:
            client.require()
            told = running[client].result().get(name)
            return Outcome(told, [bytes(request) for request in taps[client, name].requests])

        yield outcome
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_a_refusal_is_the_sdks_own_exception_and_is_sent_once(
    outcomes: Outcomes, client: Client, name: str
):
    refusal = REFUSALS[name]
    told, requests = outcomes(client, name)
    assert len(requests) == 1, f"sent {len(requests)} times"
    assert told is not None, "it waits, to send it again"
    status, code = refusal.status[client.speaks], refusal.code[client.speaks]
    exception = EXCEPTIONS[client.speaks][status]
    if client.language == "node" and status not in NAMED_BY_NODE:
        exception = "APIError"
    assert (told["raised"], told["status"]) == (exception, status)
    assert refusal.words in told["message"]
    if client.speaks == "openai":
        assert told["code"] == code
        assert told["type"]
        assert told["request_id"]
    else:
        # These SDKs read no bodies: the text of the answer is their message.
        assert f'"code":"{code}"' in told["message"]
