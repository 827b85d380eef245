"""Watches what runs: tells late of starts, keeps run timeouts, and stops handlers as far as Python allows.

A run shorter than `LATE` costs nothing here. The look comes that long after something was started, and never while
nothing changes. A handler that has to stop is told, told again, and after a while given up: its slot stays taken until it
returns, but its task does not wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from rota.link.worker_end import Attempt
from rota.worker.ending import Stopping
from rota.worker.executor import Executor
from rota.worker.run import Run

LATE = 0.05
"""Seconds after which a run is told of as started, and its timeout is kept to the millisecond."""
AGAIN = 0.5
"""Seconds between two words to a handler that has to stop."""
ASYNC_PATIENCE, THREAD_PATIENCE, PROCESS_PATIENCE = 10.0, 1.75, 1.0
"""Seconds after which a handler that was told to stop is given up. A thread may be deep in a call that cannot be
interrupted, which no waiting changes; a coroutine may be cleaning up; a process can be killed."""


class Watch:
    """Lives in the link's loop. `late(runs)` is called with runs whose start is to be told of, `given_up(run)` once for
    each handler that cannot be stopped."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        executor: Executor,
        now: Callable[[], int],
        held: Callable[[], Iterable[Attempt]],
        late: Callable[[list[Run]], None],
        given_up: Callable[[Run], None],
    ) -> None:
        self._loop, self._executor, self._now, self._held = loop, executor, now, held
        self._late, self._given_up = late, given_up
        self._look_soon: asyncio.TimerHandle | None = None
        self.async_patience, self.thread_patience = ASYNC_PATIENCE, THREAD_PATIENCE

    def started(self) -> None:
        """Something was, or may have been, started."""
        if self._look_soon is None:
            self._look_soon = self._loop.call_later(LATE, self._look)

    def stop(self, run: Run, why: Stopping) -> None:
        """Tells a handler to stop. That the task is no longer this worker's goes over any other reason."""
        if run.over:
            return
        if run.stopping is None or why is Stopping.LOST:
            told = run.stopping is not None
            run.stopping = why
            if not told:
                run.forget_timer()
                run.told_since = self._loop.time()
                self._tell(run)

    def over(self, run: Run) -> None:
        """It has been handed back."""
        run.over = True
        run.forget_timer()

    def close(self) -> None:
        if self._look_soon is not None:
            self._look_soon.cancel()
        for attempt in self._held():
            if isinstance(attempt, Run):
                attempt.forget_timer()

    # --- inside

    def _look(self) -> None:
        self._look_soon = None
        now, late, again = self._now(), list[Run](), False
        for run in self._held():
            if not isinstance(run, Run) or run.watched or not run.started_at or run.verdict is not None:
                continue
            if now - run.started_at < LATE * 1e6 * 0.9:
                again = True
                continue
            run.watched = True
            if not run.declared:
                late.append(run)
            if run.timeout and run.stopping is None:
                left = (run.started_at + run.timeout - now) / 1e6
                run.timer = self._loop.call_later(max(0.0, left), self._time_out, run)
        if late:
            self._late(late)
        if again:
            self.started()

    def _time_out(self, run: Run) -> None:
        run.timer = None
        self.stop(run, Stopping.TIMED_OUT)

    def _tell(self, run: Run) -> None:
        run.timer = None
        patience = self._patience(run)
        if self._loop.time() - run.told_since >= patience:
            self._given_up(run)
            return
        self._executor.interrupt(run)
        run.timer = self._loop.call_later(min(AGAIN, patience), self._tell, run)

    def _patience(self, run: Run) -> float:
        if run.handler.isolated:
            return min(PROCESS_PATIENCE, self.thread_patience)
        return self.async_patience if run.handler.is_async else self.thread_patience
