"""Brings on what time brings on: scheduled tasks become ready, lapsed leases are rescued, overdue tasks expire.

A plain loop, woken by one alarm at the earliest instant that the store knows of. It pages by (instant, seq), so that no
block of rows can hold up those behind it, and every write is guarded by the instant itself: a lease that was renewed
after it was read is left alone. A fault ends a round, never the loop; the next round comes after a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from rota.contract.store import Store
from rota.engine.aftermath import Aftermath
from rota.engine.gauges import Gauges
from rota.engine.roster import Roster
from rota.engine.settings import EngineSettings
from rota.engine.store_watch import StoreWatch
from rota.engine.timer import Timer
from rota.life.duty import Errands, keep
from rota.life.failpoint import failpoint
from rota.model import lifecycle
from rota.model.change import Change, Move
from rota.model.errors import RotaError
from rota.model.retry import SECOND
from rota.model.task import State, Task

PAGE = 500
STARTS_EVERY = 1.0
"""Seconds between two writes of which running tasks have started. A shorter task never costs this write."""

Place = tuple[int, int]


class Caretaker:
    """One per node."""

    def __init__(
        self, store: Store, roster: Roster, gauges: Gauges, watch: StoreWatch, settings: EngineSettings
    ) -> None:
        self._store = store
        self._roster = roster
        self._gauges = gauges
        self._watch = watch
        self._settings = settings
        self._wake = asyncio.Event()
        self.timer = Timer(store.now, self._wake.set)
        self._frozen_until = 0
        self._frozen_before = 0
        self._sparing = False
        """The last round met a lease that it spared."""
        self._starts: asyncio.TimerHandle | None = None
        self._errands = Errands("the caretaker")
        self.last_success = 0

    async def run(self, aftermath: Aftermath) -> None:
        """Until cancelled."""
        self._freeze(self._store.now())
        await keep("the caretaker", lambda: self._beat(aftermath))

    async def _beat(self, aftermath: Aftermath) -> None:
        self._wake.clear()
        try:
            await self._round(aftermath)
            if (due := await self._store.next_due()) is not None:
                self.timer.by(max(due, self._thaw(due)))
        except RotaError as error:
            self._watch.failed(error)
            self._freeze(self._store.now())
            raise
        self._watch.worked()
        await self._wake.wait()

    def look(self) -> None:
        """Goes round now."""
        self._wake.set()

    def started(self) -> None:
        """Some worker started tasks: write it down soon, for those that are then still running."""
        if self._starts is None:
            self._starts = asyncio.get_running_loop().call_later(STARTS_EVERY, self._write_starts)

    async def stop(self) -> None:
        self.timer.cancel()
        if self._starts is not None:
            self._starts.cancel()
        await self._errands.done()

    async def _round(self, aftermath: Aftermath) -> None:
        now = self._store.now()
        retention = self._settings.retention
        self._sparing = False
        await self._sweep(
            aftermath,
            lambda after: self._store.due(State.SCHEDULED, now, after, PAGE),
            lambda task: lifecycle.promote(task, now),
            _due_place,
        )
        await self._sweep(
            aftermath,
            lambda after: self._store.due(State.RUNNING, now, after, PAGE),
            lambda task: None if self._spared(task, now) else lifecycle.rescue(self._informed(task), now, retention),
            _due_place,
        )
        await self._sweep(
            aftermath,
            lambda after: self._store.expiring(now, after, PAGE),
            lambda task: lifecycle.expire(task, now, retention),
            _expiry_place,
        )
        self.last_success = now

    async def _sweep(
        self,
        aftermath: Aftermath,
        page: Callable[[Place | None], Awaitable[list[Task]]],
        transition: Callable[[Task], Move | None],
        place: Callable[[Task], Place],
    ) -> None:
        after: Place | None = None
        while tasks := await page(after):
            after = place(tasks[-1])
            moved = [(task, change) for task in tasks if (change := transition(task)) is not None]
            failpoint("caretaker.between_read_and_write")
            if moved:
                await self._write(aftermath, moved)
            if len(tasks) < PAGE:
                return

    async def _write(self, aftermath: Aftermath, moved: list[tuple[Task, Move]]) -> None:
        changes: list[Change] = [change for _, change in moved]
        tasks = [task for task, _ in moved]
        applied = await self._store.apply(changes)
        for task, change in moved:
            if change.seq in applied.accepted and change.from_state is State.RUNNING:
                self._gauges.rescued += 1
                self._lost(task)
        aftermath.follow(tasks, changes, applied)

    def _lost(self, task: Task) -> None:
        seat = self._roster.seat(task.worker)
        if seat is not None and self._roster.in_hand(task) is not None:
            seat.overdue = True
            seat.drop(task.id)

    def _freeze(self, now: int) -> None:
        """The store was away, or this node was: a worker could not renew, and is not dead for it."""
        self._frozen_before = now
        self._frozen_until = now + self._settings.lease_ttl

    def _spared(self, task: Task, now: int) -> bool:
        spared = now < self._frozen_until and (task.claimed_at or 0) < self._frozen_before
        self._sparing = self._sparing or spared
        return spared

    def _informed(self, task: Task) -> Task:
        """The record, with a start that this node heard of and the store does not know yet."""
        held = self._roster.in_hand(task)
        if held is not None and task.started_at is None:
            task.started_at = held.started_at
        return task

    def _thaw(self, due: int) -> int:
        """A due instant in the past may belong to a spared lease: look again in a second, or when it is spared no more."""
        now = self._store.now()
        return min(self._frozen_until, now + SECOND) if self._sparing and due <= now else due

    def _write_starts(self) -> None:
        self._starts = None
        changes: list[Change] = []
        for seat in self._roster:
            changes += [
                lifecycle.start(task, task.started_at)
                for task in seat.fresh.values()
                if task.started_at is not None and task.state is State.RUNNING
            ]
            seat.fresh.clear()
        if changes:
            self._errands.run(self._keep_starts(changes))

    async def _keep_starts(self, changes: list[Change]) -> None:
        """Where this fails the starts are still known in memory."""
        await self._store.apply(changes)


def _due_place(task: Task) -> Place:
    return (task.due_at or 0, task.seq)


def _expiry_place(task: Task) -> Place:
    return (task.expire_at or 0, task.seq)
