"""Logs: bounded, with visible marks where something is missing."""

import logging
from typing import Any

import pytest

from rota.worker import logs
from rota.worker.context import Context, Retry, current, running
from rota.worker.logs import LogBook, capturing

from .sources import FakeSource


def book() -> LogBook:
    return LogBook(lambda: 7, lambda: None)


def texts(book_: LogBook) -> list[str]:
    found: list[str] = []
    while (frame := book_.take()) is not None:
        found += [line.text for entry in frame.report.entries for line in entry.lines]
    return found


def test_lines_and_the_newest_progress_go_out_by_task() -> None:
    log, one, two = book(), FakeSource(), FakeSource(id=b"\1" * 16, attempt=4)
    log.write(one, 20, "a")
    log.write(two, 40, "b")
    log.write(one, 20, "c")
    log.mark(two, 0.1, "x")
    log.mark(two, 0.9, "y")
    frame = log.take()
    assert frame is not None
    first, second = frame.report.entries
    assert [line.text for line in first.lines] == ["a", "c"]
    assert (second.attempt, second.lines[0].level, second.lines[0].at) == (4, 40, 7)
    assert (second.progress.share, second.progress.note) == (0.9, "y")
    assert log.take() is None


def test_a_tasks_log_is_cut_with_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_TASK_BYTES", 1000)
    log, source = book(), FakeSource()
    for _ in range(50):
        log.write(source, 20, "x" * 100)
    lines = texts(log)
    assert len(lines) == 8
    assert lines[-1].startswith("(truncated")


def test_a_long_line_is_cut() -> None:
    log = book()
    log.write(FakeSource(), 20, "x" * 100_000)
    (line,) = texts(log)
    assert len(line) < 17_000
    assert line.endswith("… (cut)")


def test_what_cannot_be_kept_leaves_a_gap_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_KEPT_BYTES", 500)
    log, source = book(), FakeSource()
    for number in range(20):
        log.write(source, 20, f"line {number}")
    lines = texts(log)
    assert lines[0] == "line 0"
    assert "lines are missing" in lines[-1]
    kept = len(lines) - 1
    assert f"({20 - kept} lines" in lines[-1]
    log.write(source, 20, "again")
    assert texts(log) == ["again"]


def test_a_report_frame_is_bounded() -> None:
    log, source = book(), FakeSource()
    for _ in range(200):
        log.write(source, 20, "x" * 16_000)
    frame = log.take()
    assert frame is not None
    assert frame.ByteSize() < 600_000
    assert len(texts(log)) > 100


def test_logging_is_captured_only_while_wanted_and_only_inside_handlers() -> None:
    source = FakeSource()
    logger = logging.getLogger("some.library")
    token = running.set(source)
    try:
        logger.warning("before")
        capturing.begin()
        capturing.begin()
        capturing.end()
        logger.warning("%s %d", "seen", 1)
        try:
            raise ValueError("with a traceback")
        except ValueError:
            logger.exception("went wrong")
        capturing.end()
        logger.warning("after")
    finally:
        running.reset(token)
    assert [level for level, _ in source.lines] == [30, 40]
    assert source.lines[0][1] == "seen 1"
    assert "ValueError: with a traceback" in source.lines[1][1]


def test_the_contexts_log_needs_no_configuration_and_no_context_variable() -> None:
    source = FakeSource()
    capturing.begin()
    try:
        source.context.log.debug("fine")
        source.context.log.info("with %s", "extra", extra={"user": 1})
    finally:
        capturing.end()
    assert source.lines == [(10, "fine"), (20, "with extra")]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_progress_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        FakeSource().context.progress(share)


@pytest.mark.parametrize("after", [-1, float("inf"), float("nan")])
def test_a_retry_waits_for_a_time_that_can_come(after: Any) -> None:
    with pytest.raises(ValueError, match="0 or more seconds"):
        Retry(after)


def test_outside_of_a_handler_there_is_no_current_task() -> None:
    with pytest.raises(Exception, match="no task runs here"):
        current()
    assert isinstance(FakeSource().context, Context)
