"""The engine's face: what every door calls. It constructs nothing of the outside; the house hands that in."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from rota.contract.coordination import ReadyIndex
from rota.contract.door import WaiterDoor, WorkerDoor
from rota.contract.herald import Herald, NoHerald
from rota.contract.journal import Journal
from rota.contract.store import ALL, BatchCounts, Query, Receipt, Store
from rota.engine.aftermath import Aftermath
from rota.engine.bulk import MOST, Bulk
from rota.engine.calls import Calls
from rota.engine.caretaker import Caretaker
from rota.engine.controls import Controls
from rota.engine.dispatch import Dispatch
from rota.engine.drains import Drains
from rota.engine.gauges import Figures, Gauges
from rota.engine.groups import Groups
from rota.engine.intake import Intake
from rota.engine.janitor import Janitor
from rota.engine.outcome import Outcome
from rota.engine.reasons import Reasons
from rota.engine.recovery import Recovery
from rota.engine.returns import Returns
from rota.engine.roster import Roster
from rota.engine.sessions import MISSING, Sessions, WorkerSession
from rota.engine.settings import EngineSettings
from rota.engine.store_watch import StoreWatch
from rota.engine.traced import accepting
from rota.engine.vitals import Vitals, take
from rota.engine.waiters import Waiters
from rota.model.cause import Explanation
from rota.model.control import Control
from rota.model.errors import NotFound
from rota.model.group import GroupView
from rota.model.latency import Window
from rota.model.log import LogLine, Progress
from rota.model.method import Method
from rota.model.report import BulkOutcome, CallOutcome, Held
from rota.model.submission import Submission
from rota.model.task import AttemptRecord, State, Task
from rota.model.text import task_id_text
from rota.model.worker import Facts, WorkerRecord
from rota.telemetry import tracing


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
        herald: Herald | None = None,
    ) -> None:
        self._settings = settings or EngineSettings()
        self.herald: Herald = herald or NoHerald()
        self.readiness: Callable[[], str] = lambda: ""
        """Why the node does not serve (`draining`, `store_full` …); empty: it does. Set by the house."""
        self._store = store
        self._index = index
        self._journal = journal
        self._roster = Roster()
        self._waiters = Waiters()
        self._gauges = Gauges()
        watch = StoreWatch(self.herald)
        self._caretaker = Caretaker(store, self._roster, self._gauges, watch, self._settings)
        self._dispatch = Dispatch(
            store, index, self._roster, self._caretaker.timer, self._gauges, self.herald, watch, self._settings
        )
        self._controls = Controls(store, self._dispatch, self._roster, self.herald)
        watch.doubt = self._controls.doubt
        self._groups = Groups(store, self._roster, self._dispatch.limits, self._gauges)
        self._janitor = Janitor(store, self._settings, chance)
        self._aftermath = Aftermath(self._waiters, self._dispatch, self._gauges, journal, self.herald, watch)
        self._intake = Intake(store, self._roster, self._dispatch, watch, self._settings)
        self._recovery = Recovery(store, index, self._waiters, self._caretaker, self._dispatch)
        watch.unknown = self._recovery.due
        self._calls = Calls(store, self._roster, self._aftermath, self.herald, watch, self._settings)
        self._bulk = Bulk(store, self._calls)
        outcome = Outcome(store, self._dispatch, self._aftermath, watch, self._settings, chance)
        returns = Returns(store, self._dispatch, self._aftermath, watch, self._settings)
        self._dispatch.undelivered = returns.give_back
        self._drains = Drains(self._roster, self._dispatch, self.herald)
        self._sessions = Sessions(
            store,
            self._roster,
            self._dispatch,
            returns,
            outcome,
            self._caretaker,
            journal,
            self._drains,
            self.herald,
            self._settings,
        )
        self._reasons = Reasons(store, self._roster, self._dispatch.limits, watch)
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
        for worker in await self._store.workers():
            self._roster.declare_within(worker.facts.groups, worker.methods)
        await self._controls.load()
        await self._sessions.learn_leases()
        loop = asyncio.get_running_loop()
        self._duties = [
            loop.create_task(self._caretaker.run(self._aftermath), name="caretaker"),
            loop.create_task(self._janitor.run(), name="janitor"),
        ]
        self._dispatch.kick()
        self._sessions.watch_for_the_missing()
        self.herald.node("ready")

    async def stop(self) -> None:
        """Ends the duties; leases stay as they are, so that workers can come back to the next node. May be called twice."""
        self._sessions.stopping = True
        await self._dispatch.stop()
        await self._controls.stop()
        await self._recovery.stop()
        await self._sessions.stop()
        for duty in self._duties:
            duty.cancel()
        await asyncio.gather(*self._duties, return_exceptions=True)
        self._duties.clear()
        await self._caretaker.stop()

    def look_at_the_clock(self) -> None:
        """The store's clock was moved by hand: look what is due by it."""
        self._caretaker.look()
        self._dispatch.kick()

    def drain(self, reconnect_to: Sequence[str] = ()) -> None:
        """Tells every worker that this node is going."""
        self._sessions.stopping = True
        self.herald.node("draining")
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
            work = self._intake.submit(batch, atomic=atomic)
            tracer = tracing.tracer
            receipts, accepted = await (work if tracer is None else accepting(tracer, batch, work))
        except BaseException:
            if waiter is not None:
                self._waiters.remove(waiter, [submission.id for submission in batch])
            raise
        if accepted:
            self._gauges.accepted(accepted, self._store.now())
            self._note_expiries(accepted)
            if self.herald.listening:
                self.herald.tasks(accepted)
            self._follow_submit(accepted, receipts)
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

    async def delete(self, ids: Sequence[bytes]) -> list[CallOutcome]:
        """Removes ended tasks with their history."""
        return await self._calls.delete(ids)

    async def bulk(
        self, action: str, query: Query, *, dry_run: bool = False, limit: int = MOST, note: str = ""
    ) -> BulkOutcome:
        """Cancels, retries or deletes what a query meets; see Bulk.run. `action`: cancel, retry or delete."""
        return await self._bulk.run(action, query, dry_run=dry_run, limit=limit, note=note)

    async def why(self, task_id: bytes, groups: frozenset[str] | None = None) -> Explanation:
        """What holds a task back, or where it is. `groups`: of no others is it told who serves them; None: of all.
        Raises NotFound."""
        return await self._reasons.explain(await self._known(task_id), self._now_unready(), groups)

    async def batch(self, name: str) -> BatchCounts:
        """How the tasks of a batch stand. Raises NotFound (`batch_not_found`)."""
        counts = await self._store.batch(name)
        if counts is None:
            words = f"no task of a batch {name!r} is here: none was accepted, or all are past their time"
            raise NotFound(words, code="batch_not_found")
        return counts

    # --- control

    async def groups(
        self, after: str | None = None, limit: int = ALL, only: Collection[str] | None = None
    ) -> list[GroupView]:
        """The groups that have unended tasks, connected workers, or something set for them: the tasks without a group
        first (an empty name), then by name. From after a name, up to `limit`. `only`: of these alone."""
        return await self._groups.page(after, limit, only)

    async def controls(self) -> list[Control]:
        """What is set, for the node first, then for groups and methods by name."""
        return self._controls.all()

    async def set_control(self, control: Control) -> Control:
        """Keeps it in the place of what was set for the scope, and brings it to bear. Raises InvalidInput, Unavailable."""
        return await self._controls.set(control)

    def window(self) -> Window:
        """What happened since this was last asked: for the one who keeps the series."""
        return self._gauges.window()

    async def figures(self) -> Figures:
        """How the node stands, tasks by state included."""
        return self._figures(dict(await self._store.counts()))

    def live_counts(self) -> Figures:
        """The same without asking the store: `tasks` is empty."""
        return self._figures({})

    async def vitals(self) -> Vitals:
        """What an operator is woken for. Never raises for a store that is away."""
        return await take(self._store, self._index, self._roster, self._caretaker, self._gauges)

    async def workers(self, gone: bool = False) -> list[WorkerRecord]:
        """The workers that are here; with `gone`, those of the last day too."""
        records = await self._store.workers()
        for record in records:
            self._describe(record)
        return [record for record in records if gone or record.online]

    async def methods(self) -> list[tuple[Method, int]]:
        """Every method offered now or before, with the number of live workers that offer it."""
        known = {(method.name, method.version): method for method in await self._store.methods()}
        for worker in await self._store.workers():  # those whose word counts for some groups only
            for method in worker.methods:
                known.setdefault((method.name, method.version), method)
        return [(known[key], self._roster.offers(known[key])) for key in sorted(known)]

    def worker_name(self, number: int) -> str:
        """The id of a worker that is here, or was asked for lately; else empty."""
        seat = self._roster.seat(number)
        return seat.facts.id if seat is not None else self._worker_names.get(number, "")

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
        confined: bool = False,
    ) -> tuple[WorkerSession, list[tuple[bytes, int]]]:
        """Lets a worker in; see Sessions.connect."""
        return await self._sessions.connect(facts, methods, held, session_key, draining, door, confined)

    async def drain_worker(self, number: int, note: str = "") -> None:
        """It is given nothing more, and asked for what it has not started; what runs goes on. Holds when it connects
        again, while this node lives. Raises NotFound (`worker_not_found`)."""
        self._drains.drain(number)

    async def resume_worker(self, number: int) -> None:
        """Takes back `drain_worker`. Raises NotFound."""
        self._drains.resume(number)

    async def shut_down_worker(self, number: int, note: str = "") -> None:
        """Asks its process to finish what it runs, give back the rest, and end. Raises NotFound."""
        self._drains.shut_down(number, note or "asked by an administrator")

    # --- within

    def _follow_submit(self, accepted: Sequence[Task], receipts: Sequence[Receipt]) -> None:
        """What a submit has ended, or moved on: tasks that it replaced, those behind them, and tasks of its own."""
        ended = [task for task in accepted if task.state >= State.SUCCEEDED]
        moved_on: list[Task] = []
        for receipt in receipts:
            if receipt.replaced is not None:
                ended.append(receipt.replaced)
            for task in receipt.unblocked:
                (ended if task.state >= State.SUCCEEDED else moved_on).append(task)
        if ended or moved_on:
            self._aftermath.over(ended, moved_on)

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

    def _now_unready(self) -> str:
        return "draining" if self._sessions.stopping else self.readiness() or self._store.trouble

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
        record.seen_at, record.load, record.draining = seat.seen_at, seat.load, seat.draining or seat.stood_down
        record.in_hand, record.running, record.finished = seat.in_hand, len(seat.started), seat.finished
