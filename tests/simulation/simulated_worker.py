"""A worker that does as workers do, when the history says so, and otherwise nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

from rota.engine.engine import Engine
from rota.engine.sessions import WorkerSession
from rota.model.errors import RotaError
from rota.model.failure import Failure
from rota.model.method import Method
from rota.model.report import Held, Report, Verdict
from rota.model.task import Task
from rota.model.worker import Facts, Load

BEATS_EVERY = 5.0
Ref = tuple[bytes, int]


class SimulatedWorker:
    """Implements WorkerDoor. What it is asked it does at once, unless it is stalled."""

    def __init__(self, facts: Facts, methods: Sequence[Method]) -> None:
        self.facts, self.methods = facts, methods
        self.held: dict[Ref, bool] = {}
        """Attempts in hand, and whether each has started."""
        self.unsaid: list[Report] = []
        """Reports that could not be delivered."""
        self.said: list[Report] = []
        self.asked: set[Ref] = set()
        """Attempts that it was asked to stop."""
        self.stalled = False
        self.shutting_down = False
        self.session: WorkerSession | None = None
        self._errands: set[asyncio.Task[None]] = set()
        self._beating: asyncio.Task[None] | None = None

    # --- the door

    def assign(self, tasks: Sequence[Task], announce: frozenset[int]) -> None:
        for task in tasks:
            assert (task.id, task.attempt) not in self.held, "the same attempt was given twice"
            self.held[task.id, task.attempt] = False

    def cancel(self, refs: Sequence[Ref], reason: str) -> None:
        self.asked.update(ref for ref in refs if ref in self.held)

    def recall(self, count: int) -> None:
        if not self.stalled:
            self._later(self.release([ref for ref, started in self.held.items() if not started][-count:], "recalled"))

    def drain(self, reconnect_to: Sequence[str]) -> None: ...

    def shut_down(self, reason: str) -> None:
        self.shutting_down = True

    def close(self, code: int, reason: str) -> None:
        self._hang_up()

    # --- what it does

    @property
    def connected(self) -> bool:
        return self.session is not None

    async def connect(self, engine: Engine) -> None:
        held = [Held(*ref, 1 if started else None) for ref, started in self.held.items()]
        self.session, lost = await engine.connect(self.facts, self.methods, held, b"key", False, self)
        for ref in lost:
            self.held.pop(ref, None)
        if self._beating is not None:
            self._beating.cancel()
        self._beating = asyncio.get_running_loop().create_task(self._beat())

    def start(self, ref: Ref) -> None:
        self.held[ref] = True
        if self.session is not None and not self.stalled:
            self.session.started([Held(*ref, 1)])

    async def finish(self, refs: Sequence[Ref], verdict: Verdict, ran: int = 1) -> None:
        self.unsaid += [_report(ref, verdict, ran) for ref in refs if self.held.pop(ref, None) is not None]
        await self.deliver()

    async def deliver(self) -> None:
        """Says what is unsaid; where the node cannot take it, it is said again later."""
        if self.session is None or self.stalled or not self.unsaid:
            return
        reports, self.unsaid = self.unsaid, []
        try:
            await self.session.finished(reports)
        except RotaError:
            self.unsaid = reports + self.unsaid
        else:
            self.said = (self.said + reports)[-20:]

    async def repeat(self, report: Report) -> None:
        """Says again what it said before: nothing may come of it."""
        if self.session is not None:
            with suppress(RotaError):
                await self.session.finished([report])

    async def release(self, refs: Sequence[Ref], reason: str) -> None:
        refs = [ref for ref in refs if self.held.pop(ref, None) is not None]
        if self.session is not None and refs:
            await self.session.released(refs, reason)

    async def leave(self, *, drained: bool) -> None:
        """With a drain it gives back what it has; else it keeps it, and may come back with it."""
        session = self._hang_up()
        if drained:
            self.held.clear()
        if session is not None:
            with suppress(RotaError):
                await session.closed(drained, "gone")

    def forget_the_node(self) -> None:
        """The node died; nobody is told."""
        self._hang_up()

    async def _beat(self) -> None:
        while self.session is not None:
            if not self.stalled:
                self.session.heartbeat(Load())
                self._later(self.deliver())  # what is being said is said to its end, as the doors do it
            await asyncio.sleep(BEATS_EVERY)

    def _hang_up(self) -> WorkerSession | None:
        session, self.session = self.session, None
        if self._beating is not None and self._beating is not asyncio.current_task():
            self._beating.cancel()
        self._beating = None
        return session

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)


def _report(ref: Ref, verdict: Verdict, ran: int) -> Report:
    if verdict is Verdict.SUCCEEDED:
        return Report(*ref, verdict, result=b"1", ran=ran)
    failure = Failure(("ValueError", "Exception"), "boom")
    return Report(*ref, verdict, failure=failure, ran=ran, retry_after=2_000_000 if verdict is Verdict.RETRY else None)
