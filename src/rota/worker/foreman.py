"""Between the link and the executor: takes assignments, stops runs, keeps leases, drains.

Lives in the link's loop. While the link is down nothing new is started (the node gives un-started tasks to others at
once), what runs goes on until its lease is no longer good, and outcomes wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from rota.client.connection import Connection
from rota.life.clock import Clock
from rota.link.worker_end import AWAY, Attempt, WorkerEnd
from rota.model.errors import RotaError
from rota.model.report import Verdict
from rota.model.text import task_id_text
from rota.model.worker import Facts
from rota.wire.codec_refusal import read_refusal
from rota.wire.v1.link_pb2 import Assignment, Frame, Ping, Stop, Welcome
from rota.worker.bell import Bell
from rota.worker.ending import Stopping
from rota.worker.executor import Executor
from rota.worker.facts import LoadSampler
from rota.worker.intake import Intake
from rota.worker.outbox import Outbox
from rota.worker.post import Post
from rota.worker.processes.limits import NO_LIMITS, Limits
from rota.worker.pulse import Pulse
from rota.worker.quiet import Quiet
from rota.worker.registry import Registry
from rota.worker.run import Run
from rota.worker.watch import Watch

if TYPE_CHECKING:
    from rota.worker.processes.pool import HandlerProcesses

TOO_MANY_ABANDONED = 4
TELL_WITHIN = 5.0
"""Seconds that a drained worker tries to tell its last outcomes."""
_logger = logging.getLogger("rota.worker")


class Foreman:
    """`lost(error)` is called once when the node will not have this worker; `exhausted()` when too many handlers could
    not be stopped; `told_to_end(reason)` when the node asks for the end of this worker."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handler_loop: asyncio.AbstractEventLoop,
        facts: Facts,
        registry: Registry,
        session_key: bytes,
        clock: Clock,
        limits: Limits = NO_LIMITS,
        *,
        lost: Callable[[RotaError], None],
        exhausted: Callable[[], None],
        told_to_end: Callable[[str], None],
    ) -> None:
        self.facts = facts
        self._registry, self._session_key = registry, session_key
        self._lost, self._exhausted, self._told_to_end = lost, exhausted, told_to_end
        self._clock, self._limits = clock, limits
        self._processes: HandlerProcesses | None = None
        self._load = LoadSampler()
        self._post = Post(loop)
        self._pulse = Pulse(loop, handler_loop, self._running_for)
        self._quiet = Quiet(loop)
        self.end: WorkerEnd[Run] = WorkerEnd(self._run_of)
        self.executor = Executor(facts.slots, handler_loop, clock.now, Bell(loop, self._collect).ring)
        self.executor.paused = True
        self._outbox = Outbox(self._post, self.end, clock.now, self._moved)
        self.watch = Watch(loop, self.executor, clock.now, self.end.held.values, self._declare_late, self._give_up)
        self._intake = Intake(self._post, self.end, self.executor, clock, self.watch.started)
        self._abandoned: set[Run] = set()
        self._stop_taking = False
        self._is_refused = False
        self._last_beat = 0.0

    def keep(self, connection: Connection) -> None:
        """Before the connection is started."""
        self._post.connection = connection

    def close(self) -> None:
        """No timer is left, and no process."""
        self.watch.close()
        self._post.disarm_all()
        if self._processes is not None:
            self._processes.kill_all()

    async def close_processes(self) -> None:
        """Lets them tear down."""
        if self._processes is not None:
            await self._processes.close()

    # ---------------------------------------------------------------- the connection calls

    def up(self, welcome: Welcome) -> None:
        self.end.up(welcome, self._post.time())
        self.executor.max_payload = self.end.max_payload
        self._register()
        self._load.refresh()
        self._beat()

    def down(self, reason: str) -> None:
        self.executor.paused = True
        self._post.disarm("beat")
        self._pulse.rest()
        self._post.disarm("register")
        self.end.down(self._post.last_sent)
        self._intake.put_back()
        self._post.arm("lapse", max(0.0, self.end.lease_until - self._post.time()), self._lapse)

    def final(self, error: RotaError) -> None:
        """Nothing that is in hand can be told to anybody."""
        self._is_refused = True
        for attempt in list(self.end.held.values()):
            self.end.drop(attempt)
            self._let_go(attempt)
        self._quiet.look()
        self._lost(error)

    def frame(self, frame: Frame, size: int) -> None:
        """Every frame of a node. What it does not know it ignores: it may be a newer node's."""
        try:
            match frame.WhichOneof("body"):
                case "assign":
                    self._assigned(frame)
                case "finished":
                    self._outbox.confirmed(frame)
                case "stop":
                    self._stopped(frame.stop)
                case "recall":
                    self._release(self._intake.take_back(frame.recall.count), "recalled")
                case "registered":
                    self._registered(frame)
                case "done":
                    self.end.done(frame.request)
                case "failure":
                    self._refused(frame)
                case "drain":
                    self._reconnect_to(tuple(frame.drain.reconnect_to))
                case "shut_down":
                    self._told_to_end(frame.shut_down.reason)
                case _:
                    pass
        finally:
            self._post.dealt_with(size)

    # ---------------------------------------------------------------- registration and leases

    def register_anew(self) -> None:
        """Methods were added, or the worker drains."""
        if self.end.registered:
            self._register()

    def _register(self) -> None:
        methods = self._registry.methods
        self._post.send(self.end.register(self.facts, methods, self._session_key, self._post.time()))
        self._open_processes()

    def _open_processes(self) -> None:
        """Only for handlers that are to run there."""
        isolated = [handler for handler in self._registry.handlers if handler.isolated]
        if not isolated or self._stop_taking:
            return
        if self._processes is None:
            from rota.worker.processes.pool import HandlerProcesses  # workers without such handlers do not load it

            executor = self.executor
            self._processes = executor.processes = HandlerProcesses(
                self._post.loop, self._clock, self.facts.slots, self._limits,
                executor.limit, executor.after_in_process, executor.tell, self.watch.started,
            )  # fmt: skip
        self._processes.know(isolated)

    def _registered(self, frame: Frame) -> None:
        for attempt in self.end.is_registered(frame.request, frame.registered):
            self._let_go(attempt)
        self._post.disarm("lapse")
        self._outbox.flush()
        self._intake.announce()

    def _refused(self, frame: Frame) -> None:
        if not self.end.was_register(frame.request):
            self._outbox.refused(frame)
            return
        error = read_refusal(frame.failure)
        if error.code in AWAY:
            self._post.arm("register", 1.0, self._register)
        else:
            self.final(error)

    def _reconnect_to(self, urls: tuple[str, ...]) -> None:
        """The node goes; what is in hand stays, and is told of to whoever answers next."""
        connection = self._post.connection
        if urls and connection is not None:
            connection.urls = (*urls, *(url for url in connection.urls if url not in urls))

    def _beat(self) -> None:
        """Heartbeats in time, and a sign of life every second while something runs: a lost link is counted from the last send."""
        now, every = self._post.time(), self.end.lease_ttl / 3
        if self.end.registered and now - self._last_beat >= every * 0.99:
            self._last_beat = now
            self._post.send(self.end.heartbeat(self._load.latest, now))
            self._load.refresh()
        elif now - self._post.last_sent >= 0.5 and any(a.started_at for a in self.end.held.values()):
            self._post.send(Frame(ping=Ping()))
        if now >= self.end.lease_until:
            self._lapse()
        self._pulse.feel()
        self._post.arm("beat", min(1.0, every, self.end.closed_lease_ttl / 5), self._beat)

    def _lapse(self) -> None:
        """The leases are no longer good: others may run these tasks by now."""
        lapsed = self.end.lapsed(self._post.time())
        if not lapsed:
            return
        _logger.warning("no node confirmed the leases of %d tasks in time: they are stopped", len(lapsed))
        for attempt in lapsed:
            self._let_go(attempt)
        if self._post.is_up:
            # Or else the heartbeats to come would renew leases that nobody works under.
            self._release(lapsed, "lapsed")

    # ---------------------------------------------------------------- assignments and stops

    def _run_of(self, assignment: Assignment) -> Run:
        return Run(assignment, self._registry.find(assignment.method, assignment.version), self._outbox.book)

    def _assigned(self, frame: Frame) -> None:
        new, stale = self.end.assigned(frame.assign)
        for attempt in stale:
            self._let_go(attempt)
        if self._stop_taking:
            self._release(new, "draining")
        elif new:
            self._intake.take(new)

    def _release(self, attempts: list[Attempt] | list[Run], reason: str) -> None:
        if attempts:
            self._post.send(self.end.release(attempts, reason))

    def _stopped(self, stop: Stop) -> None:
        for attempt in self.end.find(stop.tasks):
            if not isinstance(attempt, Run):
                continue
            if self._intake.withdraw(attempt):
                attempt.verdict, attempt.over = Verdict.STOPPED, True
                self.end.finish(attempt)
            else:
                self.watch.stop(attempt, Stopping.ASKED)
        self._outbox.flush()

    def _let_go(self, attempt: Attempt) -> None:
        """It is not this worker's any more."""
        if isinstance(attempt, Run):
            attempt.dropped = True
            if not self._intake.withdraw(attempt):
                self.watch.stop(attempt, Stopping.LOST)

    def _give_up(self, run: Run) -> None:
        """The handler cannot be stopped: its task ends without it, its slot stays taken."""
        if run.over:
            return
        if run.handler.isolated:
            self.executor.kill(run)
            return
        run.abandoned = True
        self._abandoned.add(run)
        words = "told to stop, the handler goes on; it is left behind"
        _logger.warning("%s, task %s: %s", run.method, task_id_text(run.id), words)
        if run.stopping is Stopping.DRAINING:
            self._release([run], "draining")
        elif run.stopping is Stopping.TIMED_OUT:
            self.end.give_up(run, Verdict.ABANDONED_TIMED_OUT, run.abandoned_failure())
        elif run.stopping is Stopping.ASKED:
            self.end.give_up(run, Verdict.ABANDONED_STOPPED, None)
        self._outbox.flush()
        limit = min(TOO_MANY_ABANDONED, (self.facts.slots + 1) // 2)
        if len(self._abandoned) >= limit and not self._stop_taking:
            self._exhausted()

    def _declare_late(self, runs: list[Run]) -> None:
        self._intake.declare(runs)

    # ---------------------------------------------------------------- what has ended

    def _collect(self) -> None:
        """What the executor has ended since the last time, all in one."""
        releases: list[Attempt] = []
        done = self.executor.done
        while done:
            run = done.popleft()
            self.watch.over(run)
            if run.abandoned:
                self._abandoned.discard(run)
            elif run.dropped:
                continue
            elif run.stopping is Stopping.DRAINING and run.verdict is not Verdict.SUCCEEDED:
                releases.append(run)
            else:
                self.end.finish(run)
        self._release(releases, "draining")
        self._outbox.flush()
        self._intake.announce()
        if self.end.held:
            self.watch.started()

    def _moved(self) -> None:
        """Outcomes were made, sent or confirmed: goes on, or holds back while too many wait."""
        if self.end.spool_full:
            self.executor.paused = True
        elif self.executor.paused and self.end.registered and not self._stop_taking:
            self.executor.resume()
            self.watch.started()
        self._quiet.look()

    # ---------------------------------------------------------------- draining

    async def drain(self, grace: float, stop_patience: float = 2.0) -> None:
        """Takes no more, gives back what has not started, waits `grace` seconds for what runs, then gives that back too.

        May be called again with a shorter grace; both then end together.
        """
        self._stop_taking = self.end.draining = self.executor.paused = True
        self.register_anew()
        self._release([run for run in self._intake.take_back(len(self.end.held)) if not run.dropped], "draining")
        if self._processes is not None:
            self._processes.give_back_unbegun()
        if not await self._quiet.within(grace, self._runs):
            self.watch.async_patience = self.watch.thread_patience = stop_patience
            for attempt in list(self.end.held.values()):
                if isinstance(attempt, Run):
                    self.watch.stop(attempt, Stopping.DRAINING)
            if not await self._quiet.within(stop_patience + 0.5, self._runs) and self._processes is not None:
                self._processes.kill_running()  # on a machine so busy that nobody came to it
                await self._quiet.within(stop_patience, self._runs)
        await self._quiet.within(TELL_WITHIN, lambda: bool(self.end.unconfirmed) and not self._is_refused)

    def _running_for(self, seconds: float) -> list[Run]:
        """In this process; one that has only just ended is still held."""
        since = self._clock.now() - seconds * 1e6
        held = (a for a in self.end.held.values() if isinstance(a, Run) and not a.handler.isolated)
        return [run for run in held if 0 < run.started_at <= since + 1e6]

    def _runs(self) -> bool:
        return any(isinstance(a, Run) and not (a.over or a.abandoned) for a in self.end.held.values())
