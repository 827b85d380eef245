"""A trace across processes, as a collector gets it: `rota execute`, the node, a worker, and a handler in a child process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from processes import ROTA, house

from rota.telemetry.otel import END_WITHIN

HEADER = "Bearer c0llector-canary-1029384756abcdef"


class Collector:
    """Takes OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []
        """(service, span)."""
        self.headers: set[str] = set()
        outer = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.take(ExportTraceServiceRequest.FromString(body), str(self.headers.get("authorization")))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.env = {
            "ROTA_OTEL": "on",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={HEADER.replace(' ', '%20')}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }

    def take(self, request: ExportTraceServiceRequest, header: str) -> None:
        self.headers.add(header)
        for resource in request.resource_spans:
            named = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(named["service.name"], span) for span in scope.spans]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def only(self, service: str, name: str) -> Span:
        (span,) = [span for said, span in self.spans if (said, span.name) == (service, name)]
        return span


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def rota(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROTA, *words], env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=60)


def test_one_trace_across_client_node_worker_and_child(tmp_path: Path, collector: Collector) -> None:
    with house(tmp_path) as where:
        before = where.start_node(env=collector.env)
        done = rota("submit", "quick", json.dumps({"n": 7}), "--url", where.url, "--json", env=collector.env)
        assert done.returncode == 0, done.stderr
        before.signal(signal.SIGTERM)
        assert before.wait() == 0
        node = where.start_node()  # the trace rests in the store like the rest of the task
        worker = where.start_worker("--isolation", "process", app="hard_handlers:app", env=collector.env)
        waited = rota("wait", json.loads(done.stdout)["id"], "--url", where.url, "--timeout", "30")
        assert waited.returncode == 0, waited.stderr
        for process in (worker, node):
            process.signal(signal.SIGTERM)
            assert process.wait() == 0
        logs = node.log.read_text() + worker.log.read_text() + done.stderr
    submitted = collector.only("rota-client", "submit quick")
    accepted = collector.only("rota-node", "accept tasks")
    ran = collector.only("rota-worker", "run quick")
    assert submitted.trace_id == accepted.trace_id == ran.trace_id
    assert accepted.parent_span_id == ran.parent_span_id == submitted.span_id
    assert ran.start_time_unix_nano >= submitted.start_time_unix_nano
    assert ran.end_time_unix_nano >= ran.start_time_unix_nano
    assert collector.headers == {HEADER}
    assert HEADER not in logs


def test_a_submit_over_http_joins_the_trace_of_its_caller(tmp_path: Path, collector: Collector) -> None:
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with house(tmp_path) as where:
        where.start_node(env=collector.env)
        worker = where.start_worker(env=collector.env)
        request = urllib.request.Request(
            f"{where.url}/api/v1/execute",
            json.dumps({"method": "add", "params": {"a": 1, "b": 2}, "wait": 20}).encode(),
            {"content-type": "application/json", "traceparent": f"00-{trace}-{span}-01"},
        )
        with urllib.request.urlopen(request) as answer:
            assert json.loads(answer.read())["result"] == 3
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
    ran = collector.only("rota-worker", "run add")
    assert (ran.trace_id.hex(), ran.parent_span_id.hex()) == (trace, span)


def test_a_collector_that_is_away_holds_up_neither_work_nor_the_stop(tmp_path: Path) -> None:
    env = {"ROTA_OTEL": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with house(tmp_path) as where:
        node = where.start_node(env=env)
        worker = where.start_worker(env=env)
        done = rota("execute", "add", json.dumps({"a": 1, "b": 2}), "--url", where.url, "--wait-timeout", "30")
        assert done.stdout.strip() == "3", done.stderr
        for process in (worker, node):
            began = time.monotonic()
            process.signal(signal.SIGTERM)
            assert process.wait() == 0
            assert time.monotonic() - began < END_WITHIN + 3
