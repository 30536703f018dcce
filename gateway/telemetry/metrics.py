"""Every Prometheus metric, in one list: `ALL`. `python -m gateway.telemetry.table` writes it down.

Two kinds of figures. What is true of the pool is read from the store at a scrape, so every process
tells the same (`max by` in a query). What happens is counted by the process that makes it happen
(`sum by`). Labels have bounded values: teams, accounts and models that there are, templates of
routes, words of this code; never an id of a task, a path or anything that a caller made up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from prometheus_client import Counter, Histogram, disable_created_metrics
from prometheus_client.registry import CollectorRegistry

ALL: list[Metric] = []

# The library would tell of each series when it was begun, as a series of its own.
disable_created_metrics()  # type: ignore[no-untyped-call]

_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_STORE = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_LIFE = (1, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 3600, 14400, 86400)
_LATE = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)
_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Of(StrEnum):
    """Who knows it, and so how several processes' figures are put together."""

    POOL = "pool"
    PROCESS = "process"


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    text: str
    kind: Kind
    of: Of
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = field(default=(), repr=False)


def _metric(
    name: str,
    text: str,
    kind: Kind,
    of: Of,
    labels: tuple[str, ...] = (),
    buckets: tuple[float, ...] = (),
) -> Metric:
    metric = Metric(name, text, kind, of, labels, buckets)
    ALL.append(metric)
    return metric


def _gauge(name: str, text: str, *labels: str, of: Of = Of.POOL) -> Metric:
    return _metric(name, text, Kind.GAUGE, of, labels)


def _counter(name: str, text: str, *labels: str, of: Of = Of.PROCESS) -> Metric:
    return _metric(name, text, Kind.COUNTER, of, labels)


def _histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Metric:
    return _metric(name, text, Kind.HISTOGRAM, Of.PROCESS, labels, buckets)


# The pool ------------------------------------------------------------------------------------

BUILD_INFO = _gauge("gateway_build_info", "Which version runs; always 1.", "version", of=Of.PROCESS)
STORE_UP = _gauge("gateway_store_up", "Whether the store answers.")
SLOTS_LIMIT = _gauge(
    "gateway_slots_limit", "Tasks that may be in flight, by the settings.", "account", "model"
)
SLOTS_EFFECTIVE_LIMIT = _gauge(
    "gateway_slots_effective_limit",
    "Tasks in flight that the vendor takes of late.",
    *("account", "model"),
)
SLOTS_IN_USE = _gauge("gateway_slots_in_use", "Tasks that hold a slot.", "account", "model")
SLOTS_UNKNOWN = _gauge(
    "gateway_slots_unknown", "Of these, submits whose answer was lost.", "account", "model"
)
SLOT_DRIFT = _gauge(
    "gateway_slot_drift",
    "Differences between slots and records, as `gateway slots --verify` finds them; must be 0.",
)
TASKS_OVERDUE = _gauge(
    "gateway_tasks_overdue",
    "Tasks that hold a slot for longer than the maximum age.",
    *("account", "model"),
)
ACCOUNT_STATE = _gauge(
    "gateway_account_state", "1 for the state that an account is in, else 0.", "account", "state"
)
QUEUE_TASKS = _gauge(
    "gateway_queue_tasks", "Tasks that wait, by class (model@providers).", "team", "class"
)
QUEUE_LIMIT = _gauge("gateway_queue_limit_tasks", "Tasks that may wait, all teams together.")
QUEUE_OLDEST = _gauge(
    "gateway_queue_oldest_seconds", "How long the oldest of a team's tasks has waited.", "team"
)
REST_SECONDS = _gauge(
    "gateway_rest_seconds",
    "How long an account, a key, or a model at a provider is still left alone after a refusal.",
    "name",
)
SPEND = _counter("gateway_spend_fen_total", "What teams have spent since ever.", "team", of=Of.POOL)
RESERVED = _gauge("gateway_reserved_fen", "What teams' tasks under way will cost.", "team")
BUDGET = _gauge("gateway_budget_fen", "A team's budget of this period.", "team", "period")
BUDGET_TAKEN = _gauge(
    "gateway_budget_taken_fen", "What is spent and reserved of it.", "team", "period"
)

# What happens --------------------------------------------------------------------------------

HTTP_REQUESTS = _counter(
    "gateway_http_requests_total",
    "Requests answered.",
    *("dialect", "route", "method", "code"),
)
HTTP_SECONDS = _histogram(
    "gateway_http_request_duration_seconds",
    "Until the head of the answer was sent; some routes wait for a video where they are asked to.",
    _REQUEST,
    *("dialect", "route"),
)
SUBMITS = _counter(
    "gateway_submits_total", "Requests for a video, by what came of them.", "team", "outcome"
)
SUBMISSIONS = _counter(
    "gateway_submissions_total",
    "Tasks sent to an account: accepted, refused (for good), given_back (to the queue) or lost.",
    *("account", "answer"),
)
QUEUE_WAIT = _histogram(
    "gateway_queue_wait_seconds", "From admission to a submit to a vendor.", _LIFE, "team"
)
LOOKS = _counter("gateway_looks_total", "Questions to a vendor about a task.", "provider", "answer")
LOOKS_PER_TASK = _histogram(
    "gateway_looks_per_task",
    "How often a task was asked about until it ended.",
    (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 50, 100),
    "provider",
)
TASK_SECONDS = _histogram(
    "gateway_task_duration_seconds",
    "From the vendor's accepting a task to the look that found its end.",
    _LIFE,
    *("model", "provider", "status"),
)
END_TO_KNOWN = _histogram(
    "gateway_end_to_known_seconds",
    "From the last look that found a task running to the one that found its end: no end was known "
    "later than this.",
    _LATE,
    "provider",
)
SETTLEMENTS = _counter(
    "gateway_settlements_total",
    "Tasks ended. The ledger is what counts: one whose reply from the store was lost is not here.",
    *("team", "model", "status", "outcome"),
)
UNKNOWN_OUTCOMES = _counter(
    "gateway_unknown_outcomes_total", "Tasks whose outcome stayed unknown for good.", "account"
)
STORE_SECONDS = _histogram(
    "gateway_store_request_duration_seconds",
    "Answers of the store, by script or question.",
    _STORE,
    "operation",
)
STORE_ERRORS = _counter("gateway_store_errors_total", "Questions that the store did not answer.")
LOOP_LAG = _histogram(
    "gateway_event_loop_lag_seconds", "How much later than asked for a process woke up.", _LAG
)
BACKGROUND_STEPS = _counter(
    "gateway_background_steps_total",
    "Steps of the background loops.",
    *("loop", "result"),
)


class Counting:
    """What this process has counted so far."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = [metric for metric in ALL if metric.of is Of.PROCESS]
        self._counters = {
            metric: Counter(metric.name, metric.text, metric.labels, registry=self.registry)
            for metric in own
            if metric.kind is Kind.COUNTER
        }
        self._histograms = {
            metric: Histogram(
                metric.name,
                metric.text,
                metric.labels,
                buckets=metric.buckets,
                registry=self.registry,
            )
            for metric in own
            if metric.kind is Kind.HISTOGRAM
        }

    def add(self, metric: Metric, *labels: str) -> None:
        counter = self._counters[metric]
        (counter.labels(*labels) if labels else counter).inc()

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        histogram = self._histograms[metric]
        (histogram.labels(*labels) if labels else histogram).observe(value)
