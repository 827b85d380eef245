"""Outcomes, log lines and progress on their way to the node: together, lines first, again until they are confirmed."""

from __future__ import annotations

import logging
from collections.abc import Callable

from rota.life.failpoint import failpoint
from rota.link.worker_end import WorkerEnd
from rota.model.text import task_id_text
from rota.wire.v1.link_pb2 import Frame
from rota.worker.bell import Bell
from rota.worker.logs import EVERY, LogBook
from rota.worker.post import Post
from rota.worker.run import Run

_logger = logging.getLogger("rota.worker")


class Outbox:
    """Lives in the link's loop; only `book` is written to from other threads. `moved` is called when there may be more
    or less to send than before."""

    def __init__(self, post: Post, end: WorkerEnd[Run], now: Callable[[], int], moved: Callable[[], None]) -> None:
        self._post, self._end, self._moved = post, end, moved
        self.book = LogBook(now, Bell(post.loop, self._report_soon).ring)

    def flush(self) -> None:
        """Sends what can be sent now."""
        self._report()
        while (frame := self._end.outcomes(self._post.time())) is not None:
            failpoint("worker.before_finish")
            self._post.send(frame)
        resumes_at = self._end.resumes_at
        if resumes_at is not None and resumes_at > self._post.time():
            self._post.arm("resume", resumes_at - self._post.time(), self.flush)
        self._moved()

    def confirmed(self, frame: Frame) -> None:
        for refusal in self._end.confirmed(frame.request, frame.finished):
            why = refusal.detail or refusal.code
            _logger.info("the outcome of task %s was not kept: %s", task_id_text(refusal.attempt.id), why)
        self.flush()

    def refused(self, frame: Frame) -> None:
        for attempt in self._end.failed(frame.request, frame.failure, self._post.time()):
            _logger.error("the node refused the outcome of task %s: %s", task_id_text(attempt.id), frame.failure.detail)
        self.flush()

    # --- inside

    def _report_soon(self) -> None:
        if not self._post.is_armed("report"):
            self._post.arm("report", EVERY, self._report)

    def _report(self) -> None:
        if not self.book:
            return
        self._post.disarm("report")
        while self._end.registered and (frame := self.book.take()) is not None:
            self._post.send(frame)
