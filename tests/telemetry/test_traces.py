"""One trace from submit to settlement, as a collector receives it over OTLP/HTTP."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.harness import Processes, wait_until

LIMITS = {"main": 1}


class Collector:
    """Takes in what is sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    content = gzip.decompress(content)
                request = ExportTraceServiceRequest.FromString(content)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        outer.spans += scope.spans
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    opened = Collector()
    yield opened
    opened.close()


def test_a_tasks_life_is_one_trace_over_two_processes(processes: Processes, collector: Collector):
    vendor = processes.simulator(LIMITS, duration="0.5")
    traced = {"GATEWAY_TRACES_ENDPOINT": collector.url}
    api = processes.gateway(vendor, LIMITS, "serve", "--no-worker", **traced)
    worker = processes.gateway(vendor, LIMITS, "worker", **traced)
    team = processes.caller(api)
    task = team.created(prompt="nobody else's business")
    team.ended(task)
    api.stop()
    worker.stop()  # what is left is sent

    number = bytes.fromhex(task.removeprefix("task_"))
    wait_until(lambda: any(span.name == "video" for span in collector.spans))
    spans = [span for span in collector.spans if span.trace_id == number]
    names = [span.name for span in sorted(spans, key=lambda span: span.start_time_unix_nano)]
    assert names[0] == "video"
    assert {"queue", "submit", "look"} <= set(names)
    (whole,) = (span for span in spans if span.name == "video")
    assert (whole.span_id, whole.parent_span_id) == (number[:8], b"")
    assert {span.parent_span_id for span in spans if span is not whole} == {number[:8]}
    assert [event.name for event in whole.events] == ["settled"]
    told = {each.key: each.value for each in whole.attributes}
    assert told["gateway.outcome"].string_value == "charged"
    assert all(b"business" not in span.SerializeToString() for span in collector.spans)
