"""Workers come, report and go: what the engine does for one connection of a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence

from rota.contract.door import WorkerDoor
from rota.contract.herald import Herald
from rota.contract.journal import Journal
from rota.contract.store import Store
from rota.engine.caretaker import Caretaker
from rota.engine.dispatch import Dispatch
from rota.engine.drains import Drains
from rota.engine.outcome import Outcome
from rota.engine.returns import Returns
from rota.engine.roster import Roster, Seat
from rota.engine.settings import EngineSettings
from rota.life.duty import Errands
from rota.link.codes import Close
from rota.model import lifecycle
from rota.model.change import Change
from rota.model.errors import Conflict
from rota.model.log import LogLine, Progress
from rota.model.method import Method
from rota.model.report import Held, Refused, Report
from rota.model.retry import SECOND
from rota.model.task import Reason, State, Task
from rota.model.worker import Facts, Load

MISSING = "not heard of since the node started"
MISSING_AFTER = 60.0
"""Seconds that workers of an earlier start have to come back before they are noted as gone."""
_FOR_EVER = 2**62
_PAGE = 500
Ref = tuple[bytes, int]

_RELEASES = {"recalled": Reason.RECALLED, "draining": Reason.DRAINED}


class Sessions:
    """Lets workers in, and holds what their sessions share."""

    def __init__(
        self,
        store: Store,
        roster: Roster,
        dispatch: Dispatch,
        returns: Returns,
        outcome: Outcome,
        caretaker: Caretaker,
        journal: Journal,
        drains: Drains,
        herald: Herald,
        settings: EngineSettings,
    ) -> None:
        self.store = store
        self.roster = roster
        self.dispatch = dispatch
        self.returns = returns
        self.outcome = outcome
        self.caretaker = caretaker
        self.journal = journal
        self.drains = drains
        self.herald = herald
        self.settings = settings
        self._entrance = asyncio.Lock()
        self._errands = Errands("a worker's session")
        self._missing: asyncio.TimerHandle | None = None
        self._leases: dict[int, list[bytes]] = {}
        self.stopping = False

    async def connect(
        self,
        facts: Facts,
        methods: Sequence[Method],
        held: Sequence[Held],
        session_key: bytes,
        draining: bool,
        door: WorkerDoor,
        confined: bool = False,
    ) -> tuple[WorkerSession, list[Ref]]:
        """Registers a worker; answers its session, and the attempts in `held` that are no longer its own. A confined one is
        given tasks of its groups, and none without a group;
        what it declares counts for those alone, and no report of it is about another.

        The same id with the same key is the same worker again: the older door is closed as superseded. Raises Conflict
        (`worker_id_taken`) for the same id with another key.
        """
        async with self._entrance:
            known = self.roster.named(facts.id)
            if known is not None and known.session_key != session_key:
                raise Conflict(
                    f"the worker id {facts.id!r} belongs to another process; start with an id of your own",
                    code="worker_id_taken",
                )
            number = await self.store.enlist(facts, methods, not confined)
            seat = known or Seat(number, facts, methods, session_key, door)
            seat.confined = confined
            if known is None:
                await self._take_up(seat, self._leases.pop(number, ()))
            else:
                if not known.detached and known.door is not door:
                    known.door.close(Close.SUPERSEDED, "the same worker connected again")
                seat.learn(facts, methods)
                seat.door = door
            seat.draining, seat.detached, seat.overdue, seat.seen_at = draining, False, False, self.store.now()
            seat.since = seat.since or seat.seen_at
            seat.stood_down = self.drains.holds(facts.id)
            lost = await self._reattach(seat, held)
            self.roster.add(seat)
        if self.herald.listening:
            self.herald.worker("joined", seat.record())
        self.dispatch.kick()
        return WorkerSession(self, seat, door), lost

    def errand(self, work: Coroutine[None, None, None]) -> None:
        """Runs something beside the caller."""
        self._errands.run(work)

    async def learn_leases(self) -> None:
        """At the start: which leases the store knows, so that a worker that comes back is asked about each of its own."""
        after: tuple[int, int] | None = None
        while tasks := await self.store.due(State.RUNNING, _FOR_EVER, after, _PAGE):
            for task in tasks:
                if task.worker is not None:
                    self._leases.setdefault(task.worker, []).append(task.id)
            self.dispatch.limits.learn(tasks)
            after = (tasks[-1].due_at or 0, tasks[-1].seq)

    async def _take_up(self, seat: Seat, ids: Sequence[bytes]) -> None:
        """What an earlier start of this node leased to the worker. What the worker does not have is given to another."""
        if not ids:
            return
        records = await self.store.get(ids)
        seat.give(
            task
            for task in records.values()
            if task.state is State.RUNNING and task.worker == seat.number and seat.reaches(task.spec.lane.group)
        )
        seat.started.update(task.id for task in seat.held.values() if task.started_at is not None)

    def watch_for_the_missing(self) -> None:
        """Workers that the store has as present, and that do not come back after this start, are noted as gone."""
        loop = asyncio.get_running_loop()
        self._missing = loop.call_later(MISSING_AFTER, lambda: self.errand(self._retire_the_missing()))

    async def _retire_the_missing(self) -> None:
        self._leases.clear()
        for record in await self.store.workers():
            if record.online and self.roster.seat(record.number) is None:
                await self.store.retire(record.number, MISSING)

    async def stop(self) -> None:
        if self._missing is not None:
            self._missing.cancel()
        await self._errands.done()

    async def _reattach(self, seat: Seat, held: Sequence[Held]) -> list[Ref]:
        said = {item.id: item for item in held}
        silent = [
            task for task in seat.held.values() if task.id not in said and task.state is State.RUNNING and task.seq
        ]
        if silent:
            await self.returns.give_back(seat, silent, Reason.GIVEN_BACK)
        unknown = [item.id for item in held if item.id not in seat.held]
        records = await self.store.get(unknown) if unknown else {}
        kept: list[Task] = []
        lost: list[Ref] = []
        for item in held:
            task = seat.held.get(item.id) or records.get(item.id)
            if task is None or not _still_its(task, item, seat):
                lost.append((item.id, item.attempt))
                continue
            if item.id not in seat.held:
                seat.give((task,))
            if item.started_at is not None:
                self._mark_started(seat, task)
            kept.append(task)
        lost += await self.renew(seat, kept)
        return lost

    async def renew(self, seat: Seat, tasks: Sequence[Task]) -> list[Ref]:
        """New deadlines for these leases; the attempts whose lease is gone."""
        if not tasks:
            return []
        now, ttl = self.store.now(), self.settings.lease_ttl
        changes: list[Change] = [lifecycle.renew(task, now, ttl) for task in tasks if task.state is State.RUNNING]
        applied = await self.store.apply(changes)
        by_seq = {task.seq: task for task in tasks}
        lost: list[Ref] = []
        for change in changes:
            task = by_seq[change.seq]
            if change.seq in applied.accepted:
                change.onto(task)
            elif seat.held.get(task.id) is task:
                seat.drop(task.id)
                lost.append((task.id, task.attempt))
        return lost

    def mark_started(self, seat: Seat, tasks: Sequence[Held]) -> None:
        for item in tasks:
            task = seat.held.get(item.id)
            if task is not None and task.attempt == item.attempt:
                self._mark_started(seat, task)

    def _mark_started(self, seat: Seat, task: Task) -> None:
        if task.id in seat.started:
            return
        seat.started.add(task.id)
        if task.started_at is None:
            task.started_at = self.store.now()
        seat.fresh[task.id] = task
        self.caretaker.started()


class WorkerSession:
    """One worker's connection. Its calls do nothing once another connection of the worker has taken over."""

    def __init__(self, sessions: Sessions, seat: Seat, door: WorkerDoor) -> None:
        self._all = sessions
        self._seat = seat
        self._door = door

    def started(self, tasks: Sequence[Held]) -> None:
        """Notes that attempts have begun; repeated and stale ones are ignored."""
        if self._mine:
            self._all.mark_started(self._seat, tasks)

    async def finished(self, reports: Sequence[Report]) -> list[Refused]:
        """Keeps outcomes; see Outcome.finished. A report of the very attempt is good by whatever connection it comes."""
        return await self._all.outcome.finished(self._seat, reports)

    async def released(self, refs: Sequence[Ref], reason: str) -> None:
        """Takes back tasks that the worker will not run."""
        if not self._mine:
            return
        tasks = [
            task
            for task_id, attempt in refs
            if (task := self._seat.held.get(task_id)) is not None and task.attempt == attempt
        ]
        if tasks:
            await self._all.returns.give_back(self._seat, tasks, _RELEASES.get(reason, Reason.RECALLED))

    def heartbeat(self, load: Load) -> None:
        """Notes the load, and renews the leases of which a quarter or more is spent."""
        if not self._mine:
            return
        seat, now = self._seat, self._all.store.now()
        seat.load, seat.seen_at = load, now
        if seat.overdue:
            seat.overdue = False
            self._all.dispatch.kick()
        soon = now + self._all.settings.lease_ttl * 3 // 4
        due = [
            task
            for task in seat.held.values()
            if task.state is State.RUNNING and task.due_at is not None and task.due_at < soon
        ]
        if due:
            self._all.errand(self._renew(due))

    def report(self, task_id: bytes, attempt: int, lines: Sequence[LogLine], progress: Progress | None) -> None:
        """Log lines and progress of an attempt in hand."""
        task = self._seat.held.get(task_id)
        if task is None or task.attempt != attempt or not self._mine:
            return
        if lines:
            self._all.journal.write(task.seq, lines)
        if progress is not None:
            self._all.journal.mark(task.seq, progress)

    async def reregister(self, facts: Facts, methods: Sequence[Method], draining: bool) -> None:
        """The worker offers other methods now, or drains."""
        await self._all.store.enlist(facts, methods, not self._seat.confined)
        self._seat.learn(facts, methods)
        drains = draining and not self._seat.draining
        self._seat.draining = draining
        self._all.roster.add(self._seat)
        if drains and self._all.herald.listening:
            self._all.herald.worker("drains", self._seat.record())
        self._all.dispatch.kick()

    async def closed(self, drained: bool, reason: str) -> None:
        """The link is gone. Un-started tasks go back at once; started ones have a short time to be claimed again.

        After a drain, or when this node itself stops, nothing is hurried.
        """
        if not self._mine:
            return
        seat = self._seat
        seat.detached = True
        self._all.roster.changed()
        self._all.dispatch.kick()  # an older version of a method may be the highest now
        if self._all.herald.listening:
            gone = seat.record()
            gone.gone_at, gone.gone_reason = self._all.store.now(), reason
            self._all.herald.worker("left", gone)
        loop = asyncio.get_running_loop()
        loop.call_later((self._all.settings.closed_lease_ttl / SECOND) * 2 + 1, self._forget)
        if self._all.stopping:
            return
        await self._all.store.retire(seat.number, reason)
        leased = [task for task in seat.held.values() if task.state is State.RUNNING and task.seq]
        if drained:
            await self._all.returns.give_back(seat, leased, Reason.DRAINED)
            return
        unstarted = [task for task in leased if task.id not in seat.started]
        if unstarted:
            await self._all.returns.give_back(seat, unstarted, Reason.GIVEN_BACK)
        await self._shorten([task for task in leased if task.id in seat.started])

    async def _shorten(self, tasks: Sequence[Task]) -> None:
        store, ttl = self._all.store, self._all.settings.closed_lease_ttl
        if not tasks:
            return
        now = store.now()
        changes: list[Change] = [lifecycle.renew(task, now, ttl) for task in tasks]
        starts: list[Change] = [lifecycle.start(task, task.started_at or now) for task in tasks]
        await store.apply(starts)
        await store.apply(changes)
        self._all.caretaker.timer.by(now + ttl)

    async def _renew(self, tasks: Sequence[Task]) -> None:
        lost = await self._all.renew(self._seat, tasks)
        if lost and self._mine:
            self._door.cancel(lost, "lease lost")

    def _forget(self) -> None:
        if self._seat.detached and self._all.roster.seat(self._seat.number) is self._seat:
            self._all.roster.remove(self._seat)

    @property
    def _mine(self) -> bool:
        return self._seat.door is self._door and not self._seat.detached


def _still_its(task: Task, item: Held, seat: Seat) -> bool:
    if task.state is not State.RUNNING or task.attempt != item.attempt or task.worker != seat.number:
        return False
    return item.id in seat.held or seat.reaches(task.spec.lane.group)
