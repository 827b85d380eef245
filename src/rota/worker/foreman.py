"""Between the link and the executor: takes assignments, declares starts, reports outcomes, keeps leases.

Lives in the link's loop; all its calls are made there, but for `stirred` and `tell`, which any thread may ring. While
the link is down nothing new is started (the node gives un-started tasks to others at once), what runs goes on until its
lease is no longer good, and outcomes wait.

A start is declared before the handler can begin: the frame is sent, the carrier gets its turn of the loop, and only the
turn after that hands the runs to the executor.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rota.client.connection import Connection
from rota.life.clock import Clock
from rota.life.failpoint import failpoint
from rota.link.worker_end import AWAY, Attempt, WorkerEnd
from rota.model.errors import RotaError
from rota.model.report import Verdict
from rota.model.worker import Facts
from rota.wire.codec_refusal import read_refusal
from rota.wire.v1.link_pb2 import Assignment, Frame, Ping, Stop, Welcome
from rota.worker.bell import Bell
from rota.worker.executor import Executor
from rota.worker.facts import LoadSampler
from rota.worker.logs import EVERY, LogBook
from rota.worker.pulse import Pulse
from rota.worker.registry import Registry
from rota.worker.run import Run, Stopping
from rota.worker.watch import Watch

TOO_MANY_ABANDONED = 4
_logger = logging.getLogger("rota.worker")


class Batch(NamedTuple):
    """Runs on their way to the executor: the first `slotted` have their slot."""

    runs: list[Run]
    slotted: int


class Foreman:
    """`lost(error)` is called once when the node will not have this worker; `exhausted()` when too many handlers could
    not be stopped."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handler_loop: asyncio.AbstractEventLoop,
        facts: Facts,
        registry: Registry,
        session_key: bytes,
        clock: Clock,
        *,
        lost: Callable[[RotaError], None],
        exhausted: Callable[[], None],
    ) -> None:
        self.facts = facts
        self._load = LoadSampler()
        self._loop, self._clock = loop, clock
        self._registry, self._session_key = registry, session_key
        self._lost, self._exhausted = lost, exhausted
        self._connection: Connection | None = None
        self._bell = Bell(loop, self._collect)
        self._log_bell = Bell(loop, self._report_soon)
        self.book = LogBook(clock.now, self._log_bell.ring)
        self.executor = Executor(facts.slots, handler_loop, clock.now, self._bell.ring)
        self.executor.paused = True
        self.end: WorkerEnd[Run] = WorkerEnd(self._run_of)
        self.watch = Watch(loop, self.executor, clock.now, self.end.held.values, self._declare_late, self._give_up)
        self._pulse = Pulse(loop, handler_loop)
        self._coming: deque[Batch] = deque()
        self._to_announce: list[Run] = []
        self._abandoned: set[Run] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._quiet: asyncio.Future[None] | None = None
        self._stop_taking = False
        self._last_beat = 0.0

    # ---------------------------------------------------------------- the connection calls

    def keep(self, connection: Connection) -> None:
        self._connection = connection

    def up(self, welcome: Welcome) -> None:
        self.end.up(welcome, self._loop.time())
        self.executor.max_payload = self.end.max_payload
        self._register()
        self._beat()

    def down(self, reason: str) -> None:
        self.executor.paused = True
        self._stop_timer("beat")
        self.end.down(self._connection.last_sent if self._connection else self._loop.time())
        self._put_back_coming()
        self._arm("lapse", max(0.0, self.end.lease_until - self._loop.time()), self._lapse)

    def final(self, error: RotaError) -> None:
        self._give_up_all()
        self._lost(error)

    def frame(self, frame: Frame, size: int) -> None:
        """Every frame of a node. What it does not know it ignores: it may be a newer node's."""
        try:
            match frame.WhichOneof("body"):
                case "assign":
                    self._assigned(frame)
                case "finished":
                    self._confirmed(frame)
                case "stop":
                    self._stopped(frame.stop)
                case "recall":
                    self._recalled(frame.recall.count)
                case "registered":
                    self._registered(frame)
                case "done":
                    self.end.done(frame.request)
                case "failure":
                    self._refused(frame)
                case "drain":
                    self._node_drains(list(frame.drain.reconnect_to))
                case _:
                    pass
        finally:
            if self._connection is not None:
                self._connection.dealt_with(size)

    # ---------------------------------------------------------------- registration and leases

    def register_anew(self) -> None:
        """Methods were added, or the worker drains."""
        if self.end.registered:
            self._register()

    def _register(self) -> None:
        self._send(self.end.register(self.facts, self._registry.methods, self._session_key, self._loop.time()))

    def _registered(self, frame: Frame) -> None:
        for attempt in self.end.is_registered(frame.request, frame.registered):
            self._let_go(attempt)
        self._stop_timer("lapse")
        if not self._stop_taking:
            self._resume()
        self._announce()
        self._report()
        self._send_outcomes()

    def _resume(self) -> None:
        if self.executor.paused and self.end.registered and not self.end.spool_full:
            self.executor.resume()
            self.watch.started()

    def _refused(self, frame: Frame) -> None:
        if self.end.was_register(frame.request):
            error = read_refusal(frame.failure)
            if error.code in AWAY:
                self._arm("register", 1.0, self._register)
            else:
                self.final(error)
            return
        for attempt in self.end.failed(frame.request, frame.failure, self._loop.time()):
            _logger.error("the node refused the outcome of task %s: %s", attempt.id.hex(), frame.failure.detail)
        self._send_outcomes()

    def _beat(self) -> None:
        """Heartbeats in time, and a sign of life every second while something runs: leases count from the last send."""
        now = self._loop.time()
        if self._connection is None:
            return
        every = self.end.lease_ttl / 3
        if now - self._last_beat >= every * 0.99 or not self.end.registered:
            self._last_beat = now
            if self.end.registered:
                self._send(self.end.heartbeat(self._load.latest, now))
                self._load.refresh()
        elif now - self._connection.last_sent >= 0.5 and any(a.started_at for a in self.end.held.values()):
            self._send(Frame(ping=Ping()))
        if now >= self.end.lease_until:
            self._lapse()
        self._pulse.feel()
        self._arm("beat", min(1.0, every, self.end.closed_lease_ttl / 5), self._beat)

    def _lapse(self) -> None:
        """The leases are no longer good: others may run these tasks by now."""
        lapsed = self.end.lapsed(self._loop.time())
        if lapsed:
            _logger.warning("no node confirmed the leases of %d tasks in time: they are stopped", len(lapsed))
        for attempt in lapsed:
            self._let_go(attempt)
        if lapsed and self._is_up:
            # Or else the heartbeats to come would renew leases that nobody works under.
            self._send(self.end.release(lapsed, "lapsed"))

    # ---------------------------------------------------------------- assignments

    def _run_of(self, assignment: Assignment) -> Run:
        return Run(assignment, self._registry.find(assignment.method, assignment.version), self.book)

    def _assigned(self, frame: Frame) -> None:
        new, stale = self.end.assigned(frame.assign)
        for attempt in stale:
            self._let_go(attempt)
        if self._stop_taking:
            if new:
                self._send(self.end.release(new, "draining"))
        elif new:
            self._take(new)

    def _take(self, runs: list[Run]) -> None:
        slotted = 0
        if not any(batch.slotted < len(batch.runs) for batch in self._coming):
            slotted = self.executor.reserve(len(runs))
        if slotted:
            self._send(self.end.declare(runs[:slotted], self._clock.now()))
        if not self._coming:
            # This turn sends, the next lets the carrier write, the one after that lets handlers begin.
            self._loop.call_soon(self._loop.call_soon, self._hand_over)
        self._coming.append(Batch(runs, slotted))

    def _hand_over(self) -> None:
        failpoint("worker.before_start")
        while self._coming:
            runs, slotted = self._coming.popleft()
            ready: list[Run] = []
            gone = 0
            for run in runs[:slotted]:
                if run.dropped or run.verdict is not None:
                    gone += 1
                else:
                    ready.append(run)
            self.executor.start(ready)
            if gone:
                self.executor.unreserve(gone)
            self.executor.queue([run for run in runs[slotted:] if not run.dropped and run.verdict is None])
        self.watch.started()

    def _put_back_coming(self) -> None:
        """The link was lost in the very moment: what was on its way waits like the rest."""
        while self._coming:
            runs, slotted = self._coming.popleft()
            self.executor.unreserve(slotted)
            waiting = [run for run in runs if not run.dropped and run.verdict is None]
            for run in waiting:
                run.declared = False
            self.executor.queue(waiting)

    def _announce(self) -> None:
        """Suspects of having killed a worker: told of first, started then."""
        self._to_announce.extend(self._popped(self.executor.to_announce))
        if not self._to_announce or not self.end.registered:
            return
        runs = list(self._to_announce)
        self._to_announce.clear()
        ready = [run for run in runs if not run.dropped and run.verdict is None]
        if len(ready) < len(runs):
            self.executor.unreserve(len(runs) - len(ready))
        if ready:
            self._send(self.end.declare(ready, self._clock.now()))
            if not self._coming:
                self._loop.call_soon(self._loop.call_soon, self._hand_over)
            self._coming.append(Batch(ready, len(ready)))

    def _declare_late(self, runs: list[Run]) -> None:
        if self.end.registered:
            self._send(self.end.declare(runs, self._clock.now()))

    # ---------------------------------------------------------------- stopping

    def _stopped(self, stop: Stop) -> None:
        for attempt in self.end.find(stop.tasks):
            if not isinstance(attempt, Run):
                continue
            if self._withdraw(attempt):
                attempt.verdict, attempt.over = Verdict.STOPPED, True
                self.end.finish(attempt)
            else:
                self.watch.stop(attempt, Stopping.ASKED)
        self._send_outcomes()

    def _recalled(self, count: int) -> None:
        runs = self._take_back(count)
        if runs:
            self._send(self.end.release(runs, "recalled"))

    def _take_back(self, count: int) -> list[Run]:
        """The last un-started ones."""
        taken: list[Run] = []
        for batch in reversed(self._coming):
            while len(taken) < count and len(batch.runs) > batch.slotted:
                taken.append(batch.runs.pop())
        return taken + self.executor.take_back(count - len(taken))

    def _withdraw(self, run: Run) -> bool:
        """True: the run will not start, and nothing more is heard of it."""
        if self.executor.withdraw(run):
            return True
        return run in self._to_announce or any(run in batch.runs for batch in self._coming)

    def _let_go(self, attempt: Attempt) -> None:
        """It is not this worker's any more."""
        if isinstance(attempt, Run):
            attempt.dropped = True
            if not self._withdraw(attempt):
                self.watch.stop(attempt, Stopping.LOST)

    def _give_up_all(self) -> None:
        for attempt in list(self.end.held.values()):
            self.end.drop(attempt)
            if attempt.verdict is None:
                self._let_go(attempt)

    def _give_up(self, run: Run) -> None:
        """The handler cannot be stopped: its task ends without it, its slot stays taken."""
        if run.over:
            return
        run.abandoned = True
        self._abandoned.add(run)
        _logger.warning(
            "%s, task %s: the handler was told to stop and goes on; it is left behind", run.method, run.id.hex()
        )
        if run.stopping is Stopping.DRAINING:
            self._send(self.end.release([run], "draining"))
        elif run.stopping is Stopping.TIMED_OUT:
            self.end.give_up(run, Verdict.ABANDONED_TIMED_OUT, run.timeout_failure())
        elif run.stopping is Stopping.ASKED:
            self.end.give_up(run, Verdict.ABANDONED_STOPPED, None)
        self._send_outcomes()
        if len(self._abandoned) >= min(TOO_MANY_ABANDONED, (self.facts.slots + 1) // 2) and not self._stop_taking:
            self._exhausted()
        self._look_whether_quiet()

    # ---------------------------------------------------------------- outcomes

    def _collect(self) -> None:
        """What the executor has ended since the last time, all in one."""
        releases: list[Attempt] = []
        for run in self._popped(self.executor.done):
            self.watch.over(run)
            if run.abandoned:
                self._abandoned.discard(run)
            elif run.dropped:
                continue
            elif run.stopping is Stopping.DRAINING and run.verdict is not Verdict.SUCCEEDED:
                releases.append(run)
            else:
                self.end.finish(run)
        self._report()
        if releases:
            self._send(self.end.release(releases, "draining"))
        self._send_outcomes()
        self._announce()
        if self.end.held:
            self.watch.started()
        self._look_whether_quiet()

    def _send_outcomes(self) -> None:
        while (frame := self.end.outcomes(self._loop.time())) is not None:
            failpoint("worker.before_finish")
            self._send(frame)
        if self.end.spool_full:
            self.executor.paused = True
        elif not self._stop_taking:
            self._resume()
        if (at := self.end.resumes_at) is not None and at > self._loop.time():
            self._arm("resume", at - self._loop.time(), self._send_outcomes)

    def _confirmed(self, frame: Frame) -> None:
        for refusal in self.end.confirmed(frame.request, frame.finished):
            _logger.info(
                "the outcome of task %s was not kept: %s", refusal.attempt.id.hex(), refusal.detail or refusal.code
            )
        self._send_outcomes()
        self._look_whether_quiet()

    def _report_soon(self) -> None:
        if "report" not in self._timers:
            self._arm("report", EVERY, self._report)

    def _report(self) -> None:
        """Lines leave before the outcome of their task does."""
        if not self.book:
            return
        self._stop_timer("report")
        while self.end.registered and (frame := self.book.take()) is not None:
            self._send(frame)

    # ---------------------------------------------------------------- draining

    def _node_drains(self, reconnect_to: Sequence[str]) -> None:
        """The node goes; what is in hand stays, and is told of to whoever answers next."""
        if reconnect_to and self._connection is not None:
            self._connection.urls = (*reconnect_to, *(u for u in self._connection.urls if u not in reconnect_to))

    async def drain(self, grace: float, stop_patience: float = 2.0) -> None:
        """Takes no more, gives back what has not started, waits `grace` seconds for what runs, then gives that back too.

        May be called again with a shorter grace; both then end together.
        """
        self._stop_taking = True
        self.end.draining = True
        self.executor.paused = True
        self.register_anew()
        unstarted = [run for run in self._take_back(len(self.end.held) + 1) if not run.dropped]
        if unstarted:
            self._send(self.end.release(unstarted, "draining"))
        if not await self._quiet_within(grace, self._running):
            self.watch.async_patience = self.watch.thread_patience = stop_patience
            for attempt in list(self.end.held.values()):
                if isinstance(attempt, Run):
                    self.watch.stop(attempt, Stopping.DRAINING)
            await self._quiet_within(stop_patience + 0.5, self._running)
        await self._quiet_within(5.0, self._unreported)

    def _running(self) -> bool:
        return any(isinstance(a, Run) and not (a.over or a.abandoned) for a in self.end.held.values())

    def _unreported(self) -> bool:
        return bool(self.end.unconfirmed) and self._is_up

    @property
    def _is_up(self) -> bool:
        return self._connection is not None and self._connection.welcome is not None

    async def _quiet_within(self, seconds: float, busy: Callable[[], bool]) -> bool:
        """Whether it was no longer `busy` within so long."""
        until = self._loop.time() + seconds
        while busy():
            left = until - self._loop.time()
            if left <= 0:
                return False
            if self._quiet is None or self._quiet.done():
                self._quiet = self._loop.create_future()
            await asyncio.wait((self._quiet,), timeout=left)
        return True

    def _look_whether_quiet(self) -> None:
        if self._quiet is not None and not self._quiet.done():
            self._quiet.set_result(None)

    def close(self) -> None:
        """No timer is left."""
        self.watch.close()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    # --- inside

    def _send(self, frame: Frame) -> None:
        if self._connection is not None:
            self._connection.send(frame)

    def _arm(self, name: str, seconds: float, then: Callable[[], None]) -> None:
        self._stop_timer(name)

        def fire() -> None:
            self._timers.pop(name, None)
            then()

        self._timers[name] = self._loop.call_later(seconds, fire)

    def _stop_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    @staticmethod
    def _popped(runs: deque[Run]) -> list[Run]:
        popped: list[Run] = []
        while runs:
            popped.append(runs.popleft())
        return popped
