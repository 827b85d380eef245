"""The store in memory: the reference that says what the others must do, and a test double.

It keeps nothing past the process. Every verb runs in one go on the event loop, so each is a transaction by itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count

from rota.contract.store import Applied, Capabilities, Entry, Query, Receipt
from rota.life.clock import Clock, SystemClock
from rota.model import lifecycle
from rota.model.change import Change, Finish, Move
from rota.model.errors import Unavailable
from rota.model.log import LogLine, Progress
from rota.model.method import Method
from rota.model.task import AttemptRecord, Lane, Reason, State, Task
from rota.model.worker import Facts, WorkerRecord
from rota.storage.intake import Answered, Body, decide
from rota.storage.keeping import GONE_KEPT, GONE_LEAST, GONE_MOST, IDEMPOTENCY_TTL
from rota.storage.records import copied, within


class MemoryStore:
    """A `Store` whose tables are dictionaries. The caller's records and the store's are never the same objects."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._open = False
        self._seqs, self._numbers, self._lines = count(1), count(1), count(1)
        self._tasks: dict[int, Task] = {}
        self._ids: dict[bytes, int] = {}
        self._unique: dict[str, int] = {}
        self._order: defaultdict[str, set[int]] = defaultdict(set)
        self._answers: dict[str, tuple[Answered, int]] = {}
        self._past: defaultdict[int, dict[int, AttemptRecord]] = defaultdict(dict)
        self._logs: defaultdict[int, list[LogLine]] = defaultdict(list)
        self._progress: dict[int, Progress] = {}
        self._workers: dict[int, WorkerRecord] = {}
        self._methods: dict[tuple[str, int], Method] = {}
        self._counts: Counter[State] = Counter()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(durable=False, shared=False, loss_window="everything, when the process ends")

    @property
    def unended(self) -> int:
        return sum(number for state, number in self._counts.items() if not state.ended)

    @property
    def trouble(self) -> str:
        return ""

    async def open(self) -> None:
        self._open = True

    async def close(self) -> None:
        self._open = False

    def now(self) -> int:
        return self._clock.now()

    # --- writes

    async def submit(self, entries: Sequence[Entry], *, atomic: bool = False) -> list[Receipt]:
        self._check_open()
        decision = decide(entries, _Shelf(self), atomic=atomic)
        for entry in decision.accepted:
            self._accept(entry, entry.task.id in decision.behind)
        until = self.now() + IDEMPOTENCY_TTL
        self._answers.update((key, (answer, until)) for key, answer in decision.remembered.items())
        return decision.receipts

    def _accept(self, entry: Entry, behind: bool) -> None:
        task, spec = entry.task, entry.task.spec
        task.seq = next(self._seqs)
        if behind:
            lifecycle.order(task)
        self._tasks[task.seq] = copied(task)
        self._ids[task.id] = task.seq
        self._counts[task.state] += 1
        if spec.unique_key is not None:
            self._unique[spec.unique_key] = task.seq
        if spec.order_key is not None:
            self._order[spec.order_key].add(task.seq)

    async def apply(self, changes: Sequence[Change], *, patient: bool = False) -> Applied:
        self._check_open()
        now, applied = self.now(), Applied()
        # Keys that this batch frees may be taken again by what it revives, in whatever order they are named.
        for change in sorted(changes, key=_revives):
            task = self._tasks.get(change.seq)
            if task is not None and change.guard(task, now) and self._takes_its_key(change):
                self._land(change, task)
                applied.accepted.add(change.seq)
        ended = [c for c in changes if isinstance(c, Finish | Move) and _ends(c) and c.seq in applied.accepted]
        applied.unblocked = self._unblock({c.order_key for c in ended if c.order_key is not None}, now)
        return applied

    def _takes_its_key(self, change: Change) -> bool:
        if not isinstance(change, Move) or not change.revives or change.unique_key is None:
            return True
        return self._unique.setdefault(change.unique_key, change.seq) == change.seq

    def _land(self, change: Change, task: Task) -> None:
        self._counts[task.state] -= 1
        change.onto(task)
        if isinstance(change, Move) and change.past is not None:
            self._keep(change.past)
        if isinstance(change, Finish | Move) and _ends(change):
            self._free(change)
        elif isinstance(change, Move) and change.revives and change.order_key is not None:
            if self._order[change.order_key]:
                lifecycle.order(task)
            self._order[change.order_key].add(task.seq)
        self._counts[task.state] += 1

    def _keep(self, past: AttemptRecord) -> None:
        noted = self._past[past.seq].get(past.attempt)
        self._past[past.seq][past.attempt] = replace(past, late=noted.late) if noted else past

    def _free(self, change: Finish | Move) -> None:
        if change.unique_key is not None and self._unique.get(change.unique_key) == change.seq:
            del self._unique[change.unique_key]
        if change.order_key is not None:
            self._order[change.order_key].discard(change.seq)

    def _unblock(self, order_keys: set[str], now: int) -> list[Task]:
        nexts = (self._next_of(key) for key in order_keys)
        unblocked = sorted((task for task in nexts if task is not None), key=lambda task: task.seq)
        for task in unblocked:
            self._land(lifecycle.unblock(task, now), task)
        return [copied(task) for task in unblocked]

    def _next_of(self, order_key: str) -> Task | None:
        tasks = [self._tasks[seq] for seq in self._order[order_key]]
        if not tasks:
            del self._order[order_key]
        if any(task.state is not State.WAITING for task in tasks):
            return None
        return min(tasks, key=lambda task: task.seq, default=None)

    async def enlist(self, facts: Facts, methods: Sequence[Method]) -> int:
        self._check_open()
        now, known = self.now(), next((w for w in self._workers.values() if w.facts.id == facts.id), None)
        number = known.number if known else next(self._numbers)
        since = known.registered_at if known else now
        self._workers[number] = WorkerRecord(number, facts, tuple(methods), since, now)
        self._methods.update({(method.name, method.version): method for method in methods})
        return number

    async def retire(self, number: int, reason: str) -> None:
        self._check_open()
        worker = self._workers.get(number)
        if worker is not None and worker.online:
            worker.gone_at, worker.gone_reason = self.now(), reason

    async def append_logs(self, lines: Sequence[tuple[int, LogLine]]) -> None:
        self._check_open()
        for seq, line in lines:
            if seq in self._tasks:
                self._logs[seq].append(replace(line, number=next(self._lines)))

    async def set_progress(self, marks: Sequence[tuple[int, Progress]]) -> None:
        self._check_open()
        self._progress.update((seq, mark) for seq, mark in marks if seq in self._tasks)

    async def note_late(self, seq: int, attempt: int, note: str) -> None:
        self._check_open()
        if seq not in self._tasks:
            return
        record = self._past[seq].get(attempt)
        if record is None:
            record = AttemptRecord(seq, attempt, None, None, None, self.now(), Reason.LEASE_LOST)
        self._past[seq][attempt] = replace(record, late=note)

    async def purge(self, limit: int, keep_ended: int | None = None) -> int:
        self._check_open()
        now = self.now()
        self._forget(now)
        past_time = _by_due(
            t for t in self._tasks.values() if t.state.ended and t.due_at is not None and t.due_at <= now
        )
        self._remove(past_time[:limit])
        gone = len(past_time[:limit])
        if keep_ended is None:
            return gone
        succeeded = _by_due(t for t in self._tasks.values() if t.state is State.SUCCEEDED)
        beyond = succeeded[: max(0, min(len(succeeded) - keep_ended, limit - gone))]
        self._remove(beyond)
        return gone + len(beyond)

    def _forget(self, now: int) -> None:
        self._answers = {key: kept for key, kept in self._answers.items() if kept[1] > now}
        gone = sorted(((w.gone_at, n) for n, w in self._workers.items() if w.gone_at is not None), reverse=True)
        for place, (gone_at, number) in enumerate(gone):
            if gone_at + (GONE_LEAST if place >= GONE_MOST else GONE_KEPT) <= now:
                del self._workers[number]

    def _remove(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            self._counts[task.state] -= 1
            del self._tasks[task.seq], self._ids[task.id]
            self._past.pop(task.seq, None)
            self._logs.pop(task.seq, None)
            self._progress.pop(task.seq, None)

    # --- reads

    async def get(self, ids: Sequence[bytes]) -> dict[bytes, Task]:
        self._check_open()
        return {task_id: copied(self._tasks[self._ids[task_id]]) for task_id in ids if task_id in self._ids}

    async def states(self, ids: Sequence[bytes]) -> dict[bytes, State]:
        self._check_open()
        return {task_id: self._tasks[self._ids[task_id]].state for task_id in ids if task_id in self._ids}

    async def line(self, lane: Lane, after: tuple[int, int] | None, limit: int, max_bytes: int) -> list[Task]:
        ready = self._page(
            lambda t: t.state is State.READY and t.spec.lane == lane, lambda t: (t.line, t.seq), after, limit
        )
        return within(ready, max_bytes)

    async def ready_lanes(self) -> list[Lane]:
        self._check_open()
        return list(dict.fromkeys(t.spec.lane for t in self._tasks.values() if t.state is State.READY))

    async def due(self, state: State, before: int, after: tuple[int, int] | None, limit: int) -> list[Task]:
        return self._page(
            lambda t: t.state is state and t.due_at is not None and t.due_at <= before,
            lambda t: (t.due_at or 0, t.seq),
            after,
            limit,
        )

    async def expiring(self, before: int, after: tuple[int, int] | None, limit: int) -> list[Task]:
        return self._page(
            lambda t: t.state <= State.READY and t.expire_at is not None and t.expire_at <= before,
            lambda t: (t.expire_at or 0, t.seq),
            after,
            limit,
        )

    async def next_due(self) -> int | None:
        self._check_open()
        due = [t.due_at for t in self._tasks.values() if t.state in (State.SCHEDULED, State.RUNNING)]
        expiries = [t.expire_at for t in self._tasks.values() if t.state <= State.READY]
        return min((at for at in due + expiries if at is not None), default=None)

    async def find(self, query: Query, before_seq: int | None, limit: int) -> list[Task]:
        self._check_open()
        newest = sorted(self._tasks.values(), key=lambda t: -t.seq)
        found = (t for t in newest if (before_seq is None or t.seq < before_seq) and _matches(query, t))
        return [copied(task) for task, _ in zip(found, range(limit), strict=False)]

    async def attempts(self, seq: int) -> list[AttemptRecord]:
        self._check_open()
        records = self._past.get(seq, {})
        return [records[attempt] for attempt in sorted(records)]

    async def logs(self, seq: int, after: int, limit: int) -> list[LogLine]:
        self._check_open()
        return [line for line in self._logs.get(seq, ()) if line.number > after][:limit]

    async def progress(self, seqs: Sequence[int]) -> dict[int, Progress]:
        self._check_open()
        return {seq: self._progress[seq] for seq in seqs if seq in self._progress}

    async def counts(self) -> Mapping[State, int]:
        self._check_open()
        return {state: self._counts[state] for state in State}

    async def workers(self, numbers: Sequence[int] | None = None) -> list[WorkerRecord]:
        self._check_open()
        wanted = self._workers if numbers is None else self._workers.keys() & set(numbers)
        return [replace(self._workers[number]) for number in sorted(wanted)]

    async def methods(self) -> list[Method]:
        self._check_open()
        return [self._methods[key] for key in sorted(self._methods)]

    def _page(
        self,
        wanted: Callable[[Task], bool],
        place: Callable[[Task], tuple[int, int]],
        after: tuple[int, int] | None,
        limit: int,
    ) -> list[Task]:
        self._check_open()
        tasks = sorted((t for t in self._tasks.values() if wanted(t)), key=place)
        return [copied(t) for t in tasks if after is None or place(t) > after][:limit]

    def _answered(self, key: str) -> Answered | None:
        answer, until = self._answers.get(key, (None, 0))
        return answer if until > self.now() else None

    def _check_open(self) -> None:
        if not self._open:
            raise Unavailable("the store is not open", code="store_unavailable")


class _Shelf:
    """The whole store, as `decide` looks at it."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def body(self, task_id: bytes) -> Body | None:
        seq = self._store._ids.get(task_id)
        spec = self._store._tasks[seq].spec if seq is not None else None
        return Body(spec.lane.method, spec.params) if spec else None

    def answered(self, idempotency_key: str) -> Answered | None:
        return self._store._answered(idempotency_key)

    def holder(self, unique_key: str) -> bytes | None:
        seq = self._store._unique.get(unique_key)
        return self._store._tasks[seq].id if seq is not None else None

    def ordered(self, order_key: str) -> bool:
        return bool(self._store._order.get(order_key))


def _revives(change: Change) -> bool:
    return isinstance(change, Move) and change.revives


def _ends(change: Finish | Move) -> bool:
    return isinstance(change, Finish) or change.ends


def _by_due(tasks: Iterable[Task]) -> list[Task]:
    return sorted(tasks, key=lambda t: (t.due_at or 0, t.seq))


def _matches(query: Query, task: Task) -> bool:
    lane, created_at = task.spec.lane, task.spec.created_at
    return (
        (not query.states or task.state in query.states)
        and (query.method is None or lane.method == query.method)
        and (query.group is None or lane.group == query.group)
        and (query.worker is None or task.worker == query.worker)
        and (query.created_after is None or created_at > query.created_after)
        and (query.created_before is None or created_at < query.created_before)
    )
