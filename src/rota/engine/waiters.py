"""Who waits for which task to end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rota.contract.door import WaiterDoor
from rota.model.task import Task


class Waiters:
    """A waiter is told once of each task it waits for, in batches."""

    def __init__(self) -> None:
        self._by_task: dict[bytes, list[WaiterDoor]] = {}
        self._by_waiter: dict[WaiterDoor, set[bytes]] = {}

    def add(self, ids: Iterable[bytes], waiter: WaiterDoor) -> None:
        waits = self._by_waiter.get(waiter, set())
        for task_id in ids:
            if task_id not in waits:
                waits.add(task_id)
                self._by_task.setdefault(task_id, []).append(waiter)
        if waits:
            self._by_waiter[waiter] = waits

    def remove(self, waiter: WaiterDoor, ids: Sequence[bytes] | None = None) -> None:
        waits = self._by_waiter.get(waiter)
        if waits is None:
            return
        for task_id in list(waits) if ids is None else ids:
            self._part(task_id, waiter)

    def waited_for(self) -> list[bytes]:
        """The ids of all tasks that somebody waits for."""
        return list(self._by_task)

    def any_for(self, tasks: Iterable[Task]) -> bool:
        """Somebody waits for one of these."""
        return bool(self._by_task) and any(task.id in self._by_task for task in tasks)

    def tell(self, tasks: Iterable[Task]) -> None:
        """Tells everybody who waits for one of these ended tasks."""
        if not self._by_task:
            return
        told: dict[WaiterDoor, list[Task]] = {}
        for task in tasks:
            for waiter in self._by_task.get(task.id, ()):
                told.setdefault(waiter, []).append(task)
        for waiter, ended in told.items():
            for task in ended:
                self._part(task.id, waiter)
            waiter.ended(ended)

    def tell_one(self, waiter: WaiterDoor, tasks: Iterable[Task]) -> None:
        """Tells one waiter of those of these tasks that it still waits for."""
        waits = self._by_waiter.get(waiter, set())
        ended = [task for task in tasks if task.id in waits]
        for task in ended:
            self._part(task.id, waiter)
        if ended:
            waiter.ended(ended)

    def __len__(self) -> int:
        return len(self._by_waiter)

    def _part(self, task_id: bytes, waiter: WaiterDoor) -> None:
        waits = self._by_waiter.get(waiter)
        if waits is None or task_id not in waits:
            return
        waits.discard(task_id)
        if not waits:
            del self._by_waiter[waiter]
        others = self._by_task[task_id]
        others.remove(waiter)
        if not others:
            del self._by_task[task_id]
