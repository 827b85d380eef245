"""The store in memory: the reference that says what the others must do, and a test double.

It keeps nothing past the process. Every verb runs in one go on the event loop, so each is a transaction by itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count

from rota.contract.store import Applied, AuditQuery, BatchCounts, Capabilities, Entry, Query, Receipt
from rota.life.clock import Clock, SystemClock
from rota.model import lifecycle
from rota.model.audit import AuditRecord
from rota.model.change import Change, Finish, Move
from rota.model.control import Control
from rota.model.errors import Unavailable
from rota.model.lifecycle import Retention
from rota.model.log import LogLine, Progress
from rota.model.method import Method
from rota.model.series import Point
from rota.model.task import AttemptRecord, Lane, Reason, State, Task
from rota.model.token import TokenRecord
from rota.model.worker import Facts, WorkerRecord
from rota.storage.intake import Answered, Body, Decision, Holder, decide, receipts_of
from rota.storage.keeping import GONE_KEPT, GONE_LEAST, GONE_MOST, IDEMPOTENCY_TTL, MOST_NAMED
from rota.storage.matching import matches
from rota.storage.records import as_decided, copied, onto, within
from rota.storage.remembered import Ledger
from rota.storage.ties import Ties

NODE_DEFAULTS = Retention()


class MemoryStore:
    """A `Store` whose tables are dictionaries. The caller's records and the store's are never the same objects."""

    def __init__(self, clock: Clock | None = None, keep: Retention = NODE_DEFAULTS) -> None:
        self._clock, self._keep_ended = clock or SystemClock(), keep
        self._open = False
        self._seqs, self._numbers, self._lines = count(1), count(1), count(1)
        self._tasks: dict[int, Task] = {}
        self._ids: dict[bytes, int] = {}
        self._ties = Ties()
        self._answers: dict[str, tuple[Answered, int]] = {}
        self._past: defaultdict[int, dict[int, AttemptRecord]] = defaultdict(dict)
        self._logs: defaultdict[int, list[LogLine]] = defaultdict(list)
        self._progress: dict[int, Progress] = {}
        self._workers: dict[int, WorkerRecord] = {}
        self._methods: dict[tuple[str, int], Method] = {}
        self._counts: Counter[State] = Counter()
        self._ledger = Ledger()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(durable=False, shared=False, loss_window="everything, when the process ends")

    @property
    def unended(self) -> int:
        return sum(number for state, number in self._counts.items() if not state.ended)

    @property
    def trouble(self) -> str:
        return ""

    @property
    def commit_seconds(self) -> None:
        return None

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
        for entry, record in zip(decision.accepted, as_decided(decision, self.now(), self._keep_ended), strict=True):
            self._accept(entry, record)
        self._tie(decision)
        until = self.now() + IDEMPOTENCY_TTL
        self._answers.update((key, (answer, until)) for key, answer in decision.remembered.items())
        return self._replace(decision) if decision.replaced else decision.receipts

    def _accept(self, entry: Entry, record: Task) -> None:
        record.seq = next(self._seqs)
        onto(record, entry.task)
        self._tasks[record.seq] = copied(record)
        self._ids[record.id] = record.seq
        self._counts[record.state] += 1

    def _tie(self, decision: Decision) -> None:
        self._ties.unique.update((key, self._ids[holder.task_id]) for key, holder in decision.holders.items())
        for task in (entry.task for entry in decision.accepted):
            if task.spec.order_key is not None and task.id not in decision.stillborn:
                self._ties.line_up(task.spec.order_key, task.seq)
            parents = decision.parents.get(task.id, ())
            self._ties.depend(task.seq, [self._ids[parent] for parent in parents], task.spec.run_anyway)

    def _replace(self, decision: Decision) -> list[Receipt]:
        now = self.now()
        replaced = [self._tasks[seq] for seq in sorted(self._ids[task_id] for task_id in decision.replaced)]
        moves = [lifecycle.replace(task, decision.replaced[task.id], now, self._keep_ended) for task in replaced]
        for move, task in zip(moves, replaced, strict=True):
            self._land(move, task)
        unblocked = self._move_on(moves, now)
        for entry in decision.accepted:
            onto(self._tasks[entry.task.seq], entry.task)
        return receipts_of(decision, [copied(task) for task in replaced], unblocked)

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
        applied.unblocked = self._move_on(ended, now)
        return applied

    def _takes_its_key(self, change: Change) -> bool:
        if not isinstance(change, Move) or not change.revives or change.unique_key is None:
            return True
        return self._ties.unique.setdefault(change.unique_key, change.seq) == change.seq

    def _land(self, change: Change, task: Task) -> None:
        self._counts[task.state] -= 1
        change.onto(task)
        if isinstance(change, Move) and change.past is not None:
            self._keep(change.past)
        if isinstance(change, Finish | Move) and _ends(change):
            self._free(change)
        elif isinstance(change, Move) and change.revives and not self._lines_up(change):
            lifecycle.order(task)
        self._counts[task.state] += 1

    def _lines_up(self, change: Move) -> bool:
        return change.order_key is None or self._ties.line_up(change.order_key, change.seq)

    def _keep(self, past: AttemptRecord) -> None:
        noted = self._past[past.seq].get(past.attempt)
        self._past[past.seq][past.attempt] = replace(past, late=noted.late) if noted else past

    def _free(self, change: Finish | Move) -> None:
        if change.unique_key is not None:
            self._ties.free_unique(change.unique_key, change.seq)
        if change.order_key is not None:
            self._ties.leave_line(change.order_key, change.seq)

    # --- what follows from an end

    def _move_on(self, endings: Sequence[Finish | Move], now: int) -> list[Task]:
        for change in endings:
            self._ties.stop_waiting(change.seq)
        failed = self._fail_with([c.seq for c in endings if c.state is not State.SUCCEEDED], now)
        free = self._ties.release([*(change.seq for change in endings), *(task.seq for task in failed)])
        keys = {change.order_key for change in endings} | {task.spec.order_key for task in failed}
        nexts = {self._ties.advance(key) for key in keys if key is not None}
        ordered = {seq for seq in nexts if seq is not None and self._tasks[seq].reason is not Reason.PARENTS}
        moved = [self._tasks[seq] for seq in ordered | free]
        for task in moved:
            key = task.spec.order_key
            behind = key is not None and self._ties.is_behind(key, task.seq)
            self._land(lifecycle.unblock(task, now, behind=behind), task)
        return [copied(task) for task in sorted(moved + failed, key=lambda task: task.seq)]

    def _fail_with(self, lost: Iterable[int], now: int) -> list[Task]:
        fails = self._ties.failing_with(lost)
        failed: list[Task] = []
        for seq, parent in ((seq, self._tasks[fails[seq]]) for seq in sorted(fails)):
            task, ended = self._tasks[seq], State.FAILED if parent.seq in fails else parent.state
            self._land(lifecycle.fail_with_parent(task, parent.id, ended, now, self._keep_ended), task)
            self._ties.stop_waiting(seq)
            failed.append(task)
        return failed

    async def enlist(self, facts: Facts, methods: Sequence[Method], declares: bool = True) -> int:
        self._check_open()
        now, known = self.now(), next((w for w in self._workers.values() if w.facts.id == facts.id), None)
        number = known.number if known else next(self._numbers)
        since = known.registered_at if known else now
        self._workers[number] = WorkerRecord(number, facts, tuple(methods), since, now)
        if declares:
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

    async def set_control(self, control: Control) -> None:
        self._open_ledger().set_control(control)

    async def add_token(self, token: TokenRecord) -> None:
        self._open_ledger().add_token(token)

    async def revoke_token(self, kid: str, at: int) -> TokenRecord | None:
        return self._open_ledger().revoke_token(kid, at)

    async def touch_tokens(self, used: Mapping[str, int]) -> None:
        self._open_ledger().touch_tokens(used)

    async def audit(self, lines: Sequence[AuditRecord]) -> None:
        self._open_ledger().add_audit(lines)

    async def add_points(self, points: Sequence[Point], forget_before: int) -> None:
        self._open_ledger().add_points(points, forget_before)

    async def purge(self, limit: int, keep_ended: int | None = None, keep_audit: int | None = None) -> int:
        self._check_open()
        if keep_audit is not None:
            self._ledger.forget_audit(keep_audit)
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

    async def remove(self, ids: Sequence[bytes]) -> dict[bytes, State]:
        self._check_open()
        known = [self._tasks[self._ids[task_id]] for task_id in dict.fromkeys(ids) if task_id in self._ids]
        self._remove([task for task in known if task.state.ended])
        return {task.id: task.state for task in known}

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
        found = (t for t in newest if (before_seq is None or t.seq < before_seq) and matches(query, t))
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

    async def controls(self) -> list[Control]:
        return self._open_ledger().controls()

    async def tokens(self) -> list[TokenRecord]:
        return self._open_ledger().tokens()

    async def audit_log(self, query: AuditQuery, before: int | None, limit: int) -> list[AuditRecord]:
        return self._open_ledger().audit_log(query, before, limit)

    async def points(self, since: int) -> list[Point]:
        return self._open_ledger().points(since)

    async def lane_counts(self) -> dict[Lane, dict[State, int]]:
        self._check_open()
        counts: dict[Lane, dict[State, int]] = {}
        for task in self._tasks.values():
            if not task.state.ended:
                of_lane = counts.setdefault(task.spec.lane, {})
                of_lane[task.state] = of_lane.get(task.state, 0) + 1
        return counts

    async def place(self, lane: Lane, line: int, seq: int) -> int:
        self._check_open()
        ready = (t for t in self._tasks.values() if t.state is State.READY and t.spec.lane == lane)
        return sum((task.line, task.seq) < (line, seq) for task in ready)

    async def parents(self, seq: int) -> list[tuple[bytes, State]]:
        self._check_open()
        found = [self._tasks[parent] for parent in self._ties.parents(seq)]
        return [(task.id, task.state) for task in found[:MOST_NAMED]]

    async def children(self, task_id: bytes, limit: int) -> list[bytes]:
        self._check_open()
        seq = self._ids.get(task_id)
        return [self._tasks[child].id for child in self._ties.children(seq)[:limit]] if seq is not None else []

    async def key_holders(self, order_key: str) -> list[bytes]:
        self._check_open()
        return [self._tasks[seq].id for seq in self._ties.in_line(order_key)[:MOST_NAMED]]

    async def batch(self, name: str) -> BatchCounts | None:
        self._check_open()
        tasks = [task for task in self._tasks.values() if task.spec.batch == name]
        if not tasks:
            return None
        states = Counter(task.state for task in tasks)
        return BatchCounts(name, dict(states), min(task.spec.created_at for task in tasks))

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

    def _open_ledger(self) -> Ledger:
        self._check_open()
        return self._ledger

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

    def holder(self, unique_key: str) -> Holder | None:
        seq = self._store._ties.unique.get(unique_key)
        task = self._store._tasks[seq] if seq is not None else None
        return Holder(task.id, task.state is State.RUNNING) if task is not None else None

    def ordered(self, order_key: str) -> bool:
        return self._store._ties.is_ordered(order_key)

    def standing(self, task_id: bytes) -> State | None:
        seq = self._store._ids.get(task_id)
        return self._store._tasks[seq].state if seq is not None else None

    def lane(self, task_id: bytes) -> Lane | None:
        seq = self._store._ids.get(task_id)
        return self._store._tasks[seq].spec.lane if seq is not None else None


def _revives(change: Change) -> bool:
    return isinstance(change, Move) and change.revives


def _ends(change: Finish | Move) -> bool:
    return isinstance(change, Finish) or change.ends


def _by_due(tasks: Iterable[Task]) -> list[Task]:
    return sorted(tasks, key=lambda t: (t.due_at or 0, t.seq))
