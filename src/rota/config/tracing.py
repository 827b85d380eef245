"""The setting `otel`, carried out: before the first link and the first task."""

from __future__ import annotations

from rota.model.errors import RefusesToStart
from rota.telemetry.tracing import switch_on


def trace_where_set(otel: str, service: str) -> None:
    """`otel`: the setting. Raises RefusesToStart (`no_otel`) where it is on and the library cannot be loaded."""
    if otel != "on":
        return
    try:
        switch_on(service)
    except ImportError as error:
        raise RefusesToStart(
            f"otel is on, and OpenTelemetry cannot be loaded ({error}); do: pip install 'rota[otel]'", code="no_otel"
        ) from error
