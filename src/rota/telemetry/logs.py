"""The log of a node or a worker: one line an entry on stderr, control characters escaped."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

from rota.telemetry.safe import json_text, many_lines, one_line


def log_to_stderr(level: str, form: str) -> None:
    """`form` is text or json."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("picows").setLevel(logging.WARNING)  # it tells of each socket; the worker tells of its links


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone().isoformat(timespec="milliseconds")
        line = f"{at} {record.levelname.lower():<8} {record.name}: {one_line(record.getMessage())}"
        return line + (f"\n{many_lines(self.formatException(record.exc_info))}" if record.exc_info else "")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        entry = {
            "timestamp": at,
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json_text(entry)
