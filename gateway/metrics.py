"""Every Prometheus metric, in one list.

The figures are read from the store at each scrape, so any process tells the same and no counter
can drift; what a process counts of its own comes with the dashboards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from gateway import __version__
from gateway.domain.capacity import Capacity, Condition, LaneCapacity
from gateway.domain.errors import StoreUnavailable
from gateway.domain.ports import ReadsCapacity


# eq=False: a registry keeps its collectors in a dict.
@dataclass(frozen=True, slots=True, eq=False)
class _Snapshot(Collector):
    """`capacity` is None while the store is away."""

    capacity: Capacity | None

    def collect(self) -> Iterable[GaugeMetricFamily]:
        yield _gauge("gateway_build_info", "Which version runs.", ["version"], [([__version__], 1)])
        up = self.capacity is not None
        yield _gauge("gateway_store_up", "Whether the store answers.", [], [([], up)])
        if self.capacity is None:
            return
        yield from _of_lanes(self.capacity.lanes)
        yield _gauge(
            "gateway_account_state",
            "1 for the state that an account is in.",
            ["account", "state"],
            [
                ([account.name, state], account.condition is state)
                for account in self.capacity.accounts
                for state in Condition
            ],
        )
        yield _gauge(
            "gateway_queue_tasks",
            "Tasks that wait for a slot, by class (model@providers).",
            ["class"],
            [([name], size) for name, size in self.capacity.waiting_by(0).items()],
        )
        yield _gauge(
            "gateway_rest_seconds",
            "How long an account, or a model at a provider, is still left alone after a refusal.",
            ["name"],
            [([name], seconds) for name, seconds in self.capacity.resting_seconds.items()],
        )


def _of_lanes(lanes: Iterable[LaneCapacity]) -> Iterable[GaugeMetricFamily]:
    figures: list[tuple[str, str, Callable[[LaneCapacity], int]]] = [
        ("gateway_slots_limit", "Tasks that may be in flight.", lambda lane: lane.limit or 0),
        (
            "gateway_slots_effective_limit",
            "Tasks in flight that the vendor takes of late.",
            lambda lane: lane.effective_limit or 0,
        ),
        ("gateway_slots_in_use", "Tasks that hold a slot.", lambda lane: lane.in_flight),
        (
            "gateway_tasks_overdue",
            "Tasks that hold a slot for longer than the maximum age.",
            lambda lane: lane.overdue,
        ),
    ]
    for name, text, figure in figures:
        values = [([lane.account, lane.model], figure(lane)) for lane in lanes]
        yield _gauge(name, text, ["account", "model"], values)


def _gauge(
    name: str, text: str, labels: list[str], values: Iterable[tuple[list[str], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


async def exposition(capacity: ReadsCapacity) -> bytes:
    """The text that Prometheus scrapes. With the store away it says just that."""
    try:
        snapshot = _Snapshot(await capacity.read())
    except StoreUnavailable:
        snapshot = _Snapshot(None)
    registry = CollectorRegistry()
    registry.register(snapshot)
    return generate_latest(registry)
