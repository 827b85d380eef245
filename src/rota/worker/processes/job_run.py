"""One run of a handler inside a child process: what its context reads, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping

from rota.life.clock import Clock
from rota.model.failure import Failure
from rota.model.report import Verdict
from rota.telemetry.redaction import without
from rota.worker.asked import Asked
from rota.worker.context import Ask, Context
from rota.worker.ending import Ending, Stopping
from rota.worker.handler import Handler
from rota.worker.processes.board import Board
from rota.worker.processes.channel import Channel
from rota.worker.processes.messages import Answer, Job, Line, Mark


class JobRun(Asked, Ending):
    """A Source for contexts."""

    def __init__(self, job: Job, handler: Handler, board: Board, channel: Channel, clock: Clock) -> None:
        self._job, self._board, self._channel, self._clock = job, board, channel, clock
        self.handler = handler
        self.id, self.attempt = job.id, job.attempt
        self.started_at = clock.now()
        self.ran = 0
        self.verdict: Verdict | None = None
        self.result = b""
        self.failure: Failure | None = None
        self.retry_after: int | None = None
        self._context: Context | None = None

    def answer(self) -> Answer:
        failure = self.failure
        return Answer(
            self._job.serial,
            int(self.verdict or 0),
            self.result,
            self.started_at,
            self.ran,
            self.retry_after,
            (failure.types, failure.message, failure.traceback) if failure is not None else None,
        )

    @property
    def why_stopping(self) -> Stopping | None:
        return Stopping(self._board.why) if self._board.stopped == self._job.serial else None

    # ---------------------------------------------------------------- what its context reads

    @property
    def context(self) -> Context:
        if self._context is None:
            self._context = Context(self)
        return self._context

    @property
    def asked(self) -> Ask:
        return self._job

    @property
    def labels(self) -> Mapping[str, str]:
        return self._job.labels or {}

    @property
    def cancelled(self) -> bool:
        return self._board.stopped == self._job.serial

    def mark(self, share: float, note: str) -> None:
        self._channel.send(Mark(self._job.serial, share, without(note, self.secrets)))

    def write(self, level: int, text: str) -> None:
        self._channel.send(Line(self._job.serial, level, without(text, self.secrets), self._clock.now()))
