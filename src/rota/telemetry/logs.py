"""The log of a node or a worker: one line an entry on stderr, without secrets, control characters escaped, not too long.

A line that is logged while a request is served names it.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

from rota.telemetry import request_id
from rota.telemetry.redaction import redactor
from rota.telemetry.safe import json_text, many_lines, one_line

LONGEST, LONGEST_TRACEBACK = 16 * 1024, 32 * 1024
"""Characters."""
_CUT = " … (cut)"


def log_to_stderr(level: str, form: str) -> None:
    """`form` is text or json."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("picows").setLevel(logging.WARNING)  # it tells of each socket; the worker tells of its links


class TextLines(logging.Formatter):
    """For people."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone().isoformat(timespec="milliseconds")
        request = f" [{said}]" if (said := request_id.current()) else ""
        line = f"{at} {record.levelname.lower():<8} {record.name}:{request} {one_line(_event(record))}"
        trace = _trace(self, record)
        return line + (f"\n{many_lines(trace)}" if trace else "")


class JsonLines(logging.Formatter):
    """For machines: timestamp, level, logger, event; request_id and exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        entry = {"timestamp": at, "level": record.levelname.lower(), "logger": record.name, "event": _event(record)}
        if said := request_id.current():
            entry["request_id"] = said
        if trace := _trace(self, record):
            entry["exception"] = trace
        return json_text(entry)


def _event(record: logging.LogRecord) -> str:
    text = redactor.clean(record.getMessage())
    return text if len(text) <= LONGEST else text[:LONGEST] + _CUT


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The traceback; of a long one the end, which says what was raised."""
    if not record.exc_info:
        return ""
    text = redactor.clean(formatter.formatException(record.exc_info))
    return text if len(text) <= LONGEST_TRACEBACK else _CUT.strip() + "\n" + text[-LONGEST_TRACEBACK:]
