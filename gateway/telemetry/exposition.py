"""The text that Prometheus scrapes: what the pool is like, and what processes counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from gateway import __version__
from gateway.domain.capacity import Condition, LaneCapacity
from gateway.telemetry import metrics
from gateway.telemetry.metrics import Counting, Kind, Metric
from gateway.telemetry.pool_figures import PoolFigures, PoolReader

Values = Iterable[tuple[tuple[str, ...], float]]


class Exposition:
    """Everything that one process can tell."""

    def __init__(self, pool: PoolReader, counting: Counting, shared: Path | None) -> None:
        """`shared` is the folder in which the processes of this machine count together."""
        self._pool = pool
        self._counting = counting
        self._shared = shared

    async def text(self) -> bytes:
        registry = CollectorRegistry()
        registry.register(_Pool(await self._pool.read()))
        return generate_latest(registry) + generate_latest(self._counted())

    def _counted(self) -> CollectorRegistry:
        if self._shared is None:
            return self._counting.registry
        together = CollectorRegistry()
        MultiProcessCollector(together, str(self._shared))  # type: ignore[no-untyped-call]
        return together


# eq=False: a registry keeps its collectors in a dict.
@dataclass(frozen=True, slots=True, eq=False)
class _Pool(Collector):
    """`figures` is None while the store is away."""

    figures: PoolFigures | None

    def collect(self) -> Iterable[Family]:
        yield _family(metrics.BUILD_INFO, [((__version__,), 1)])
        yield _family(metrics.STORE_UP, [((), self.figures is not None)])
        if self.figures is not None:
            for metric, values in _told(self.figures):
                yield _family(metric, values)


def _told(figures: PoolFigures) -> Iterable[tuple[Metric, Values]]:
    capacity = figures.capacity
    lanes = capacity.lanes
    yield metrics.SLOTS_LIMIT, _of(lanes, [lane.limit or 0 for lane in lanes])
    yield metrics.SLOTS_EFFECTIVE_LIMIT, _of(lanes, [lane.effective_limit or 0 for lane in lanes])
    yield metrics.SLOTS_IN_USE, _of(lanes, [lane.in_flight for lane in lanes])
    yield metrics.SLOTS_UNKNOWN, _of(lanes, [lane.unknown for lane in lanes])
    yield metrics.TASKS_OVERDUE, _of(lanes, [lane.overdue for lane in lanes])
    yield metrics.SLOT_DRIFT, [((), figures.drift)]
    yield (
        metrics.ACCOUNT_STATE,
        [
            ((account.name, state), account.condition is state)
            for account in capacity.accounts
            for state in Condition
        ],
    )
    yield (
        metrics.QUEUE_TASKS,
        [((team, kind), waiting.tasks) for (kind, team), waiting in capacity.queues.items()],
    )
    yield metrics.QUEUE_LIMIT, [((), figures.queue_limit)]
    oldest: dict[str, float] = {}
    for (_, team), waiting in capacity.queues.items():
        seconds = max(0.0, figures.at - waiting.since_ms / 1000)
        oldest[team] = max(seconds, oldest.get(team, 0.0))
    yield metrics.QUEUE_OLDEST, [((team,), seconds) for team, seconds in oldest.items()]
    rests = capacity.resting_seconds
    yield metrics.REST_SECONDS, [((name,), seconds) for name, seconds in rests.items()]
    yield from _money(figures)


def _money(figures: PoolFigures) -> Iterable[tuple[Metric, Values]]:
    ever = {team: spending[-1] for team, spending in figures.spending.items()}
    yield metrics.SPEND, [((team,), each.spent_fen) for team, each in ever.items()]
    yield metrics.RESERVED, [((team,), each.reserved_fen) for team, each in ever.items()]
    bounded = [
        ((team, period), cap, spending.taken_fen)
        for team, budget in figures.budgets.items()
        for period, cap, spending in zip(
            ("day", "month", "total"),
            (budget.day_fen, budget.month_fen, budget.total_fen),
            figures.spending[team],
            strict=True,
        )
        if cap is not None
    ]
    yield metrics.BUDGET, [(labels, cap) for labels, cap, _ in bounded]
    yield metrics.BUDGET_TAKEN, [(labels, taken) for labels, _, taken in bounded]


def _of(lanes: Iterable[LaneCapacity], figures: Iterable[float]) -> Values:
    return [
        ((lane.account, lane.model), figure) for lane, figure in zip(lanes, figures, strict=True)
    ]


def _family(metric: Metric, values: Values) -> Family:
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.text, labels=metric.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family
