"""One run of a handler: an attempt in hand, with what it takes to run it and what became of it.

The link's thread makes it and reports it; the thread that runs the handler writes `started_at` and the outcome once, and
hands it back. `stopping` is written by the link's thread before the handler is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from rota.link.worker_end import Attempt
from rota.model.log import Progress
from rota.telemetry.redaction import without
from rota.worker.asked import Asked
from rota.worker.context import Ask, Context
from rota.worker.ending import Ending, Stopping
from rota.worker.handler import Handler

if TYPE_CHECKING:
    from rota.wire.v1.link_pb2 import Assignment
    from rota.worker.logs import LogBook


class Interruptible(Protocol):
    """The thread that runs a handler, as far as a run needs it."""

    def interrupt(self, run: Run) -> None: ...


class Run(Attempt, Asked, Ending):
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
    serial: int = 0
    """Its number in the child process that has it."""
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

    # ---------------------------------------------------------------- what its context reads

    @property
    def context(self) -> Context:
        if self._context is None:
            self._context = Context(self)
        return self._context

    @property
    def asked(self) -> Ask:
        return self.assignment

    @property
    def place(self) -> str:
        """File and line of the handler."""
        return self.handler.place

    @property
    def labels(self) -> Mapping[str, str]:
        return dict(self.assignment.labels)

    @property
    def why_stopping(self) -> Stopping | None:
        return self.stopping

    @property
    def cancelled(self) -> bool:
        return self.stopping is not None

    def mark(self, share: float, note: str) -> None:
        self.book.mark(self, share, without(note, self.secrets))

    def write(self, level: int, text: str) -> None:
        self.book.write(self, level, without(text, self.secrets))
