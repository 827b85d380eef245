"""One trace from whoever submits over the node to the handler and what it does; nothing at all while it is off."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from rota import TaskFailed
from rota.client.call import call
from rota.client.client import AsyncClient
from rota.config.tracing import trace_where_set
from rota.house.local import LocalNode, local_node
from rota.model.errors import RefusesToStart
from rota.telemetry import tracing
from rota.telemetry.otel import OtelTracer
from rota.telemetry.redaction import redactor
from rota.worker.runtime import Worker

CANARY = "tr4cing-canary-1234567890abcdef"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    own = TracerProvider()
    own.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", OtelTracer(own.get_tracer("rota")))
    yield exporter
    own.shutdown()


@pytest.fixture
async def node() -> AsyncIterator[LocalNode]:
    made = local_node()
    await made.start()
    yield made
    await made.stop()


async def house(node: LocalNode, **handlers: object) -> tuple[Worker, AsyncClient]:
    worker = Worker(dial=node.dial)
    for name, handler in handlers.items():
        worker.register_method(name, handler)  # type: ignore[arg-type]
    await worker.astart()
    return worker, AsyncClient(dial=node.dial)


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == name]


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent is not None else None


async def test_one_trace_leads_from_the_client_over_the_node_to_what_the_handler_does(
    node: LocalNode, spans: InMemorySpanExporter
) -> None:
    async def awaits(params: int) -> int:
        await asyncio.sleep(0)
        with tracing.tracer.span("inside awaits", "producer", attributes={}):  # type: ignore[union-attr]
            return params + 1

    def in_thread(params: int) -> int:
        with tracing.tracer.span("inside in_thread", "producer", attributes={}):  # type: ignore[union-attr]
            return params + 2

    worker, client = await house(node, awaits=awaits, in_thread=in_thread)
    for name in ("awaits", "in_thread"):
        async with asyncio.timeout(10):
            await client.execute(name, 1)
        (submitted,), (ran,) = named(spans, f"submit {name}"), named(spans, f"run {name}")
        (inside,) = named(spans, f"inside {name}")
        assert submitted.context is not None
        assert ran.context is not None
        (accepted,) = [span for span in named(spans, "accept tasks") if parent_of(span) == submitted.context.span_id]
        assert {each.context.trace_id for each in (submitted, accepted, ran, inside)} == {submitted.context.trace_id}
        assert parent_of(ran) == submitted.context.span_id
        assert parent_of(inside) == ran.context.span_id
        assert [each.kind for each in (submitted, accepted, ran)] == [
            SpanKind.PRODUCER,
            SpanKind.SERVER,
            SpanKind.CONSUMER,
        ]
        assert ran.attributes is not None
        assert ran.attributes["messaging.destination.name"] == name
    await client.close()
    await worker.astop()


async def test_a_batch_of_several_submitters_is_one_span_linked_to_each(
    node: LocalNode, spans: InMemorySpanExporter
) -> None:
    client = AsyncClient(dial=node.dial)
    await client.submit_many([call("add", [n, n]) for n in range(20)])
    (accepted,) = named(spans, "accept tasks")
    submitted = {span.context.span_id for span in named(spans, "submit add") if span.context is not None}
    assert len(submitted) == 20
    assert {link.context.span_id for link in accepted.links} == submitted
    await client.close()


async def test_a_handler_that_submits_goes_on_with_its_trace(node: LocalNode, spans: InMemorySpanExporter) -> None:
    done = asyncio.Event()

    async def first(_: object) -> None:
        await client.submit("second")

    async def second(_: object) -> None:
        done.set()

    worker, client = await house(node, first=first, second=second)
    await client.submit("first")
    async with asyncio.timeout(10):
        await done.wait()
    await worker.astop()
    await client.close()
    names = ("submit first", "run first", "submit second", "run second")
    chain = [named(spans, name)[0] for name in names]
    for above, below in pairwise(chain):
        assert above.context is not None
        assert parent_of(below) == above.context.span_id, below.name


@pytest.mark.parametrize("waits", [False, True])
async def test_a_handler_that_raises_fails_its_span_without_the_secrets_of_the_process(
    node: LocalNode, spans: InMemorySpanExporter, waits: bool
) -> None:
    redactor.learn(CANARY)

    async def fails(_: object) -> None:
        if waits:
            await asyncio.sleep(0)
        raise ValueError(f"no {CANARY}")

    worker, client = await house(node, fails=fails)
    with pytest.raises(TaskFailed) as caught:
        async with asyncio.timeout(10):
            await client.execute("fails")
    await client.close()
    await worker.astop()
    (ran,) = named(spans, "run fails")
    assert ran.status.status_code is StatusCode.ERROR
    assert "no ***" in (ran.status.description or "")
    assert CANARY not in ran.to_json()
    assert "test_tracing.py" in caught.value.traceback
    assert "traced.py" not in caught.value.traceback


async def test_a_trace_from_outside_is_gone_on_with_and_a_bad_one_dropped(
    node: LocalNode, spans: InMemorySpanExporter
) -> None:
    ran = asyncio.Event()

    async def add(_: object) -> None:
        ran.set()

    worker, client = await house(node, add=add)
    for said, parent in ((TRACEPARENT, 0xB7AD6B7169203331), ("not-a-trace\r\n", None)):
        ran.clear()
        spans.clear()
        new = call("add").new()
        new.trace = said
        spans.clear()
        answered = asyncio.get_running_loop().create_future()
        client.core.submit_frame([new], answered.set_result)
        async with asyncio.timeout(10):
            await answered
            await ran.wait()
            while not named(spans, "run add"):
                await asyncio.sleep(0.01)
        assert parent_of(named(spans, "run add")[0]) == parent
    await client.close()
    await worker.astop()


async def test_while_it_is_off_tasks_carry_nothing(node: LocalNode) -> None:
    assert tracing.tracer is None
    assert call("add").new().trace == ""


@pytest.mark.parametrize(
    ("said", "fit"),
    [
        (TRACEPARENT, TRACEPARENT),
        (None, ""),
        ("", ""),
        (TRACEPARENT.upper(), ""),
        (TRACEPARENT + "-more", ""),
        (TRACEPARENT + "\n", ""),
        ("ff" + TRACEPARENT[2:], ""),
        ("00-" + "0" * 32 + TRACEPARENT[35:], ""),
        (TRACEPARENT[:36] + "0" * 16 + "-01", ""),
    ],
)
def test_only_a_traceparent_is_taken_for_one(said: str | None, fit: str) -> None:
    assert tracing.fit(said) == fit


def test_importing_rota_and_making_a_client_loads_no_opentelemetry_unless_asked() -> None:
    code = (
        "import sys, os, rota, rota.house, rota.cli.app, rota.worker.runtime\n"
        "c = rota.Client('http://127.0.0.1:1'); w = rota.Worker('http://127.0.0.1:1')\n"
        "print(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    for said, loaded in (("off", "False"), ("on", "True")):
        env = {"PATH": "/usr/bin:/bin", "ROTA_OTEL": said, "OTEL_TRACES_EXPORTER": "none"}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == loaded, said


def test_a_library_that_is_not_there_is_told_once_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ROTA_OTEL", "on")
    monkeypatch.setattr(tracing, "_cannot", False)
    monkeypatch.setitem(sys.modules, "rota.telemetry.otel", None)
    for _ in range(2):
        AsyncClient("http://127.0.0.1:1")
    assert [record.getMessage() for record in caplog.records if "rota[otel]" in record.getMessage()] != []
    assert len([record for record in caplog.records if record.name == "rota.tracing"]) == 1
    assert tracing.tracer is None
    with pytest.raises(RefusesToStart, match=r"rota\[otel\]"):
        trace_where_set("on", "rota-node")
    trace_where_set("off", "rota-node")
