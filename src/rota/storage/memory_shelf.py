"""The store in memory, as intake looks at it."""

from __future__ import annotations

from rota.model.task import Lane, State
from rota.storage.intake import Answered, Body, Depth, Holder
from rota.storage.memory_tables import MemoryTables


class MemoryShelf:
    """The whole store, as `decide` looks at it."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    def body(self, task_id: bytes) -> Body | None:
        seq = self._tables._ids.get(task_id)
        spec = self._tables._tasks[seq].spec if seq is not None else None
        return Body(spec.lane.method, spec.params) if spec else None

    def answered(self, idempotency_key: str) -> Answered | None:
        return self._tables._answered(idempotency_key)

    def holder(self, unique_key: str) -> Holder | None:
        seq = self._tables._ties.unique.get(unique_key)
        task = self._tables._tasks[seq] if seq is not None else None
        return Holder(task.id, task.state is State.RUNNING) if task is not None else None

    def ordered(self, order_key: str) -> bool:
        return self._tables._ties.is_ordered(order_key)

    def standing(self, task_id: bytes) -> State | None:
        seq = self._tables._ids.get(task_id)
        return self._tables._tasks[seq].state if seq is not None else None

    def lane(self, task_id: bytes) -> Lane | None:
        seq = self._tables._ids.get(task_id)
        return self._tables._tasks[seq].spec.lane if seq is not None else None

    def depth(self, group: str | None) -> Depth | None:
        limit = self._tables._ledger.depth_limit(group or "")
        if limit is None:
            return None
        mine = (task for task in self._tables._tasks.values() if task.spec.lane.group == group)
        return Depth(limit, sum(not task.state.ended for task in mine))
