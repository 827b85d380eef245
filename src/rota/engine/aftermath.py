"""What follows from changes that the store accepted, told in one place."""

from __future__ import annotations

from collections.abc import Sequence

from rota.contract.journal import Journal
from rota.contract.store import Applied
from rota.engine.dispatch import Dispatch
from rota.engine.gauges import Gauges
from rota.engine.waiters import Waiters
from rota.model.change import Change
from rota.model.task import Reason, State, Task


class Aftermath:
    """Brings the records in memory, and everybody concerned, up to what the store has accepted."""

    def __init__(self, waiters: Waiters, dispatch: Dispatch, gauges: Gauges, journal: Journal) -> None:
        self._waiters = waiters
        self._dispatch = dispatch
        self._gauges = gauges
        self._journal = journal

    def awaited(self, tasks: Sequence[Task]) -> bool:
        """Somebody waits for one of these to end: a client, or the next task of its key."""
        return self._waiters.any_for(tasks) or any(task.spec.order_key or task.spec.unique_key for task in tasks)

    def follow(self, tasks: Sequence[Task], changes: Sequence[Change], applied: Applied) -> None:
        """`tasks` are the records that `changes` were made from, in the same order."""
        accepted = applied.accepted
        ended: list[Task] = []
        moved_on: list[Task] = []
        for task, change in zip(tasks, changes, strict=True):
            if change.seq not in accepted:
                continue
            change.onto(task)
            if task.state >= State.SUCCEEDED:
                ended.append(task)
            elif task.state is not State.RUNNING:
                moved_on.append(task)
                self._gauges.rescued += task.reason is Reason.CRASHED
        if ended:
            self._gauges.ended(ended)
            self._waiters.tell(ended)
            self._journal.ended([task.seq for task in ended])
        moved_on += applied.unblocked
        if moved_on:
            self._dispatch.ready(moved_on)
