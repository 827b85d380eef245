"""`async def` handlers, on an event loop.

A handler that ends without ever waiting needs no task of its own: one task (the driver) takes the first step of one
handler after another. The moment a handler waits, the driver is that handler's own task to the end, and a new driver
goes on with the rest. So whoever can tell (timeouts, task groups, libraries that key by the current task) has a task of
its own; and a cancellation always meets the handler that it is meant for. A handler that leaves context variables behind
retires its driver, too.
"""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any

from rota.telemetry import tracing
from rota.worker import traced
from rota.worker.bell import Bell
from rota.worker.context import running
from rota.worker.run import Run

MOST_A_TURN = 64
"""First steps that one driver takes before the loop gets its turn."""


class HandlerLoop:
    """Drives runs in the order given. Used in the loop, but for `give` and `interrupt`.

    `after(run)` takes a run that has ended and gives the next, if that is for this loop; `turned` is called once after
    a turn in which runs have ended.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], int],
        max_payload: Callable[[], int],
        after: Callable[[Run], Run | None],
        turned: Callable[[], None],
    ) -> None:
        self.loop = loop
        self._now, self._max_payload, self._after, self._turned = now, max_payload, after, turned
        self._inbox: deque[Run] = deque()
        self._to_interrupt: deque[Run] = deque()
        self._bell = Bell(loop, self._wake)
        self._driving = False
        self._turning = False
        self._drivers: set[asyncio.Task[None]] = set()
        self.current: Run | None = None
        """The run whose first step is being taken; it tells who blocks the loop."""

    def give(self, run: Run) -> None:
        """From any thread."""
        self._inbox.append(run)
        self._bell.ring()

    def interrupt(self, run: Run) -> None:
        """From any thread: cancels the handler, or lets it be told by `stopping` before it begins."""
        self._to_interrupt.append(run)
        self._bell.ring()

    async def close(self, patience: float) -> None:
        """Cancels what is left, and waits for it for up to `patience` seconds."""
        drivers = [task for task in self._drivers if task is not asyncio.current_task()]
        for task in drivers:
            task.cancel()
        if drivers:
            await asyncio.wait(drivers, timeout=patience)

    # --- inside

    def _wake(self) -> None:
        while self._to_interrupt:
            task = self._to_interrupt.popleft().task
            if task is not None:
                task.cancel()
        self._drive_on()

    def _drive_on(self) -> None:
        if self._inbox and not self._driving:
            self._driving = True
            # An empty context: a handler sees nothing of whoever started the worker, or of the handler before.
            task = asyncio.Task(self._drive(), loop=self.loop, context=Context(), name="rota-handler")
            self._drivers.add(task)
            task.add_done_callback(self._drivers.discard)

    async def _drive(self) -> None:
        inbox = self._inbox
        for _ in range(MOST_A_TURN):
            if not inbox:
                break
            run = inbox.popleft()
            running.set(run)
            rest = self._first_step(run)
            if rest is not None:
                await self._own(run, rest)
                return
            self._ended(run)
            if len(copy_context()) > 1:
                break
        self._driving = False
        self._drive_on()

    def _first_step(self, run: Run) -> tuple[Coroutine[Any, Any, Any], Any] | None:
        """None: it has ended. Else the coroutine, and what it waits for."""
        run.started_at = self._now()
        if run.stopping is not None:
            run.started_at = 0
            run.raised(asyncio.CancelledError(), 0)
            return None
        self.current = run
        try:
            tracer = tracing.tracer
            coroutine = traced.acall(tracer, run) if tracer else run.handler.call(run.assignment.params, run)
            awaited = coroutine.send(None)
        except StopIteration as end:
            run.returned(end.value, self._now(), self._max_payload())
        except BaseException as error:
            run.raised(error, self._now())
        else:
            return coroutine, awaited
        finally:
            self.current = None
        return None

    async def _own(self, run: Run, rest: tuple[Coroutine[Any, Any, Any], Any]) -> None:
        """The handler waits: this task is its own now, and another drives on."""
        run.task = asyncio.current_task()
        self._driving = False
        self._drive_on()
        try:
            run.returned(await _rest(*rest), self._now(), self._max_payload())
        except GeneratorExit:
            raise
        except BaseException as error:
            run.raised(error, self._now())
        run.task = None
        self._ended(run)
        self._drive_on()

    def _ended(self, run: Run) -> None:
        following = self._after(run)
        if following is not None:
            self._inbox.append(following)
        if not self._turning:
            self._turning = True
            self.loop.call_soon(self._turn_over)

    def _turn_over(self) -> None:
        self._turning = False
        self._turned()


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, Any], awaited: Any) -> Generator[Any, Any, Any]:
    """What is left of a coroutine whose first step was taken by hand: it waits for `awaited`."""
    while True:
        try:
            yield awaited
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:
            try:
                awaited = coroutine.throw(error)
            except StopIteration as end:
                return end.value
        else:
            return (yield from coroutine)  # pyrefly: ignore[invalid-yield]
