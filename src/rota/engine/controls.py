"""What people set: kept, brought to bear, and told; and the count of who is leased, learned from the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from rota.contract.herald import Herald
from rota.contract.store import Store
from rota.engine.dispatch import Dispatch
from rota.engine.roster import Roster
from rota.life.duty import Errands
from rota.model.control import Control, Rate, Scope
from rota.model.errors import Fault, InvalidInput, RotaError
from rota.model.names import check_name
from rota.model.retry import SECOND
from rota.model.task import Lane, State

PAGE = 500
MAX_COUNT = 1_000_000
"""Of a limit of concurrency, and of the starts in a period."""
MAX_QUEUED = 1_000_000_000
LONGEST_PERIOD = 366 * 24 * 3600 * SECOND
SHORTEST_PERIOD = SECOND // 1000
MAX_NOTE = 1_000
LOOK_AGAIN = 1.0
"""Seconds after a write whose end is not known until it is looked who is leased: by then it has landed, or it will not."""
_FOR_EVER = 2**62


class Controls:
    """One per engine."""

    def __init__(self, store: Store, dispatch: Dispatch, roster: Roster, herald: Herald) -> None:
        self._store = store
        self._dispatch = dispatch
        self._limits = dispatch.limits
        self._roster = roster
        self._herald = herald
        self._turn = asyncio.Lock()
        self._learning = asyncio.Lock()
        self._errands = Errands("the controls")
        self._again: asyncio.TimerHandle | None = None
        self._stopped = False

    async def load(self) -> None:
        """At the start, before the leases of the store are learned."""
        for control in await self._store.controls():
            self._limits.put(control, known=True)

    def all(self) -> list[Control]:
        """What is set, the node first, then groups and methods by name."""
        return sorted(self._limits.controls(), key=lambda control: (_SCOPES.index(control.scope), control.name))

    async def set(self, control: Control) -> Control:
        """Keeps it, then brings it to bear. Raises InvalidInput; Unavailable where the store is away."""
        check_control(control)
        # Who is kept from hearing of it must not leave it kept and not brought to bear.
        return await asyncio.shield(asyncio.ensure_future(self._set(control)))

    async def _set(self, control: Control) -> Control:
        async with self._turn:
            control = replace(control, changed_at=self._store.now())
            await self._store.set_control(control)
            paused = control.paused and not self._is_paused(control)
            if self._limits.put(control):
                await self._learn_or_later()
        self._herald.control(control)
        if paused:
            self.recall(_governed(control))
        self._dispatch.kick()
        return control

    def recall(self, wanted: Callable[[Lane], bool]) -> None:
        """Asks every worker that has un-started tasks of these lanes for all that it has not started.

        What else comes back is given out again at once.
        """
        for seat in self._roster:
            waiting = seat.unstarted()
            if not seat.detached and any(wanted(task.spec.lane) for task in waiting):
                seat.door.recall(len(waiting))

    def doubt(self) -> None:
        """A write did not say how it ended: soon it is looked who is really leased."""
        if self._again is None and self._limits.counting and not self._stopped:
            self._again = asyncio.get_running_loop().call_later(LOOK_AGAIN, self._look_again)

    async def learn(self) -> None:
        """Counts who is leased anew, from the store. Raises Unavailable."""
        async with self._learning:
            self._limits.begin_learning()
            whole = False
            try:
                after: tuple[int, int] | None = None
                while tasks := await self._store.due(State.RUNNING, _FOR_EVER, after, PAGE):
                    self._limits.learn(tasks)
                    after = (tasks[-1].due_at or 0, tasks[-1].seq)
                await self._forget_the_gone()
                whole = True
            finally:
                self._limits.end_learning(whole=whole)
        self._dispatch.kick()

    async def stop(self) -> None:
        self._stopped = True
        if self._again is not None:
            self._again.cancel()
        await self._errands.done()

    async def _forget_the_gone(self) -> None:
        unseen = self._limits.unseen()
        for start in range(0, len(unseen), PAGE):
            for record in (await self._store.get(unseen[start : start + PAGE])).values():
                self._limits.seen(record)

    async def _learn_or_later(self) -> None:
        """Where the store is away the scope stays shut until it has been asked."""
        try:
            await self.learn()
        except RotaError:
            self._later()

    def _later(self) -> None:
        if self._again is None and not self._stopped:
            self._again = asyncio.get_running_loop().call_later(LOOK_AGAIN, self._look_again)

    def _look_again(self) -> None:
        self._again = None
        self._errands.run(self._learn_or_later())

    def _is_paused(self, control: Control) -> bool:
        known = self._limits.control(control.scope, control.name)
        return known is not None and known.paused


_SCOPES = (Scope.NODE, Scope.GROUP, Scope.METHOD)


def _governed(control: Control) -> Callable[[Lane], bool]:
    if control.scope is Scope.GROUP:
        return lambda lane: (lane.group or "") == control.name
    return lambda lane: control.scope is Scope.NODE or lane.method == control.name


def check_control(control: Control) -> None:
    """Raises InvalidInput with every wrong place."""
    faults: list[Fault] = []
    if control.scope is Scope.NODE and control.name:
        faults.append(Fault("name", "invalid_name", "the scope of the whole node has no name; leave it empty"))
    if control.scope is Scope.METHOD and not control.name:
        faults.append(Fault("name", "invalid_name", "name the method"))
    if control.concurrency is not None and not 1 <= control.concurrency <= MAX_COUNT:
        faults.append(
            Fault("concurrency", "out_of_range", f"{_not_from(control.concurrency)}; to hold all back, pause")
        )
    for path, rate in (("rate", control.rate), ("key_rate", control.key_rate)):
        faults += _rate_faults(path, rate)
    faults += _depth_faults(control)
    if len(control.note.encode("utf-8", "surrogatepass")) > MAX_NOTE:
        faults.append(Fault("note", "too_long", f"at most {MAX_NOTE} bytes"))
    if faults:
        raise InvalidInput.all_of(faults)
    if control.name:
        check_name(control.name, "name")


def _rate_faults(path: str, rate: Rate | None) -> list[Fault]:
    faults: list[Fault] = []
    if rate is None:
        return faults
    if not 1 <= rate.count <= MAX_COUNT:
        faults.append(Fault(f"{path}.count", "out_of_range", f"{_not_from(rate.count)}; to hold all back, pause"))
    if not SHORTEST_PERIOD <= rate.period <= LONGEST_PERIOD:
        faults.append(
            Fault(f"{path}.period", "out_of_range", f"{rate.period / SECOND:g} s is not from 0.001 s to 366 days")
        )
    return faults


def _depth_faults(control: Control) -> list[Fault]:
    queued = control.max_queued
    if queued is None:
        return []
    if control.scope is not Scope.GROUP:
        words = (
            f"a limit of depth is for a group, not for a {control.scope.value}; the node's is the setting max_queued"
        )
        return [Fault("max_queued", "group_only", words)]
    if not 1 <= queued <= MAX_QUEUED:
        words = f"{queued} is not from 1 to {MAX_QUEUED}; to start none of the group, pause it"
        return [Fault("max_queued", "out_of_range", words)]
    return []


def _not_from(count: int) -> str:
    return f"{count} is not from 1 to {MAX_COUNT}"
