"""Submits as spans: one a batch. Used only while this process traces."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from rota.model.submission import Submission
from rota.telemetry.tracer import Tracer
from rota.telemetry.tracing import fit

T = TypeVar("T")


async def accepting(tracer: Tracer, batch: Sequence[Submission], work: Awaitable[T]) -> T:
    """What `work` answers. Its span is in the trace of whoever submitted, where all tasks come from one span; else it is
    linked to each of theirs. Tasks that nobody traces make none."""
    traces = list(dict.fromkeys(trace for submission in batch if (trace := fit(submission.trace))))
    if not traces:
        return await work
    with tracer.span(
        "accept tasks",
        "server",
        parent=traces[0] if len(traces) == 1 else "",
        links=traces if len(traces) > 1 else (),
        attributes={"messaging.system": "rota", "messaging.batch.message_count": len(batch)},
    ):
        return await work
