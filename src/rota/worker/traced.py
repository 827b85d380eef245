"""Runs of handlers as spans. Used only while this process traces."""

from __future__ import annotations

from typing import Any

from rota.model.text import task_id_text
from rota.telemetry.tracer import Attributes, Tracer
from rota.telemetry.tracing import fit
from rota.worker.run import Run


def call(tracer: Tracer, run: Run) -> Any:
    """What a `def` handler returns. Spans that it makes itself belong to its own."""
    with tracer.span(_name(run), "consumer", parent=fit(run.assignment.trace), attributes=_attributes(run)):
        return run.handler.call(run.assignment.params, run)


async def acall(tracer: Tracer, run: Run) -> Any:
    """The same of an `async def` handler."""
    with tracer.span(_name(run), "consumer", parent=fit(run.assignment.trace), attributes=_attributes(run)):
        return await run.handler.call(run.assignment.params, run)


def record(tracer: Tracer, run: Run) -> None:
    """A run that is over, in another process."""
    tracer.record(
        _name(run),
        "consumer",
        parent=fit(run.assignment.trace),
        began=run.started_at,
        ended=run.started_at + run.ran,
        attributes=_attributes(run),
        error=f"{run.failure.error_type}: {run.failure.message}" if run.failure is not None else "",
    )


def _name(run: Run) -> str:
    return f"run {run.assignment.method}"


def _attributes(run: Run) -> Attributes:
    asked = run.assignment
    said: dict[str, str | int] = {
        "messaging.system": "rota",
        "messaging.operation.type": "process",
        "messaging.destination.name": asked.method,
        "messaging.message.id": task_id_text(run.id),
        "rota.attempt": run.attempt,
    }
    if asked.group:
        said["rota.group"] = asked.group
    return said
