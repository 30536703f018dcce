"""One trace for each task, from its submit to its settlement, for OpenTelemetry (the extra `otel`).

A task may pass through several processes, so the trace's id is the task's own number, and that of
its outermost span follows from it: whoever makes a step adds a span without having met the others.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from gateway import __version__
from gateway.domain.happenings import Answered, Ended, Happening, Looked, Sent
from gateway.domain.provider_answers import Accepted, Lost, Refused
from gateway.domain.task import Task

_MOST_UNANSWERED = 10_000
"""Submits on the wire whose begin is kept; a process has far fewer."""


class Traces:
    """A listener. Spans leave in the background; none is waited for."""

    def __init__(self, endpoint: str, process: str) -> None:
        """`endpoint` is an OTLP/HTTP collector's, like http://collector:4318/v1/traces."""
        self._ids = _Ids()
        about = {"service.name": "cogvideo-gateway", "service.version": __version__}
        self._provider = TracerProvider(
            resource=Resource.create({**about, "service.instance.id": process}),
            id_generator=self._ids,
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        self._tracer = self._provider.get_tracer("gateway", __version__)
        self._sent_ns: OrderedDict[str, int] = OrderedDict()

    def __call__(self, happening: Happening) -> None:
        now = time.time_ns()
        match happening:
            case Sent(claim=claim, task=task, waited_seconds=waited):
                self._sent_ns[claim.request_id] = now
                if len(self._sent_ns) > _MOST_UNANSWERED:
                    self._sent_ns.popitem(last=False)
                began = now - round(waited * 1e9)
                self._span(task.id, "queue", began, now, {"gateway.team": task.team})
            case Answered(claim=claim, task=task):
                began = self._sent_ns.pop(claim.request_id, now)
                told = {"gateway.request_id": claim.request_id, "gateway.account": claim.account}
                self._span(task.id, "submit", began, now, told | _answer(happening), client=True)
            case Looked(task_id=task_id, account=account, answer=answer):
                told = {"gateway.account": account, "gateway.answer": type(answer).__name__}
                self._span(task_id, "look", now, now, told, client=True)
            case Ended(task=task):
                self._whole(task)
            case _:
                pass

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def _span(
        self,
        task_id: str,
        name: str,
        began_ns: int,
        ended_ns: int,
        attributes: Mapping[str, AttributeValue],
        *,
        client: bool = False,
    ) -> None:
        trace_id, span_id = _ids_of(task_id)
        around = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(1))
        span = self._tracer.start_span(
            name,
            context=set_span_in_context(NonRecordingSpan(around), Context()),
            kind=SpanKind.CLIENT if client else SpanKind.INTERNAL,
            attributes={"gateway.task": task_id, **attributes},
            start_time=began_ns,
        )
        span.end(ended_ns)

    def _whole(self, task: Task) -> None:
        """The outermost span, from admission to settlement; told once, like the end itself."""
        self._ids.following = _ids_of(task.id)
        told = {
            "gateway.task": task.id,
            "gateway.team": task.team,
            "gateway.model": task.request.model,
            "gateway.account": task.account,
            "gateway.provider_task": task.provider_task_id,
            "gateway.status": task.status,
            "gateway.outcome": task.outcome,
            "gateway.price_fen": task.price_fen,
            "gateway.looks": task.looks,
        }
        span = self._tracer.start_span(
            "video",
            context=Context(),
            kind=SpanKind.SERVER,
            attributes={name: value for name, value in told.items() if value is not None},
            start_time=task.created_ms * 1_000_000,
        )
        ended_ns = (task.ended_ms or task.created_ms) * 1_000_000
        span.add_event("settled", timestamp=ended_ns)
        if task.error is not None:
            span.set_status(Status(StatusCode.ERROR, task.error.code))
        span.end(ended_ns)


class _Ids(RandomIdGenerator):
    """Random, unless those of the next span were said."""

    following: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        return self.following[0] if self.following else super().generate_trace_id()

    def generate_span_id(self) -> int:
        said, self.following = self.following, None
        return said[1] if said else super().generate_span_id()


def _ids_of(task_id: str) -> tuple[int, int]:
    """A trace's id has as many bits as a task's number; its first half names the span."""
    number = task_id.removeprefix("task_")
    return int(number, 16), int(number[:16], 16) or 1


def _answer(happening: Answered) -> dict[str, AttributeValue]:
    match happening.answer:
        case Accepted(provider_task_id):
            return {"gateway.answer": "accepted", "gateway.provider_task": provider_task_id}
        case Refused(reason):
            return {"gateway.answer": "refused", "gateway.reason": reason}
        case Lost(reason):
            return {"gateway.answer": "lost", "gateway.reason": reason}
