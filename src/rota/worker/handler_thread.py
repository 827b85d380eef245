"""`def` handlers, in threads that are kept and used again.

A thread that must stop its handler has an exception raised in it at its next bytecode. The exception is meant for one run
and never reaches another: it is set under a lock while that run is the thread's, and what is still pending when the run
ends is taken back before the thread goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import Any

from rota.telemetry import tracing
from rota.worker import traced
from rota.worker.context import Stopped, running
from rota.worker.run import Run

TRY_AGAIN = 1.0
"""Seconds until another thread is tried to be had."""
_logger = logging.getLogger("rota.worker")
_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in.argtypes = (ctypes.c_ulong, ctypes.py_object)
_raise_in.restype = ctypes.c_int
_take_back = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)


class HandlerThreads:
    """`after(run)` takes a run that has ended and gives the next, if that is for a thread. `loop` calls for another try."""

    def __init__(
        self,
        slots: int,
        now: Callable[[], int],
        max_payload: Callable[[], int],
        after: Callable[[Run], Run | None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._slots, self._loop = slots, loop
        self.now, self.max_payload, self.after = now, max_payload, after
        self._inbox: SimpleQueue[Run | None] = SimpleQueue()
        self._idle: deque[None] = deque()
        self._threads: list[HandlerThread] = []
        self._short = False

    def give(self, run: Run) -> None:
        """To an idle thread, else to a new one. From any thread; the caller has a slot for the run.

        With as many threads as slots one of them is idle, or will be in a moment: its slot is free already.
        """
        if len(self._threads) < self._slots and not self._take_idle():
            self._spawn(run)
        else:
            self._inbox.put(run)

    def rest(self) -> Run | None:
        """An idle thread waits here; None: there will be no more."""
        with contextlib.suppress(Empty):
            return self._inbox.get_nowait()
        self._idle.append(None)
        return self._inbox.get()

    def close(self, patience: float) -> None:
        """Ends the idle threads; those that still run a handler end with it, or with the process."""
        for _ in self._threads:
            self._inbox.put(None)
        for thread in self._threads:
            if thread.run_now is None:
                thread.join(patience)

    def _take_idle(self) -> bool:
        try:
            self._idle.pop()
        except IndexError:
            return False
        return True

    def _spawn(self, run: Run | None) -> None:
        thread = HandlerThread(self, run)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError as error:
            self._threads.remove(thread)
            self._do_without(run, error)
        else:
            self._short = False

    def _do_without(self, run: Run | None, error: RuntimeError) -> None:
        """The run waits for a thread that is there, or that may be had in a while."""
        if not self._short:
            self._short = True
            _logger.error(
                "%s: %d threads run handlers, of %d slots; tasks wait for those. Raise the limit of processes and threads "
                "(TasksMax= and LimitNPROC= in the service, or ulimit -u), or give this worker fewer slots",
                error,
                len(self._threads),
                self._slots,
            )
        if run is not None:
            self._inbox.put(run)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the worker stops
            self._loop.call_soon_threadsafe(self._loop.call_later, TRY_AGAIN, self._try_again)

    def _try_again(self) -> None:
        if not self._inbox.empty() and len(self._threads) < self._slots:
            self._spawn(None)


class HandlerThread(threading.Thread):
    """A daemon: a handler that does not end does not keep the process."""

    def __init__(self, pool: HandlerThreads, first: Run | None) -> None:
        super().__init__(name="rota-handler", daemon=True)
        self._pool = pool
        self._first: Run | None = first
        self._hands = threading.Lock()
        self.run_now: Run | None = None

    def interrupt(self, run: Run) -> None:
        """Raises Stopped in the handler, if it is still this run's. From any thread."""
        with self._hands:
            if self.run_now is run and self.ident is not None:
                run.injected = True
                _raise_in(self.ident, Stopped)

    def run(self) -> None:
        run, self._first = self._first or self._pool.rest(), None
        while run is not None:
            self._run_one(run)
            following = self._pool.after(run)
            run = following if following is not None else self._pool.rest()

    def _run_one(self, run: Run) -> None:
        while True:
            # Stopped may come between any two steps here, too; then the steps that are left are taken again.
            try:
                if run.verdict is None:
                    self._call(run)
                with self._hands:
                    self.run_now = None
                if run.injected:
                    _take_back(self.ident or 0, None)
                return
            except Stopped as stopped:
                if run.verdict is None:
                    run.raised(stopped, self._pool.now())

    def _call(self, run: Run) -> None:
        run.started_at = self._pool.now()
        run.thread = self
        self.run_now = run
        if run.stopping is not None:
            run.started_at = 0
            run.raised(Stopped(), 0)
            return
        try:
            value: Any = Context().run(_within, run)
        except BaseException as error:
            run.raised(error, self._pool.now())
        else:
            run.returned(value, self._pool.now(), self._pool.max_payload())


def _within(run: Run) -> Any:
    running.set(run)
    tracer = tracing.tracer
    return traced.call(tracer, run) if tracer else run.handler.call(run.assignment.params, run)
