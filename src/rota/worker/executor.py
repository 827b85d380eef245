"""Runs handlers: strictly in the order given, at most `slots` at once, each where it belongs.

A slot is a token that is passed on: whoever has ended a run takes the next from the queue with the same slot and starts
it, without a word to anybody. Queue, tokens and results are deques, whose ends are safe to use from several threads at
once; there is no lock and no wake-up per task. The link's thread gives runs, takes un-started ones back, and collects
what has ended when the bell rings.

A run that must be announced is not started by its finisher: it goes, with its slot, to `to_announce`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from rota.worker.handler_loop import HandlerLoop
from rota.worker.handler_thread import HandlerThreads
from rota.worker.run import Run


class Processes(Protocol):
    """Where isolated handlers run."""

    def give(self, run: Run) -> None: ...
    def interrupt(self, run: Run) -> None: ...
    def kill(self, run: Run) -> None: ...


class Executor:
    """`tell` is called, from any thread, when there is something in `done` or `to_announce`."""

    def __init__(
        self, slots: int, loop: asyncio.AbstractEventLoop, now: Callable[[], int], tell: Callable[[], None]
    ) -> None:
        self.slots = slots
        self.max_payload = 1024 * 1024
        self.paused = False
        """Nothing more is started; what runs goes on."""
        self.done: deque[Run] = deque()
        self.to_announce: deque[Run] = deque()
        self._queue: deque[Run] = deque()
        self._free: deque[None] = deque([None] * slots)
        self.tell = tell
        self.loop = HandlerLoop(loop, now, self.limit, self._after_on_loop, tell)
        self.threads = HandlerThreads(slots, now, self.limit, self._after_on_thread, loop)
        self.processes: Processes | None = None
        """There as soon as there is a handler for them."""

    # ---------------------------------------------------------------- the link's thread

    def reserve(self, count: int) -> int:
        """Takes up to `count` free slots for runs that `start` will get. None while something is queued."""
        taken = 0
        while taken < count and not self._queue and not self.paused:
            try:
                self._free.pop()
            except IndexError:
                break
            taken += 1
        return taken

    def start(self, runs: Iterable[Run]) -> None:
        """Starts runs that have their slot."""
        for run in runs:
            self._dispatch(run)

    def unreserve(self, count: int) -> None:
        """Gives back slots that `reserve` took."""
        self._free.extend([None] * count)
        self._fill()

    def queue(self, runs: Iterable[Run]) -> None:
        """Runs to be started when their turn comes."""
        self._queue.extend(runs)
        self._fill()

    def resume(self) -> None:
        self.paused = False
        self._fill()

    def withdraw(self, run: Run) -> bool:
        """Takes a run back, if it has not been started."""
        try:
            self._queue.remove(run)
        except ValueError:
            return False
        return True

    def take_back(self, count: int) -> list[Run]:
        """Takes back up to `count` un-started runs, the last ones first."""
        taken: list[Run] = []
        while len(taken) < count:
            try:
                taken.append(self._queue.pop())
            except IndexError:
                break
        return taken

    def interrupt(self, run: Run) -> None:
        """Tells a running handler to stop."""
        if run.handler.is_async:
            self.loop.interrupt(run)
        elif run.handler.isolated:
            self._processes.interrupt(run)
        elif run.thread is not None:
            run.thread.interrupt(run)

    def kill(self, run: Run) -> None:
        """Ends an isolated handler that did not stop."""
        self._processes.kill(run)

    # ---------------------------------------------------------------- whoever has a slot

    @property
    def _processes(self) -> Processes:
        if self.processes is None:
            raise RuntimeError("there are no processes: no isolated handler was registered")
        return self.processes

    def limit(self) -> int:
        return self.max_payload

    def _dispatch(self, run: Run) -> None:
        if run.handler.is_async:
            self.loop.give(run)
        elif run.handler.isolated:
            self._processes.give(run)
        else:
            self.threads.give(run)

    def _after_on_loop(self, ended: Run) -> Run | None:
        self.done.append(ended)
        following = self._next()
        if following is None or following.handler.is_async:
            return following
        self._dispatch(following)
        return None

    def _after_on_thread(self, ended: Run) -> Run | None:
        self.done.append(ended)
        following = self._next()
        self.tell()
        if following is None or not (following.handler.is_async or following.handler.isolated):
            return following
        self._dispatch(following)
        return None

    def after_in_process(self, ended: Run) -> Run | None:
        self.done.append(ended)
        following = self._next()
        if following is None or following.handler.isolated:
            return following
        self._dispatch(following)
        return None

    def _next(self) -> Run | None:
        """The run that the slot in hand goes to; None: the slot is free."""
        while not self.paused:
            try:
                run = self._queue.popleft()
            except IndexError:
                break
            if not run.assignment.announce or run.declared:
                return run
            self.to_announce.append(run)
            self.tell()
            return self._claim()
        self._free.append(None)
        return self._claim()

    def _fill(self) -> None:
        while (run := self._claim()) is not None:
            self._dispatch(run)

    def _claim(self) -> Run | None:
        """A queued run with a free slot: what came, or was freed, while the other was looked at."""
        while self._queue and not self.paused:
            try:
                self._free.pop()
            except IndexError:
                return None
            try:
                run = self._queue.popleft()
            except IndexError:
                self._free.append(None)
                continue
            if not run.assignment.announce or run.declared:
                return run
            self.to_announce.append(run)
            self.tell()
        return None
