"""What a store must hold, said as shortly as can be: dictionaries, and the rules in words."""

from __future__ import annotations

from copy import copy, deepcopy
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
    holders: dict[str, bytes] = field(default_factory=dict)
    """Of unique keys."""
    heads: dict[str, bytes] = field(default_factory=dict)
    """Of order keys: whom the others wait behind."""
    waits: dict[bytes, set[bytes]] = field(default_factory=dict)
    """The unended parents of each task that waits for some."""
    replaced: dict[bytes, bytes] = field(default_factory=dict)
    """By the last submit: the old task of each new one that replaced one."""
    keep: lifecycle.Retention = field(default_factory=lifecycle.Retention)
    """For the tasks that end with others."""
    depths: dict[str | None, int] = field(default_factory=dict)
    """How many unended tasks a group may have."""

    # --- submit: what each entry is answered with, as (task id, "new" | "duplicate" | code)

    def submit(self, entries: list[Entry], atomic: bool, now: int) -> list[tuple[bytes, str]]:
        self.replaced = {}
        before = deepcopy(self.__dict__)
        same: dict[bytes, bytes] = {}
        said = [self._enter(entry, same, now) for entry in entries]
        good = ("new", "duplicate")
        if atomic and any(word not in good for _, word in said):
            self.__dict__.update(before)
            return [(task_id, "batch_refused" if word in good else word) for task_id, word in said]
        return said

    def replace(self, now: int) -> set[bytes]:
        """What is replaced ends when the whole batch is stored; answers who moved on because of it."""
        ended: list[Task] = []
        for new, old in self.replaced.items():
            task = self.tasks[old]
            lifecycle.replace(task, new, now, self.keep).onto(task)
            self._free(task)
            ended.append(task)
        return self._move_on(ended, now) if ended else set()

    def _enter(self, entry: Entry, same: dict[bytes, bytes], now: int) -> tuple[bytes, str]:
        said = self._answer(entry, same, now)
        key = entry.idempotency_key
        if said[1] in ("new", "duplicate") and key and not self._answered(key, now):
            self.answers[key] = said[0], entry.fingerprint, now + DAY
        if said[1] == "duplicate":
            same[entry.task.id] = said[0]
        if said[1] == "new":
            self._accept(entry.task, [same.get(parent, parent) for parent in entry.task.spec.after], now)
        return said

    def _answered(self, key: str, now: int) -> tuple[bytes, bytes, int] | None:
        known = self.answers.get(key)
        return known if known and known[2] > now else None

    def _answer(self, entry: Entry, same: dict[bytes, bytes], now: int) -> tuple[bytes, str]:
        task, spec = entry.task, entry.task.spec
        known = self._answered(entry.idempotency_key, now) if entry.idempotency_key else None
        if task.id in self.tasks:
            return task.id, "duplicate" if self.tasks[task.id].spec.params == spec.params else "id_reused"
        if known is not None:
            return known[0], "duplicate" if known[1] == entry.fingerprint else "idempotency_key_reused"
        if spec.unique_key in self.holders and spec.unique_mode == "reject":
            return task.id, "unique_key_taken"
        if spec.unique_key in self.holders and spec.unique_mode == "return":
            return self.holders[spec.unique_key], "duplicate"
        if any(same.get(parent, parent) not in self.tasks for parent in spec.after):
            return task.id, "parent_not_found"
        group = spec.lane.group
        if group in self.depths and self.depth(group) >= self.depths[group]:
            return task.id, "queue_full"
        return task.id, "new"

    def depth(self, group: str | None) -> int:
        return sum(task.spec.lane.group == group for task in self._unended())

    def _accept(self, task: Task, after: list[bytes], now: int) -> None:
        kept, spec = copy(task), task.spec
        self.tasks[task.id] = kept
        parents = [self.tasks[parent] for parent in after]
        lost = [p for p in parents if p.state.ended and p.state is not State.SUCCEEDED]
        if lost and not spec.run_anyway:
            lifecycle.wait_for_parents(kept)
            lifecycle.fail_with_parent(kept, lost[0].id, lost[0].state, now, self.keep).onto(kept)
            return
        waits = {parent.id for parent in parents if not parent.state.ended}
        if waits:
            self.waits[task.id] = waits
            lifecycle.wait_for_parents(kept)
        if spec.order_key and self.heads.setdefault(spec.order_key, task.id) != task.id and not waits:
            lifecycle.order(kept)
        if spec.unique_key:
            holder = self.tasks.get(self.holders.get(spec.unique_key, b""))
            if holder is not None and holder.state is not State.RUNNING:
                self.replaced[task.id] = holder.id
            self.holders[spec.unique_key] = task.id

    # --- apply: which of the changes, each with the record it was made from, are accepted, and who moved on

    def apply(self, batch: list[tuple[Task, Change]], now: int) -> tuple[set[int], set[bytes]]:
        accepted: set[int] = set()
        ended: list[Task] = []
        for seen, change in sorted(batch, key=lambda pair: isinstance(pair[1], Move) and pair[1].revives):
            task = self.tasks.get(seen.id)
            if task is None or task.seq != seen.seq or not _still(seen, task, change, now):
                continue
            if isinstance(change, Move) and change.revives and task.spec.unique_key in self.holders:
                continue
            was_ended = task.state.ended
            change.onto(task)
            accepted.add(task.seq)
            if was_ended and not task.state.ended:
                self._revive(task)
            if task.state.ended and not was_ended:
                self._free(task)
                ended.append(task)
        return accepted, self._move_on(ended, now)

    def _revive(self, task: Task) -> None:
        if task.spec.unique_key:
            self.holders[task.spec.unique_key] = task.id
        if task.spec.order_key and any(t.id != task.id and _order(t) == _order(task) for t in self._unended()):
            lifecycle.order(task)
        elif task.spec.order_key:
            self.heads[task.spec.order_key] = task.id

    # --- ends

    def _free(self, task: Task) -> None:
        self.waits.pop(task.id, None)
        for held, key in ((self.holders, task.spec.unique_key), (self.heads, task.spec.order_key)):
            if key and held.get(key) == task.id:
                del held[key]

    def _move_on(self, ended: list[Task], now: int) -> set[bytes]:
        failed = self._fail_with(ended, now)
        moved = {task.id for task in failed}
        gone = {task.id for task in [*ended, *failed]}
        for parents in self.waits.values():
            parents -= gone
        free = {child for child, parents in self.waits.items() if not parents}
        for child in free:
            del self.waits[child]
        for key in {_order(task) for task in [*ended, *failed]} - {None, *self.heads}:
            line = [t for t in self._unended() if _order(t) == key]
            if line:
                head = min(line, key=lambda t: t.seq)
                self.heads[key] = head.id
                free |= {head.id} - self.waits.keys()
        for task in (self.tasks[child] for child in free):
            behind = _order(task) is not None and self.heads[_order(task)] != task.id
            lifecycle.unblock(task, now, behind=behind).onto(task)
        return moved | free

    def _fail_with(self, ended: list[Task], now: int) -> list[Task]:
        lost = {task.id for task in ended if task.state is not State.SUCCEEDED}
        failed: list[Task] = []
        while True:
            more = [
                self.tasks[child]
                for child, parents in self.waits.items()
                if parents & lost and child not in lost and not self.tasks[child].spec.run_anyway
            ]
            if not more:
                break
            failed += more
            lost |= {task.id for task in more}
        named = {task.id: min((self.tasks[p] for p in self.waits[task.id] & lost), key=_seq) for task in failed}
        for task in failed:
            parent = named[task.id]
            state = parent.state if parent.state.ended else State.FAILED
            lifecycle.fail_with_parent(task, parent.id, state, now, self.keep).onto(task)
            self._free(task)
        return failed

    # --- remove

    def remove(self, ids: list[bytes]) -> dict[bytes, State]:
        known = {task_id: self.tasks[task_id].state for task_id in ids if task_id in self.tasks}
        for task_id, state in known.items():
            if state.ended:
                del self.tasks[task_id]
        return known

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


def _seq(task: Task) -> int:
    return task.seq


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
