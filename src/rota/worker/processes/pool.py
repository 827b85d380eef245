"""Runs handlers in child processes: gives out jobs, starts and replaces children, and mends what a death breaks.

A child runs one handler at a time. It is given as much as will take it about `AHEAD`, by what its methods took before,
so that short jobs travel many in one message. When a job takes longer, what waits behind it is called back and given to
another child. There are as many children as are needed, up to one a slot; the first is started beforehand.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable

from rota.life.clock import Clock
from rota.model.failure import Failure
from rota.model.report import Verdict
from rota.model.text import task_id_text
from rota.telemetry import tracing
from rota.worker import traced
from rota.worker.bell import Bell
from rota.worker.context import Stopped
from rota.worker.ending import Stopping
from rota.worker.failures import cleaned
from rota.worker.handler import Handler
from rota.worker.processes.board import SETTLING
from rota.worker.processes.limits import Limits
from rota.worker.processes.memory import resident
from rota.worker.processes.messages import Answer, Full, Job, Line, Mark, Ready, Skipped
from rota.worker.processes.methods import AHEAD, Methods
from rota.worker.processes.nursery import Nursery
from rota.worker.processes.process import ChildProcess
from rota.worker.run import Run

MOST_AHEAD = 64
LOOK = 0.05
"""Seconds between two looks at what is under way."""
_logger = logging.getLogger("rota.worker")


class HandlerProcesses:
    """Lives in the link's loop, but for `give`. `after(run)` takes a run that has ended and gives the next, if that is
    for a process; `turned` is called once when runs have ended, `began` when some have begun."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        slots: int,
        limits: Limits,
        max_payload: Callable[[], int],
        after: Callable[[Run], Run | None],
        turned: Callable[[], None],
        began: Callable[[], None],
    ) -> None:
        self._loop, self._clock, self._limits = loop, clock, limits
        self._max_payload, self._after, self._turned, self._began = max_payload, after, turned, began
        self._inbox: deque[Run] = deque()
        self._bell = Bell(loop, self._take_in)
        self._queue: deque[Run] = deque()
        self._where: dict[Run, ChildProcess] = {}
        self._methods = Methods()
        self._nursery = Nursery(
            loop, clock, slots, limits, self._methods,
            rung=self._serve, died=self._died, hopeless=self._fail_waiting,
        )  # fmt: skip
        self._children = self._nursery.children
        self._looking: asyncio.TimerHandle | None = None
        self._first_seen: Run | None = None
        """What was the first in the line at the last look."""

    # ---------------------------------------------------------------- from outside

    def know(self, handlers: Iterable[Handler]) -> None:
        """Tells the children of these handlers, and has one child ready for them."""
        self._methods.know(handlers)
        if not self._children:
            self._nursery.start()
        for child in self._children:
            child.offer(self._methods.origins)

    def give(self, run: Run) -> None:
        """From any thread; the caller has a slot for the run."""
        self._inbox.append(run)
        self._bell.ring()

    def interrupt(self, run: Run) -> None:
        """Takes it out of the line, or tells its handler to stop."""
        self._take_in()
        child = self._where.get(run)
        if child is None:
            if run in self._queue:
                self._queue.remove(run)
                self._end_unbegun(run)
                self._turned()
        elif child.running is run:
            child.interrupt(run)
            self._call_back(child)
        else:
            self._call_back(child)

    def kill(self, run: Run) -> None:
        """Ends the process of a handler that did not stop."""
        child = self._where.get(run)
        if child is not None and child.running is run:
            child.kill()

    def kill_running(self) -> None:
        """Everything that runs ends with its process."""
        for child in self._children:
            if child.running is not None:
                child.kill()

    def give_back_unbegun(self) -> None:
        """The worker drains: what no handler has begun ends as told to stop for that."""
        self._take_in()
        self._nursery.closing = True
        for child in self._children:
            self._call_back(child)
        self._end_all_unbegun()

    async def close(self) -> None:
        """Lets the children tear down; kills those that take too long."""
        self._stop_looking()
        await self._nursery.close()

    def kill_all(self) -> None:
        """At once, and without a word."""
        self._stop_looking()
        self._nursery.kill_all()

    # ---------------------------------------------------------------- giving out

    def _take_in(self) -> None:
        while self._inbox:
            self._queue.append(self._inbox.popleft())
        self._feed()

    def _feed(self) -> None:
        """Gives what waits to the children that have room."""
        if self._nursery.closing:
            self._end_all_unbegun()
            return
        parcels: dict[ChildProcess, list[Job]] = {}
        while self._queue:
            run = self._queue[0]
            if (child := self._roomiest(run)) is None:
                break
            self._queue.popleft()
            parcels.setdefault(child, []).append(self._job(run, child))
        for child, jobs in parcels.items():
            child.give(jobs, self._max_payload())
        if self._queue and self._methods.pace(self._queue[0].handler) > AHEAD // 4:
            self._nursery.grow(len(self._queue))  # else room will be there before a new process is
        if self._queue or parcels:
            self._look_soon()
        self._nursery.see_off()

    def _roomiest(self, run: Run) -> ChildProcess | None:
        if run.handler not in self._methods:
            self.know([run.handler])
        pace = self._methods.pace(run.handler)
        best: ChildProcess | None = None
        for child in self._children:
            if not child.ready or child.leaving or child.calling_back:
                continue
            if not child.runs:
                return child
            fits = child.load + pace <= AHEAD and len(child.runs) < MOST_AHEAD
            if fits and (best is None or child.load < best.load):
                best = child
        return best

    def _job(self, run: Run, child: ChildProcess) -> Job:
        child.given += 1
        run.serial = child.given
        child.runs[run.serial] = run
        child.load += self._methods.pace(run.handler)
        child.last_used = self._loop.time()
        self._where[run] = child
        if child.given == self._limits.max_tasks:
            self._nursery.retire(child)
        task = run.assignment
        return Job(
            run.serial,
            self._methods.place(run.handler),
            run.id,
            run.attempt,
            task.params,
            task.method,
            task.timeout,
            task.created_at,
            task.fire_at,
            task.failures,
            task.retries,
            task.group,
            dict(task.labels) if task.labels else None,
            tuple(task.after),
            task.batch,
        )

    # ---------------------------------------------------------------- what children say

    def _serve(self, child: ChildProcess) -> None:
        if self._hear(child):
            self._turned()
        self._feed()

    def _hear(self, child: ChildProcess) -> bool:
        """Whether runs have ended."""
        ended = False
        for message in child.messages():
            if isinstance(message, Answer):
                ended = self._answered(child, message) or ended
            elif isinstance(message, Line):
                if (run := child.runs.get(message.serial)) is not None:
                    run.book.write(run, message.level, message.text, message.at)
            elif isinstance(message, Mark):
                if (run := child.runs.get(message.serial)) is not None:
                    run.mark(message.share, message.note)
            elif isinstance(message, Ready):
                self._nursery.came_up(child)
            elif isinstance(message, Skipped):
                if (run := self._taken(child, message.serial)) is not None:
                    self._again(run)
            elif isinstance(message, Full):
                _logger.info("process %d has %s: it is replaced", child.pid, _size(message.memory))
                self._nursery.retire(child)
        return ended

    def _answered(self, child: ChildProcess, answer: Answer) -> bool:
        run = self._taken(child, answer.serial)
        if run is None:
            return False
        self._methods.took(run.handler, answer.ran)
        run.started_at, run.ran, run.result = answer.started_at, answer.ran, answer.result
        run.retry_after = answer.retry_after
        run.failure = cleaned(*answer.failure) if answer.failure is not None else None
        run.verdict = Verdict(answer.verdict)
        if (tracer := tracing.tracer) is not None:
            traced.record(tracer, run)
        self._over(run)
        return True

    def _taken(self, child: ChildProcess, serial: int) -> Run | None:
        """Out of the child's hands."""
        run = child.runs.pop(serial, None)
        if run is not None:
            del self._where[run]
            child.load = max(0, child.load - self._methods.pace(run.handler)) if child.runs else 0
        return run

    def _over(self, run: Run) -> None:
        following = self._after(run)
        if following is not None:
            self._queue.append(following)

    def _again(self, run: Run) -> None:
        """It was in a child's hands and has not begun: it is the first in the line again, unless it has to stop."""
        run.serial = 0
        if run.stopping is not None or self._nursery.closing:
            self._end_unbegun(run)
        else:
            self._queue.appendleft(run)

    def _end_unbegun(self, run: Run) -> None:
        if run.stopping is None:
            run.stopping = Stopping.DRAINING
        run.started_at = 0
        run.raised(Stopped(), 0)
        self._over(run)

    def _end_all_unbegun(self) -> None:
        if self._queue:
            waiting, self._queue = self._queue, deque()
            for run in waiting:
                self._end_unbegun(run)
            self._turned()

    # ---------------------------------------------------------------- calling back

    def _call_back(self, child: ChildProcess) -> None:
        """What the child has not begun goes to others."""
        if not child.calling_back and child.unbegun:
            child.calling_back = True
            child.board.revoked = child.given
            self._loop.call_later(SETTLING, self._called_back, child)

    def _called_back(self, child: ChildProcess) -> None:
        if child not in self._children:
            return
        child.calling_back = False
        claimed = child.board.claimed
        back = [run for serial in list(child.runs) if serial > claimed if (run := self._taken(child, serial))]
        for run in reversed(back):
            self._again(run)
        for run in child.runs.values():
            if run.stopping is not None and child.running is run:
                child.interrupt(run)
        self._turned()
        self._feed()

    # ---------------------------------------------------------------- looking

    def _look_soon(self) -> None:
        if self._looking is None:
            self._looking = self._loop.call_later(LOOK, self._look)

    def _look(self) -> None:
        """Sees to what no child rings for: that jobs have begun, that they take long, logs, memory, and idleness."""
        self._looking = None
        for child in list(self._children):
            self._look_at(child)
        self._nursery.end_idle()
        if self._queue and self._queue[0] is self._first_seen:
            self._nursery.grow(len(self._queue))
        self._first_seen = self._queue[0] if self._queue else None
        self._feed()
        if self._queue or self._where or len(self._children) > 1:
            busy = bool(self._queue or self._where)
            self._looking = self._looking or self._loop.call_later(LOOK if busy else 1.0, self._look)

    def _look_at(self, child: ChildProcess) -> None:
        if self._hear(child):
            self._turned()
        run = child.running
        if run is None:
            return
        if not run.started_at:
            run.started_at = child.board.begun_at
            self._began()
        if child.unbegun and self._clock.now() - run.started_at > LOOK * 1e6:
            self._call_back(child)
        self._weigh(child, run)

    def _weigh(self, child: ChildProcess, run: Run) -> None:
        limit = self._limits.max_memory
        if not limit or child.over_memory:
            return
        memory = resident(child.pid)
        if memory > limit and child.running is run:
            child.over_memory = memory
            _logger.warning(
                "%s, task %s: its process has %s of memory, more than max_child_memory: it is killed",
                run.method, task_id_text(run.id), _size(memory),
            )  # fmt: skip
            child.kill()

    def _stop_looking(self) -> None:
        if self._looking is not None:
            self._looking.cancel()

    # ---------------------------------------------------------------- deaths

    def _died(self, child: ChildProcess) -> None:
        """What it had answered counts; what it was doing ends with it; the rest is given to others."""
        self._hear(child)
        how = self._nursery.bury(child)
        run = child.running
        if run is not None:
            run.started_at = child.board.begun_at
            self._taken(child, run.serial)
            run.lost(self._loss(child, run, how), self._clock.now())
            self._over(run)
        rest = [each for serial in list(child.runs) if (each := self._taken(child, serial))]
        for each in reversed(rest):
            self._again(each)
        child.close()
        self._turned()
        self._feed()

    def _loss(self, child: ChildProcess, run: Run, how: str) -> Failure:
        if child.over_memory:
            limit = _size(self._limits.max_memory)
            words = f"its process had {_size(child.over_memory)} of memory, more than the {limit} of max_child_memory"
            return Failure(("MemoryError", "Exception"), words)
        words = f"its process {how} while it ran"
        if run.stopping is None:
            _logger.warning("%s, task %s: %s", run.method, task_id_text(run.id), words)
        return Failure(("ProcessLost",), words)

    def _fail_waiting(self, why: str) -> None:
        failure = Failure(("ProcessLost",), f"no process could be started for the handler: {why}")
        waiting, self._queue = self._queue, deque()
        for run in waiting:
            run.failure, run.verdict = failure, Verdict.RAISED
            self._over(run)
        self._turned()


def _size(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"
