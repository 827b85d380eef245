"""Assigned runs on their way into the executor.

A start is declared before the handler can begin: the frame is sent, the carrier gets its turn of the loop, and only the
turn after that hands the runs over. What comes meanwhile lines up behind, so that the order of assignment is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from rota.life.clock import Clock
from rota.life.failpoint import failpoint
from rota.link.worker_end import WorkerEnd
from rota.worker.executor import Executor
from rota.worker.post import Post
from rota.worker.run import Run


class Batch(NamedTuple):
    """The first `slotted` of the runs have their slot, and are declared."""

    runs: list[Run]
    slotted: int


class Intake:
    """Lives in the link's loop. `started` is called when runs were handed over."""

    def __init__(
        self, post: Post, end: WorkerEnd[Run], executor: Executor, clock: Clock, started: Callable[[], None]
    ) -> None:
        self._post, self._end, self._executor, self._clock = post, end, executor, clock
        self._started = started
        self._coming: deque[Batch] = deque()
        self._to_announce: list[Run] = []

    def take(self, runs: list[Run]) -> None:
        """New ones: as many as there are free slots begin now, the rest when its turn comes."""
        slotted = 0
        if not any(batch.slotted < len(batch.runs) for batch in self._coming):
            slotted = self._executor.reserve(len(runs))
        if slotted:
            self.declare(runs[:slotted])
        self._bring(Batch(runs, slotted))

    def announce(self) -> None:
        """Suspects of having killed a worker, which have their slot: told of first, begun then."""
        while self._executor.to_announce:
            self._to_announce.append(self._executor.to_announce.popleft())
        if not self._to_announce or not self._end.registered:
            return
        wanted = [run for run in self._to_announce if _is_wanted(run)]
        if len(wanted) < len(self._to_announce):
            self._executor.unreserve(len(self._to_announce) - len(wanted))
        self._to_announce.clear()
        if wanted:
            self.declare(wanted)
            self._bring(Batch(wanted, len(wanted)))

    def declare(self, runs: list[Run]) -> None:
        """Tells of starts, if there is a node to tell; a registration tells of them, too."""
        if self._end.registered:
            self._post.send(self._end.declare(runs, self._clock.now()))

    def put_back(self) -> None:
        """The link was lost in that very moment: what was on its way waits like the rest."""
        while self._coming:
            runs, slotted = self._coming.popleft()
            self._executor.unreserve(slotted)
            waiting = [run for run in runs if _is_wanted(run)]
            for run in waiting:
                run.declared = False
            self._executor.queue(waiting)

    def take_back(self, count: int) -> list[Run]:
        """The last un-started ones, which will not start."""
        taken: list[Run] = []
        for batch in reversed(self._coming):
            while len(taken) < count and len(batch.runs) > batch.slotted:
                taken.append(batch.runs.pop())
        return taken + self._executor.take_back(count - len(taken))

    def withdraw(self, run: Run) -> bool:
        """True: the run has not begun, and will not, once it is dropped or has its verdict."""
        if self._executor.withdraw(run):
            return True
        return run in self._to_announce or any(run in batch.runs for batch in self._coming)

    # --- inside

    def _bring(self, batch: Batch) -> None:
        if not self._coming:
            self._post.loop.call_soon(self._post.loop.call_soon, self._hand_over)
        self._coming.append(batch)

    def _hand_over(self) -> None:
        failpoint("worker.before_start")
        while self._coming:
            runs, slotted = self._coming.popleft()
            ready = [run for run in runs[:slotted] if _is_wanted(run)]
            self._executor.start(ready)
            if len(ready) < slotted:
                self._executor.unreserve(slotted - len(ready))
            self._executor.queue([run for run in runs[slotted:] if _is_wanted(run)])
        self._started()


def _is_wanted(run: Run) -> bool:
    return not run.dropped and run.verdict is None
