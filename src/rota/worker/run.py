"""One run of a handler: an attempt in hand, with what it takes to run it and what became of it.

The link's thread makes it and reports it; the thread that runs the handler writes `started_at` and the outcome once, and
hands it back. `stopping` is written by the link's thread before the handler is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from rota.link.worker_end import Attempt
from rota.model.failure import Failure
from rota.model.log import Progress
from rota.model.report import Verdict
from rota.worker.context import Cancel, Context, Retry
from rota.worker.failures import failure_of
from rota.worker.handler import BadParams, Handler

if TYPE_CHECKING:
    from rota.wire.v1.link_pb2 import Assignment
    from rota.worker.logs import LogBook


class Interruptible(Protocol):
    """The thread that runs a handler, as far as a run needs it."""

    def interrupt(self, run: Run) -> None: ...


class Stopping(Enum):
    """Why a running handler is told to stop."""

    TIMED_OUT = "timed out"
    ASKED = "stopped"
    """By the node: somebody cancelled the task."""
    LOST = "lost"
    """The task is no longer this worker's."""
    DRAINING = "draining"


class Run(Attempt):
    """Fields that most runs never use are defaults of the class."""

    stopping: Stopping | None = None
    dropped: bool = False
    """Not this worker's any more: whatever comes of it is not reported."""
    abandoned: bool = False
    """Reported without its handler, which goes on."""
    over: bool = False
    """Handed back, seen by the link's thread only."""
    watched: bool = False
    task: asyncio.Task[None] | None = None
    """Drives the coroutine, once that has suspended."""
    thread: Interruptible | None = None
    injected: bool = False
    timer: asyncio.TimerHandle | None = None
    told_since: float = 0.0
    logged: int = 0
    progress: Progress | None = None
    _context: Context | None = None

    def __init__(self, assignment: Assignment, handler: Handler, book: LogBook) -> None:
        super().__init__(assignment)
        self.handler = handler
        self.book = book

    def forget_timer(self) -> None:
        """Nothing is to happen to it any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    # ---------------------------------------------------------------- outcomes

    def returned(self, value: Any, now: int, max_payload: int) -> None:
        """The handler gave a value back."""
        try:
            result = self.handler.encode(value)
        except Exception as error:
            self.raised(error, now)
            return
        self.ran = now - self.started_at
        if len(result) > max_payload:
            self.failure = Failure(("ResultTooLarge",), _too_large(len(result), max_payload))
            self.verdict = Verdict.RESULT_TOO_LARGE
            return
        self.result = result
        self.verdict = Verdict.SUCCEEDED

    def raised(self, error: BaseException, now: int) -> None:
        """The handler raised, or was made to."""
        self.result = b""
        self.ran = max(0, now - self.started_at) if self.started_at else 0
        if isinstance(error, BadParams):
            self.failure, verdict = Failure(("InvalidParams",), str(error)), Verdict.INVALID_PARAMS
        elif self.stopping is Stopping.TIMED_OUT and not isinstance(error, (Retry, Cancel)):
            self.failure, verdict = self.timeout_failure(error), Verdict.TIMED_OUT
        elif self.stopping not in (None, Stopping.TIMED_OUT):
            self.failure, verdict = None, Verdict.STOPPED
        elif isinstance(error, Retry):
            self.retry_after = None if error.after is None else round(error.after * 1_000_000)
            self.failure, verdict = Failure(("rota.Retry",), error.message), Verdict.RETRY
        elif isinstance(error, Cancel):
            self.failure, verdict = Failure(message=error.reason), Verdict.CANCELLED
        else:
            self.failure, verdict = failure_of(error), Verdict.RAISED
        self.verdict = verdict

    def timeout_failure(self, error: BaseException | None = None) -> Failure:
        """With the place where the handler was, as far as it is known."""
        where = failure_of(error).traceback if error is not None else ""
        return Failure(
            ("TimeoutError", "OSError", "Exception"),
            f"it ran longer than its timeout of {self.timeout / 1e6:g} s",
            where,
        )

    # ---------------------------------------------------------------- what its context reads

    @property
    def context(self) -> Context:
        if self._context is None:
            self._context = Context(self)
        return self._context

    @property
    def method(self) -> str:
        return self.assignment.method

    @property
    def version(self) -> int:
        return self.handler.version

    @property
    def group(self) -> str | None:
        return self.assignment.group or None

    @property
    def failures(self) -> int:
        return self.assignment.failures

    @property
    def retries(self) -> int:
        return self.assignment.retries

    @property
    def created_at(self) -> int:
        return self.assignment.created_at

    @property
    def fire_at(self) -> int:
        return self.assignment.fire_at

    @property
    def timeout(self) -> int:
        return self.assignment.timeout

    @property
    def labels(self) -> Mapping[str, str]:
        return dict(self.assignment.labels)

    @property
    def cancelled(self) -> bool:
        return self.stopping is not None

    def mark(self, share: float, note: str) -> None:
        self.book.mark(self, share, note)

    def write(self, level: int, text: str) -> None:
        self.book.write(self, level, text)


def _too_large(size: int, limit: int) -> str:
    return f"{size} bytes of result; the limit is {limit}. Store it elsewhere and return its address"
