"""Lines and progress of handlers on their way to the node: gathered, bounded, best effort.

Whatever a handler logs by `logging` or `ctx.log` becomes lines of its task; what it prints does not. A task's log holds
10 MiB, then one line says that it was cut. What cannot be sent because the link is away is dropped beyond 8 MiB, and a
line says how many are missing.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from rota.model.log import LogLine, Progress
from rota.telemetry.redaction import redactor
from rota.wire.codec_view import write_line, write_progress
from rota.wire.v1.link_pb2 import Frame, Report
from rota.worker.context import CARRIES, LOGGER, Source, running

EVERY = 0.2
"""Seconds between two reports, at least."""
MAX_TASK_BYTES = 10 * 1024 * 1024
MAX_KEPT_BYTES = 8 * 1024 * 1024
MAX_LINE = 16 * 1024
FRAME_BYTES = 512 * 1024
Entries = dict[tuple[bytes, int], Report.Entry]


class Writer(Protocol):
    """A run, as far as its log is concerned."""

    id: bytes
    attempt: int
    logged: int
    progress: Progress | None


class LogBook:
    """Written to from any thread; `take` is the link's. `stirred` is called when there is something new."""

    def __init__(self, now: Callable[[], int], stirred: Callable[[], None]) -> None:
        self._now, self._stirred = now, stirred
        self._lines: deque[tuple[Writer, LogLine]] = deque()
        self._progress: dict[bytes, Writer] = {}
        self._kept = 0
        self._missing: dict[bytes, tuple[Writer, int]] = {}
        self._hands = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._lines or self._progress)

    def write(self, writer: Writer, level: int, text: str, at: int | None = None) -> None:
        """`at`: when it was written, where that is not now."""
        text = redactor.own(text)
        if len(text) > MAX_LINE:
            text = text[:MAX_LINE] + " … (cut)"
        with self._hands:
            if writer.logged > MAX_TASK_BYTES:
                return
            size = len(text) + 32
            writer.logged += size
            if writer.logged > MAX_TASK_BYTES:
                text = "(truncated: a task's log holds 10 MiB; what follows is not kept)"
            if self._kept > MAX_KEPT_BYTES:
                _, count = self._missing.get(writer.id, (writer, 0))
                self._missing[writer.id] = (writer, count + 1)
                return
            self._kept += size
            self._lines.append((writer, LogLine(writer.attempt, self._now() if at is None else at, level, text)))
        self._stirred()

    def mark(self, writer: Writer, share: float, note: str) -> None:
        """The newest progress of each task is what the next report carries."""
        with self._hands:
            writer.progress = Progress(writer.attempt, self._now(), share, redactor.own(note)[:MAX_LINE])
            self._progress[writer.id] = writer
        self._stirred()

    def take(self) -> Frame | None:
        """The next report, or None."""
        with self._hands:
            if not self._lines and not self._progress:
                return None
            frame = Frame()
            entries: Entries = {}
            self._write_lines(frame, entries)
            if not self._lines:
                self._write_progress(frame, entries)
                self._write_gaps(frame, entries)
            return frame

    # --- inside

    def _write_lines(self, frame: Frame, entries: Entries) -> None:
        room = FRAME_BYTES
        while self._lines and room > 0:
            writer, line = self._lines.popleft()
            write_line(line, _entry(frame, entries, writer).lines.add())
            size = len(line.text) + 32
            self._kept -= size
            room -= size

    def _write_progress(self, frame: Frame, entries: Entries) -> None:
        for writer in self._progress.values():
            if writer.progress is not None:
                write_progress(writer.progress, _entry(frame, entries, writer).progress)
        self._progress.clear()

    def _write_gaps(self, frame: Frame, entries: Entries) -> None:
        for writer, count in self._missing.values():
            text = f"({count} lines are missing: the link to the node was away for too long)"
            line = LogLine(writer.attempt, self._now(), logging.WARNING, text)
            write_line(line, _entry(frame, entries, writer).lines.add())
        self._missing.clear()


def _entry(frame: Frame, entries: Entries, writer: Writer) -> Report.Entry:
    key = (writer.id, writer.attempt)
    entry = entries.get(key)
    if entry is None:
        entry = entries[key] = frame.report.entries.add(id=writer.id, attempt=writer.attempt)
    return entry


# ---------------------------------------------------------------- capture


class _Capture(logging.Handler):
    """Gives records to the task whose code made them; others pass by."""

    def emit(self, record: logging.LogRecord) -> None:
        source: Source | None = getattr(record, CARRIES, None) or running.get(None)
        if source is None:
            return
        try:
            source.write(record.levelno, self.format(record))
        except Exception:
            self.handleError(record)


class Capturing:
    """The capture on the root logger, there while at least one worker of the process wants it."""

    def __init__(self) -> None:
        self._handler = _Capture()
        self._wanted = 0
        self._hands = threading.Lock()

    def begin(self) -> None:
        with self._hands:
            self._wanted += 1
            if self._wanted == 1:
                logging.getLogger().addHandler(self._handler)
                task_logger = logging.getLogger(LOGGER)
                if task_logger.level == logging.NOTSET:
                    task_logger.setLevel(logging.DEBUG)

    def end(self) -> None:
        with self._hands:
            self._wanted -= 1
            if self._wanted == 0:
                logging.getLogger().removeHandler(self._handler)


capturing = Capturing()
