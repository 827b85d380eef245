"""What of the store in memory only looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from rota.contract.store import ALL, AuditQuery, BatchCounts, GroupCounts, Query
from rota.model.audit import AuditRecord
from rota.model.control import Control
from rota.model.log import LogLine, Progress
from rota.model.method import Method
from rota.model.series import Point
from rota.model.task import AttemptRecord, Lane, State, Task
from rota.model.token import TokenRecord
from rota.model.worker import WorkerRecord
from rota.storage.keeping import MOST_NAMED
from rota.storage.matching import matches
from rota.storage.memory_tables import MemoryTables
from rota.storage.records import copied, within


class MemoryLooking(MemoryTables):
    """Callers get copies."""

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

    async def group_counts(
        self, after: str | None = None, limit: int = ALL, names: Collection[str] | None = None
    ) -> GroupCounts:
        self._check_open()
        counts: GroupCounts = {}
        for task in self._tasks.values():
            lane = task.spec.lane
            if not task.state.ended:
                here = counts.setdefault(lane.group or "", {}).setdefault(lane.method, {})
                here[task.state] = here.get(task.state, 0) + 1
        if names is not None:
            return {name: counts[name] for name in sorted(names) if name in counts}
        wanted = [name for name in sorted(counts) if after is None or name > after]
        return {name: counts[name] for name in wanted[:limit]}

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
