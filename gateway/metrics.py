"""Every Prometheus metric, in one list.

The figures are read from the store at each scrape, so any process tells the same and no counter
can drift; what a process counts of its own comes with the dashboards.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from gateway import __version__
from gateway.domain.errors import StoreUnavailable
from gateway.store.slots import Holding, Resting, SlotStore


# eq=False: a registry keeps its collectors in a dict.
@dataclass(frozen=True, slots=True, eq=False)
class _Snapshot(Collector):
    store_up: bool
    holdings: list[Holding]
    waiting: dict[str, int]
    resting: list[Resting]
    max_age_seconds: float

    def collect(self) -> Iterable[GaugeMetricFamily]:
        yield _gauge("gateway_build_info", "Which version runs.", ["version"], [([__version__], 1)])
        yield _gauge("gateway_store_up", "Whether the store answers.", [], [([], self.store_up)])
        if not self.store_up:
            return
        by_account = ["account", "model"]
        yield _gauge(
            "gateway_slots_limit",
            "Tasks that may be in flight.",
            by_account,
            [([h.account, h.model], h.limit or 0) for h in self.holdings],
        )
        yield _gauge(
            "gateway_slots_in_use",
            "Tasks that hold a slot.",
            by_account,
            [([h.account, h.model], len(h.tasks)) for h in self.holdings],
        )
        yield _gauge(
            "gateway_tasks_overdue",
            "Tasks that hold a slot for longer than the maximum age.",
            by_account,
            [([h.account, h.model], self._overdue(h)) for h in self.holdings],
        )
        yield _gauge(
            "gateway_queue_tasks",
            "Tasks that wait for a slot, by class (model@providers).",
            ["class"],
            [([name], size) for name, size in self.waiting.items()],
        )

        yield _gauge(
            "gateway_rest_seconds",
            "How long an account, or a model at a provider, is still left alone after a refusal.",
            ["name"],
            [([rest.name], rest.seconds_left) for rest in self.resting],
        )

    def _overdue(self, holding: Holding) -> int:
        now = time.time()
        return sum(task.overdue(now, self.max_age_seconds) for task in holding.tasks)


def _gauge(
    name: str, text: str, labels: list[str], values: Iterable[tuple[list[str], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


async def exposition(slots: SlotStore, max_age_seconds: float) -> bytes:
    """The text that Prometheus scrapes. With the store away it says just that."""
    try:
        holdings, waiting, resting = (
            await slots.holdings(),
            await slots.waiting(),
            await slots.resting(),
        )
        snapshot = _Snapshot(True, holdings, waiting, resting, max_age_seconds)
    except StoreUnavailable:
        snapshot = _Snapshot(False, [], {}, [], max_age_seconds)
    registry = CollectorRegistry()
    registry.register(snapshot)
    return generate_latest(registry)
