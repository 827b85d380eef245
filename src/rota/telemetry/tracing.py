"""Traces across client, node and worker; silent unless switched on.

A task carries the W3C `traceparent` of who submitted it. `tracer` is None while nothing is traced: whoever makes spans
looks at it first, once a batch or once a task, and does nothing more. OpenTelemetry is loaded by `switch_on`, never before.
"""

from __future__ import annotations

import logging
import os
import re

from rota.telemetry.tracer import Tracer

VARIABLE = "ROTA_OTEL"
_FIT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_logger = logging.getLogger("rota.tracing")

tracer: Tracer | None = None
_cannot = False
"""The library was asked for, and is not there."""


def fit(said: str | None) -> str:
    """A traceparent as it was said by somebody outside, or empty where it is none."""
    return said if said is not None and _FIT.fullmatch(said) else ""


def switch_on(service: str) -> None:
    """Traces from now on, as the OTEL_* variables say. `service`: the name where OTEL_SERVICE_NAME gives none.

    Raises ImportError where the extra `otel` is not installed. May be called again.
    """
    global tracer
    if tracer is None:
        from rota.telemetry.otel import begin

        tracer = begin(service)


def switch_on_where_asked(service: str) -> None:
    """For clients and workers inside other programs: the variable decides. Without the library it is told, once."""
    global _cannot
    if tracer is None and not _cannot and os.environ.get(VARIABLE, "").lower() == "on":
        try:
            switch_on(service)
        except ImportError as error:
            _cannot = True
            _logger.warning("%s is on, and nothing is traced: %s; do: pip install 'rota[otel]'", VARIABLE, error)
