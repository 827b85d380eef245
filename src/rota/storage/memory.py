"""The store in memory: the reference that says what the others must do, and a test double.

It keeps nothing past the process. Every verb runs in one go on the event loop, so each is a transaction by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rota.contract.store import Applied, Capabilities, Entry, Receipt
from rota.model import lifecycle
from rota.model.change import Change, Finish, Move
from rota.model.task import AttemptRecord, Reason, State, Task
from rota.storage.intake import Decision, decide, receipts_of
from rota.storage.keeping import GONE_KEPT, GONE_LEAST, GONE_MOST, IDEMPOTENCY_TTL
from rota.storage.memory_looking import MemoryLooking
from rota.storage.memory_noting import MemoryNoting
from rota.storage.memory_shelf import MemoryShelf
from rota.storage.records import as_decided, copied, onto


class MemoryStore(MemoryLooking, MemoryNoting):
    """A `Store` whose tables are dictionaries. The caller's records and the store's are never the same objects."""

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

    async def submit(self, entries: Sequence[Entry], *, atomic: bool = False) -> list[Receipt]:
        self._check_open()
        decision = decide(entries, MemoryShelf(self), atomic=atomic)
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


def _revives(change: Change) -> bool:
    return isinstance(change, Move) and change.revives


def _ends(change: Finish | Move) -> bool:
    return isinstance(change, Finish) or change.ends


def _by_due(tasks: Iterable[Task]) -> list[Task]:
    return sorted(tasks, key=lambda t: (t.due_at or 0, t.seq))
