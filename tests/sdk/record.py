"""Records what the SDKs and curl send, for the tests to replay. Run by hand, after `make test` has
set up the environments, when a version of an SDK was added or exchanged:

    .venv/bin/python -m tests.sdk.record [CLIENT...]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

from gateway.store.embedded import EmbeddedStore
from tests.harness import TEAM_KEY, Processes
from tests.harness import TEAMS as OTHER_TEAMS
from tests.sdk import captured, geekai
from tests.sdk.clients import CLIENTS, IMAGE, TEAMS, Client
from tests.sdk.tap import Tap


def record(client: Client, url: str) -> None:
    """Let an SDK do everything it can, and sort what it sends by its calls."""
    calls: dict[str, list[bytes]] = {}
    with closing(Tap(url)) as tap:
        base_url = f"{tap.url}{client.prefix}"
        arguments = ("calls", base_url, client.key, str(IMAGE))
        with client.start(*arguments, stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            name, seen = "", 0
            for line in process.stdout:
                if line.startswith("{"):
                    calls[name] = [bytes(request) for request in tap.requests[seen:]]
                    continue
                name, seen = line.rstrip("\n"), len(tap.requests)
                process.stdin.write("\n")
                process.stdin.flush()
        assert process.returncode == 0
        captured.keep(client.slug, str(client), calls, host=tap.host, key=client.key)


def record_curl(url: str) -> None:
    """geekai's examples: with a key put in, and the first of them as it was published."""
    calls: dict[str, list[bytes]] = {}
    with closing(Tap(url)) as tap:
        pasted = [(name, TEAM_KEY) for name in geekai.EXAMPLES]
        for name, key in [*pasted, ("text", geekai.PUBLISHED_KEY)]:
            seen = len(tap.requests)
            geekai.run(geekai.pasted(name, tap.url, key))
            call = name if key is TEAM_KEY else f"{name}, key in single quotes"
            calls[call] = [bytes(request) for request in tap.requests[seen:]]
        captured.keep("curl", "curl", calls, host=tap.host, key=TEAM_KEY)


def main() -> None:
    wanted = sys.argv[1:]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(EmbeddedStore(folder))
        processes = stack.enter_context(closing(Processes(store.url, "record", folder)))
        vendor = processes.simulator({"main": 100}, duration="0.5")
        gateway = processes.gateway(
            vendor,
            {"main": 100},
            GATEWAY_TEAMS=[*OTHER_TEAMS, *TEAMS],
            GATEWAY_EXPECTED_SECONDS={"cogvideox-3": [0.5, 1]},
        )
        for client in CLIENTS:
            if not wanted or client.slug in wanted:
                record(client, gateway.url)
        if not wanted or "curl" in wanted:
            record_curl(gateway.url)


if __name__ == "__main__":
    main()
