"""`def` handlers, in threads that are kept and used again.

A thread that must stop its handler has an exception raised in it at its next bytecode. The exception is meant for one run
and never reaches another: it is set under a lock while that run is the thread's, and what is still pending when the run
ends is taken back before the thread goes on.
"""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context
from queue import SimpleQueue
from typing import Any

from rota.worker.context import Stopped, running
from rota.worker.run import Run

_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in.argtypes = (ctypes.c_ulong, ctypes.py_object)
_raise_in.restype = ctypes.c_int
_take_back = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)


class HandlerThreads:
    """`after(run)` takes a run that has ended and gives the next, if that is for a thread."""

    def __init__(
        self, slots: int, now: Callable[[], int], max_payload: Callable[[], int], after: Callable[[Run], Run | None]
    ) -> None:
        self._slots = slots
        self.now, self.max_payload, self.after = now, max_payload, after
        self._inbox: SimpleQueue[Run | None] = SimpleQueue()
        self._idle: deque[None] = deque()
        self._threads: list[HandlerThread] = []

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

    def _spawn(self, run: Run) -> None:
        thread = HandlerThread(self, run)
        self._threads.append(thread)
        thread.start()


class HandlerThread(threading.Thread):
    """A daemon: a handler that does not end does not keep the process."""

    def __init__(self, pool: HandlerThreads, first: Run) -> None:
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
        run, self._first = self._first, None
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
    return run.handler.call(run.assignment.params, run)
