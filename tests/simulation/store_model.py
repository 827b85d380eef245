"""What a store must hold, said as shortly as can be: dictionaries, and the rules in words."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field

from rota.contract.store import Entry
from rota.model import lifecycle
from rota.model.change import Change, Claim, Finish, Move
from rota.model.task import State, Task

DAY = 24 * 3600 * 1_000_000


@dataclass
class Model:
    tasks: dict[bytes, Task] = field(default_factory=dict)
    answers: dict[str, tuple[bytes, bytes, int]] = field(default_factory=dict)

    # --- submit: what each entry is answered with, as (task id, "new" | "duplicate" | code)

    def submit(self, entries: list[Entry], atomic: bool, now: int) -> list[tuple[bytes, str]]:
        before = dict(self.tasks), dict(self.answers)
        said = [self._enter(entry, now) for entry in entries]
        if atomic and any(word not in ("new", "duplicate") for _, word in said):
            self.tasks, self.answers = before
            good = ("new", "duplicate")
            return [(task_id, "batch_refused" if word in good else word) for task_id, word in said]
        return said

    def _enter(self, entry: Entry, now: int) -> tuple[bytes, str]:
        task, key = entry.task, entry.idempotency_key
        known = self.answers.get(key) if key else None
        known = known if known and known[2] > now else None
        same = self.tasks.get(task.id)
        holder = next((t for t in self._unended() if task.spec.unique_key and _unique(t) == _unique(task)), None)
        if same is not None:
            said = task.id, "duplicate" if same.spec.params == task.spec.params else "id_reused"
        elif known is not None:
            said = known[0], "duplicate" if known[1] == entry.fingerprint else "idempotency_key_reused"
        elif holder is not None:
            said = holder.id, "duplicate"
        else:
            said = task.id, "new"
            kept = copy(task)
            if any(task.spec.order_key and _order(t) == _order(task) for t in self._unended()):
                lifecycle.order(kept)
            self.tasks[task.id] = kept
        if said[1] in ("new", "duplicate") and key and known is None:
            self.answers[key] = said[0], entry.fingerprint, now + DAY
        return said

    # --- apply: which of the changes, each with the record it was made from, are accepted

    def apply(self, batch: list[tuple[Task, Change]], now: int) -> tuple[set[int], set[bytes]]:
        accepted, freed = set(), set()
        for seen, change in sorted(batch, key=lambda pair: isinstance(pair[1], Move) and pair[1].revives):
            task = self.tasks.get(seen.id)
            if task is None or task.seq != seen.seq or not _still(seen, task, change, now):
                continue
            if isinstance(change, Move) and change.revives and not self._can_revive(task):
                continue
            others = [t for t in self._unended() if t.id != task.id and _order(t) == _order(task)]
            was_ended = task.state.ended
            change.onto(task)
            accepted.add(task.seq)
            if was_ended and not task.state.ended and task.spec.order_key and others:
                lifecycle.order(task)
            if task.state.ended and task.spec.order_key:
                freed.add(task.spec.order_key)
        return accepted, {task_id for key in freed for task_id in self._next(key, now)}

    def _can_revive(self, task: Task) -> bool:
        return task.spec.unique_key is None or all(_unique(t) != _unique(task) for t in self._unended())

    def _next(self, key: str, now: int) -> set[bytes]:
        line = sorted((t for t in self._unended() if _order(t) == key), key=lambda t: t.seq)
        if not line or any(t.state is not State.WAITING for t in line):
            return set()
        lifecycle.unblock(line[0], now).onto(line[0])
        return {line[0].id}

    # --- purge

    def purge(self, limit: int, keep_ended: int | None, now: int) -> int:
        self.answers = {key: answer for key, answer in self.answers.items() if answer[2] > now}
        ended = sorted((t for t in self.tasks.values() if t.state.ended), key=lambda t: (t.due_at or 0, t.seq))
        gone = [t for t in ended if (t.due_at or 0) <= now][:limit]
        if keep_ended is not None:
            left = [t for t in ended if t.state is State.SUCCEEDED and t not in gone]
            gone += left[: max(0, min(len(left) - keep_ended, limit - len(gone)))]
        for task in gone:
            del self.tasks[task.id]
        return len(gone)

    def _unended(self) -> list[Task]:
        return [task for task in self.tasks.values() if not task.state.ended]


def _unique(task: Task) -> str | None:
    return task.spec.unique_key


def _order(task: Task) -> str | None:
    return task.spec.order_key


def _still(seen: Task, task: Task, change: Change, now: int) -> bool:
    """Whether the row is still the one that the change was made for."""
    if isinstance(change, Claim):
        return task.state is State.READY and task.attempt == seen.attempt
    same = (task.state, task.attempt) == (seen.state, seen.attempt)
    held = seen.state is not State.RUNNING or task.worker == seen.worker
    if isinstance(change, Move) and change.lapsed:
        return same and held and task.due_at is not None and task.due_at <= now
    if isinstance(change, Move) and change.expired:
        return same and task.expire_at is not None and task.expire_at <= now
    return same and held and (not isinstance(change, Finish) or seen.state is State.RUNNING)
