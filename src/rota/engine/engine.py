"""The engine's face: what every door calls. It constructs nothing of the outside; the house hands that in."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rota.contract.coordination import ReadyIndex
from rota.contract.door import WaiterDoor, WorkerDoor
from rota.contract.journal import Journal
from rota.contract.store import Query, Receipt, Store
from rota.engine.aftermath import Aftermath
from rota.engine.calls import Calls
from rota.engine.caretaker import Caretaker
from rota.engine.dispatch import Dispatch
from rota.engine.gauges import Figures, Gauges
from rota.engine.intake import Intake
from rota.engine.janitor import Janitor
from rota.engine.outcome import Outcome
from rota.engine.returns import Returns
from rota.engine.roster import Roster
from rota.engine.sessions import MISSING, Sessions, WorkerSession
from rota.engine.settings import EngineSettings
from rota.engine.waiters import Waiters
from rota.model.errors import NotFound
from rota.model.log import LogLine, Progress
from rota.model.method import Method
from rota.model.report import CallOutcome, Held
from rota.model.submission import Submission
from rota.model.task import AttemptRecord, State, Task
from rota.model.text import task_id_text
from rota.model.worker import Facts, WorkerRecord


@dataclass(frozen=True, slots=True)
class Details:
    """What stands beside a task's record."""

    attempts: list[AttemptRecord]
    progress: Progress | None


class Engine:
    """Constructed with everything it uses; `start` before the first call, `stop` once."""

    def __init__(
        self,
        store: Store,
        index: ReadyIndex,
        journal: Journal,
        settings: EngineSettings | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings or EngineSettings()
        self._store = store
        self._journal = journal
        self._roster = Roster()
        self._waiters = Waiters()
        self._gauges = Gauges()
        self._caretaker = Caretaker(store, self._roster, self._gauges, self._settings)
        self._dispatch = Dispatch(store, index, self._roster, self._caretaker.timer, self._settings)
        self._janitor = Janitor(store, self._settings, chance)
        self._aftermath = Aftermath(self._waiters, self._dispatch, self._gauges, journal)
        self._intake = Intake(store, self._roster, self._dispatch, self._settings)
        self._calls = Calls(store, self._roster, self._aftermath, self._settings)
        outcome = Outcome(store, self._dispatch, self._aftermath, self._settings, chance)
        returns = Returns(store, self._aftermath, self._settings)
        self._dispatch.undelivered = returns.give_back
        self._sessions = Sessions(
            store, self._roster, self._dispatch, returns, outcome, self._caretaker, journal, self._settings
        )
        self._duties: list[asyncio.Task[None]] = []
        self._worker_names: dict[int, str] = {}
        self._started_at = 0

    @property
    def settings(self) -> EngineSettings:
        return self._settings

    # --- life

    async def start(self) -> None:
        """The store is open. Begins the duties and looks for what is ready."""
        self._started_at = self._store.now()
        self._roster.declare(await self._store.methods())
        await self._sessions.learn_leases()
        loop = asyncio.get_running_loop()
        self._duties = [
            loop.create_task(self._caretaker.run(self._aftermath), name="caretaker"),
            loop.create_task(self._janitor.run(), name="janitor"),
        ]
        self._dispatch.kick()
        self._sessions.watch_for_the_missing()

    async def stop(self) -> None:
        """Ends the duties; leases stay as they are, so that workers can come back to the next node. May be called twice."""
        self._sessions.stopping = True
        await self._dispatch.stop()
        await self._sessions.stop()
        for duty in self._duties:
            duty.cancel()
        await asyncio.gather(*self._duties, return_exceptions=True)
        self._duties.clear()
        await self._caretaker.stop()

    def look_at_the_clock(self) -> None:
        """The store's clock was moved by hand: look what is due by it."""
        self._caretaker.look()

    def drain(self, reconnect_to: Sequence[str] = ()) -> None:
        """Tells every worker that this node is going."""
        self._sessions.stopping = True
        for seat in self._roster:
            if not seat.detached:
                seat.door.drain(reconnect_to)

    # --- clients

    async def submit(
        self, batch: Sequence[Submission], *, atomic: bool = False, waiter: WaiterDoor | None = None
    ) -> list[Receipt]:
        """Accepts tasks: one receipt each, in order, after COMMIT. A bad one is refused in its receipt.

        With `atomic` one refusal refuses all. With a `waiter`, as if `wait` had been called for each task that stands
        for one of the batch. Raises InvalidInput (`batch_size`), Overloaded (`queue_full`), Unavailable.
        """
        if waiter is not None:
            self._waiters.add((submission.id for submission in batch), waiter)
        try:
            receipts, accepted = await self._intake.submit(batch, atomic=atomic)
        except BaseException:
            if waiter is not None:
                self._waiters.remove(waiter, [submission.id for submission in batch])
            raise
        if accepted:
            self._gauges.accepted(len(accepted), self._store.now())
            self._note_expiries(accepted)
        if waiter is not None and len(accepted) < len(batch):
            await self._wait_for_the_rest(batch, receipts, waiter)
        return receipts

    async def wait(self, ids: Sequence[bytes], waiter: WaiterDoor) -> list[bytes]:
        """Tells `waiter` of each of these tasks when it ends, at once where it has; answers the unknown ids."""
        self._waiters.add(ids, waiter)
        states = await self._store.states(ids)
        unknown = [task_id for task_id in ids if task_id not in states]
        self._waiters.remove(waiter, unknown)
        ended = [task_id for task_id, state in states.items() if state >= State.SUCCEEDED]
        if ended:
            records = await self._store.get(ended)
            self._waiters.tell_one(waiter, [task for task in records.values() if task.state.ended])
        return unknown

    def unwait(self, waiter: WaiterDoor, ids: Sequence[bytes] | None = None) -> None:
        """Stops waiting for these tasks, or for all."""
        self._waiters.remove(waiter, ids)

    async def get(self, ids: Sequence[bytes]) -> dict[bytes, Task]:
        """The records of the ids that are known."""
        return await self._store.get(ids)

    async def details(self, tasks: Sequence[Task]) -> dict[int, Details]:
        """Past attempts and progress, by `seq`."""
        marks = await self._journal.marks([task.seq for task in tasks])
        return {task.seq: Details(await self._past(task), marks.get(task.seq)) for task in tasks}

    async def find(self, query: Query, before_seq: int | None, limit: int) -> list[Task]:
        """Tasks, newest first, from before a place."""
        return await self._store.find(query, before_seq, limit)

    async def cancel(self, ids: Sequence[bytes], note: str) -> list[CallOutcome]:
        """Waiting tasks end at once; running ones when their worker says so."""
        return await self._calls.cancel(ids, note)

    async def retry(self, ids: Sequence[bytes]) -> list[CallOutcome]:
        """Ended tasks become ready again."""
        return await self._calls.retry(ids)

    async def figures(self) -> Figures:
        """How the node stands, tasks by state included."""
        return self._figures(dict(await self._store.counts()))

    def live_counts(self) -> Figures:
        """The same without asking the store: `tasks` is empty."""
        return self._figures({})

    async def workers(self, gone: bool = False) -> list[WorkerRecord]:
        """The workers that are here; with `gone`, those of the last day too."""
        records = await self._store.workers()
        for record in records:
            self._describe(record)
        return [record for record in records if gone or record.online]

    async def methods(self) -> list[tuple[Method, int]]:
        """Every method offered now or before, with the number of live workers that offer it."""
        return [(method, self._roster.offers(method)) for method in await self._store.methods()]

    async def worker_names(self, tasks: Sequence[Task | AttemptRecord]) -> dict[int, str]:
        """The ids of the workers that hold, or held, these tasks or attempts, by number."""
        numbers = {task.worker for task in tasks if task.worker is not None}
        missing = [number for number in numbers if number not in self._worker_names]
        if missing:
            if len(self._worker_names) > 10_000:
                self._worker_names.clear()
            for record in await self._store.workers(missing):
                self._worker_names[record.number] = record.facts.id
        return {number: self._worker_names.get(number, "") for number in numbers}

    # --- logs

    async def read_logs(self, task_id: bytes, after: int, limit: int) -> tuple[list[LogLine], bool]:
        """Lines of a task after a number, and whether the task has ended. Raises NotFound."""
        task = await self._known(task_id)
        lines = await self._journal.read(task.seq, after, limit)
        return lines, task.state.ended

    async def follow(self, task_id: bytes, bell: Callable[[], None]) -> Callable[[], None]:
        """Calls `bell` when there may be more lines or the task ended; answers the way to stop. Raises NotFound."""
        task = await self._known(task_id)
        return self._journal.follow(task.seq, bell)

    # --- workers

    async def connect(
        self,
        facts: Facts,
        methods: Sequence[Method],
        held: Sequence[Held],
        session_key: bytes,
        draining: bool,
        door: WorkerDoor,
    ) -> tuple[WorkerSession, list[tuple[bytes, int]]]:
        """Lets a worker in; see Sessions.connect."""
        return await self._sessions.connect(facts, methods, held, session_key, draining, door)

    # --- within

    def _note_expiries(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            if task.expire_at is not None:
                self._caretaker.timer.by(task.expire_at)

    async def _wait_for_the_rest(
        self, batch: Sequence[Submission], receipts: Sequence[Receipt], waiter: WaiterDoor
    ) -> None:
        refused = [item.id for item, receipt in zip(batch, receipts, strict=True) if receipt.refusal is not None]
        self._waiters.remove(waiter, refused)
        duplicates = [receipt.task_id for receipt in receipts if receipt.duplicate]
        others = [
            item.id
            for item, receipt in zip(batch, receipts, strict=True)
            if receipt.duplicate and receipt.task_id != item.id
        ]
        self._waiters.remove(waiter, others)
        if duplicates:
            await self.wait(duplicates, waiter)

    async def _known(self, task_id: bytes) -> Task:
        task = (await self._store.get([task_id])).get(task_id)
        if task is None:
            raise NotFound.task(task_id_text(task_id))
        return task

    async def _past(self, task: Task) -> list[AttemptRecord]:
        return await self._store.attempts(task.seq) if task.attempt > 1 or task.failures or task.rescues else []

    def _figures(self, tasks: dict[State, int]) -> Figures:
        return self._gauges.figures(self._store.now(), self._started_at, len(self._roster), self._store.unended, tasks)

    def _describe(self, record: WorkerRecord) -> None:
        seat = self._roster.seat(record.number)
        if seat is None or seat.detached:
            if record.gone_at is None:
                record.gone_at, record.gone_reason = record.seen_at, MISSING
            return
        record.gone_at = None
        record.seen_at, record.load, record.draining = seat.seen_at, seat.load, seat.draining
        record.in_hand, record.running, record.finished = seat.in_hand, len(seat.started), seat.finished
