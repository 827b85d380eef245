"""Traces by OpenTelemetry: the driver behind `tracing`. Loaded only where tracing is switched on."""

from __future__ import annotations

import atexit
import os
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import unquote

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from rota.telemetry.redaction import redactor
from rota.telemetry.tracer import Attributes, Kind

LONGEST = 4_096
"""Characters of a message or a traceback in a span."""
MOST_LINKS = 128
END_WITHIN = 3.0
"""Seconds that the last spans have to leave when the process ends."""
_KINDS = {"producer": SpanKind.PRODUCER, "consumer": SpanKind.CONSUMER, "server": SpanKind.SERVER}


class OtelTracer:
    """Implements `Tracer`."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def inject(self) -> str:
        return _traceparent(trace.get_current_span())

    @contextmanager
    def span(
        self, name: str, kind: Kind, *, parent: str = "", links: Sequence[str] = (), attributes: Attributes
    ) -> Iterator[str]:
        with self._tracer.start_as_current_span(
            name,
            context=_context(parent),
            kind=_KINDS[kind],
            attributes=dict(attributes),
            links=[Link(_read(link)) for link in links[:MOST_LINKS]],
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield _traceparent(span)
            except BaseException as error:
                _fail(span, error)
                raise

    def record(
        self, name: str, kind: Kind, *, parent: str, began: int, ended: int, attributes: Attributes, error: str = ""
    ) -> None:
        span = self._tracer.start_span(
            name, context=_context(parent), kind=_KINDS[kind], attributes=dict(attributes), start_time=began * 1_000
        )
        if error:
            span.set_status(Status(StatusCode.ERROR, redactor.own(error)[:LONGEST]))
        span.end(ended * 1_000)


def begin(service: str) -> OtelTracer:
    """The program's own provider where it has set one, else one that exports as the OTEL_* variables say."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        _learn_headers()
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: service}
        provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
        if (exporter := _exporter()) is not None:
            provider.add_span_processor(BatchSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        atexit.register(_end, provider)
    return OtelTracer(trace.get_tracer("rota"))


def _end(provider: TracerProvider) -> None:
    """Sends what is left. A collector that is away does not keep the process: orchestrators count the seconds of a stop."""
    sending = threading.Thread(target=provider.shutdown, name="rota-traces", daemon=True)
    with suppress(RuntimeError):  # too late in the interpreter's own end
        sending.start()
        sending.join(END_WITHIN)


def _exporter() -> SpanExporter | None:
    match os.environ.get("OTEL_TRACES_EXPORTER", "otlp"):
        case "none":
            return None
        case "console":
            return ConsoleSpanExporter()
        case _:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            return OTLPSpanExporter()


def _learn_headers() -> None:
    """What the collector is shown is a secret like any other."""
    for variable in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
        for pair in os.environ.get(variable, "").split(","):
            value = unquote(pair.partition("=")[2]).strip()
            redactor.learn(value, value.rpartition(" ")[2])


def _traceparent(span: Span) -> str:
    context = span.get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _read(traceparent: str) -> SpanContext:
    """What `tracing.fit` let pass."""
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16) & 1))


def _context(parent: str) -> Context | None:
    """None: whatever is under way."""
    return trace.set_span_in_context(NonRecordingSpan(_read(parent))) if parent else None


def _fail(span: Span, error: BaseException) -> None:
    if not span.is_recording():
        return
    kind = type(error)
    told = redactor.own(f"{kind.__qualname__}: {error}")[:LONGEST]
    span.set_status(Status(StatusCode.ERROR, told))
    span.add_event(
        "exception",
        {
            "exception.type": f"{kind.__module__}.{kind.__qualname__}",
            "exception.message": told,
            "exception.stacktrace": redactor.own("".join(traceback.format_exception(error)))[-LONGEST:],
        },
    )
