"""A vendor's accounts, a gateway before them and a backlog: where every scenario is played.

Whatever happens in between, all tasks must end as they would have without it, each made once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tests.harness import TEAM_KEY, Processes, api_keys, run_command, wait_until

MODEL = "cogvideox-3"
SETTINGS = {
    # A POST of the backlog need not wait for a vendor that is in trouble.
    "GATEWAY_SUBMIT_WAIT_SECONDS": "0.2",
    # It is the accounts that are short of slots here, and not the team of places.
    "GATEWAY_TIERS": {"V0": 5, "V1": 10, "V2": 15, "V3": 20, "any": 1000},
    "GATEWAY_TEAMS": [{"name": "films", "tier": "any", "keys": [TEAM_KEY]}],
}
PATHS = {"bigmodel": "/api/paas/v4", "geekai": "/api/v1"}


def account(
    name: str, limit: int, *, vendor: str = "bigmodel", more_keys: Sequence[str] = ()
) -> dict[str, Any]:
    """An account as the simulator takes it; `more_keys` are those that the gateway is not given."""
    keys = [*api_keys(name), *more_keys]
    return {"name": name, "vendor": vendor, "limit": limit, "api_keys": keys}


class Stage:
    """All that is running, and the tasks that were handed in."""

    def __init__(
        self,
        processes: Processes,
        accounts: Sequence[dict[str, Any]],
        *,
        duration: str,
        address: str | None = None,
        unknown: Sequence[str] = (),
        others: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        """`address` is where the gateway finds the vendor, if not at its own; `unknown` are the
        accounts that it does not know yet, `others` the keys that are somebody else's."""
        self.vendor = processes.simulator({}, accounts=accounts, duration=duration)
        self.limits = {each["name"]: each["limit"] for each in accounts}
        self.our_keys = {key for each in accounts for key in each["api_keys"]} - set(others)
        self.tasks: list[str] = []
        known = [
            {
                "name": each["name"],
                "provider": each["vendor"],
                "base_url": (address or self.vendor.url) + PATHS[each["vendor"]],
                "limit": each["limit"],
                "api_keys": api_keys(each["name"]),
            }
            for each in accounts
            if each["name"] not in unknown
        ]
        own = SETTINGS | {"GATEWAY_ACCOUNTS": known} | settings
        self.settings = processes.settings(None, {}) | own
        self.gateway = processes.gateway(None, {}, **own)
        self.team = processes.caller(self.gateway)

    def hand_in(self, count: int, **fields: Any) -> None:
        """Tasks that can be told apart by their prompts, also at a vendor without a request_id."""
        first = len(self.tasks)
        self.tasks += [
            self.team.created(prompt=f"number {i}", **fields) for i in range(first, first + count)
        ]

    # What the vendor counts --------------------------------------------------------------------

    def made(self) -> list[dict[str, Any]]:
        """The tasks at the vendor that are ours, in the order in which they were accepted."""
        return [task for task in self.vendor.tasks() if task["api_key"] in self.our_keys]

    def succeeded(self, *accounts: str) -> int:
        """How many tasks these accounts have made, or all of them."""
        figures = self.vendor.stats()["accounts"]
        return sum(figures[name][MODEL]["succeeded"] for name in accounts or self.limits)

    def wait_for_more(self, count: int, *accounts: str) -> None:
        """Until these accounts, or all, have made so many more, while work waits all the time."""
        before = self.succeeded(*accounts)
        wait_until(
            lambda: self.succeeded(*accounts) >= before + count or self._keep_work_waiting(),
            60,
            f"{count} more tasks of {', '.join(accounts or self.limits)}",
        )

    def _keep_work_waiting(self) -> None:
        """On a slow machine a backlog may be gone before the scenario comes to its point."""
        slots = sum(self.limits.values())
        if len(self.tasks) - self.succeeded() < 2 * slots:
            self.hand_in(slots)

    def fill(self, name: str, limit: int) -> None:
        """See that so many slots of an account are used while tasks wait: none of them ends until
        they are."""
        usual = self.vendor.settings(duration=3600)["duration"]
        self.hand_in(2 * limit)
        wait_until(
            lambda: self.vendor.account(name)["in_flight"] == limit, 60, f"{limit} slots of {name}"
        )
        self.vendor.settings(duration=usual)
        self.vendor.end([task["id"] for task in self.made() if task["status"] == "PROCESSING"])

    def submits(self, *keys: str) -> int:
        """Our submits, with these keys or all of ours."""
        return sum(figures["submits"] for figures in self._of_keys(keys))

    def refused(self, code: str, *keys: str) -> int:
        """Of these, the refused with a code."""
        return sum(figures["refused"].get(code, 0) for figures in self._of_keys(keys))

    def looks_refused(self, *keys: str) -> int:
        return sum(sum(figures["looks_refused"].values()) for figures in self._of_keys(keys))

    def _of_keys(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        chosen = keys or self.our_keys
        return [figures for key, figures in self.vendor.stats()["keys"].items() if key in chosen]

    # What the operator sees --------------------------------------------------------------------

    def told(self, level: str, *words: str) -> bool:
        """Whether the gateway's log has a line of this level with all these words."""
        lines = self.gateway.log_text().splitlines()
        return any(f" {level} " in line and all(w in line for w in words) for line in lines)

    def said(self, words: str) -> int:
        """How often the gateway's log has these words."""
        return self.gateway.log_text().count(words)

    def slots(self) -> str:
        return run_command("slots", **self.settings).stdout

    # The end -----------------------------------------------------------------------------------

    def ends(self) -> Counter[str]:
        """How many tasks ended in which way: SUCCESS, or the code of an error."""
        told = [self.team.ended(task) for task in self.tasks]
        return Counter(t["error"]["code"] if "error" in t else t["task_status"] for t in told)

    def wait_for_all(self) -> None:
        """Until every task has ended in SUCCESS."""
        wait_until(lambda: self.succeeded() >= len(self.tasks), 120, "all tasks to be made")
        assert self.ends() == {"SUCCESS": len(self.tasks)}

    def check(
        self,
        *,
        refused_over_limit: int = 0,
        unseen: int = 0,
        limits: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """What must hold in the end: nothing twice, none over its limit, nothing in flight.

        `limits` are those that were changed: the highest. `unseen` tasks may have ended at the
        vendor that the gateway had given up.
        """

        def quiet() -> bool:
            total = self.vendor.total()
            return not total["in_flight"] and total["ended_unseen"] <= unseen

        wait_until(quiet, what="the gateway to have seen every end")
        stats, made = self.vendor.stats(), self.made()
        twice = {p: n for p, n in Counter(t["body"]["prompt"] for t in made).items() if n > 1}
        assert not twice, f"made more than once: {twice}"
        assert stats["total"]["duplicates"] == 0
        assert stats["total"]["repeated_request_ids"] == 0
        for name, limit in {**self.limits, **limits}.items():
            assert stats["accounts"][name][MODEL]["peak_in_flight"] <= limit, name
        refused = sum(figures["refused_over_limit"] for figures in self._of_keys(()))
        assert refused <= refused_over_limit
        verified = run_command("slots", "--verify", **self.settings)
        assert (verified.returncode, verified.stdout) == (0, "slots and records agree\n")
        in_use = set(re.findall(r"\s(\d+)/\d+\s", self.slots()))
        assert in_use == {"0"}
        assert "Traceback" not in self.gateway.log_text()


def most_at_once(tasks: Sequence[dict[str, Any]]) -> int:
    """How many of these tasks ran at one time, at the most."""
    moments = [(task["accepted_at"], 1) for task in tasks]
    moments += [(task["ends_at"], -1) for task in tasks]
    running = most = 0
    for _, step in sorted(moments):
        running += step
        most = max(most, running)
    return most
