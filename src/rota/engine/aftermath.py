"""What follows from changes that the store accepted, told in one place."""

from __future__ import annotations

from collections.abc import Sequence

from rota.contract.herald import Herald
from rota.contract.journal import Journal
from rota.contract.store import Applied
from rota.engine.dispatch import Dispatch
from rota.engine.gauges import Gauges
from rota.engine.store_watch import StoreWatch
from rota.engine.waiters import Waiters
from rota.model.change import Change, Move
from rota.model.task import Reason, State, Task

_UNSTARTED = frozenset({Reason.GIVEN_BACK, Reason.RECALLED, Reason.DRAINED})


class Aftermath:
    """Brings the records in memory, and everybody concerned, up to what the store has accepted."""

    def __init__(
        self,
        waiters: Waiters,
        dispatch: Dispatch,
        gauges: Gauges,
        journal: Journal,
        herald: Herald,
        watch: StoreWatch,
    ) -> None:
        self._waiters = waiters
        self._dispatch = dispatch
        self._limits = dispatch.limits
        self._gauges = gauges
        self._journal = journal
        self._herald = herald
        self._watch = watch

    def awaited(self, tasks: Sequence[Task]) -> bool:
        """Somebody waits for one of these to end: a client, the next task of its key, or one held back by a limit."""
        return (
            self._waiters.any_for(tasks)
            or any(task.spec.order_key or task.spec.unique_key for task in tasks)
            or (self._limits.counting and any(self._limits.counts(task) for task in tasks))
        )

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
        if self._limits.counting or self._limits.active:
            self._release(tasks, changes, accepted)
        for task in applied.unblocked:
            (ended if task.state >= State.SUCCEEDED else moved_on).append(task)
        if ended:
            self._over(ended)
        if moved_on:
            self._dispatch.ready(moved_on)
        if self._herald.listening:
            stirred = [task for task, change in zip(tasks, changes, strict=True) if change.seq in accepted]
            self._herald.tasks([*stirred, *applied.unblocked])
        self._watch.worked()

    def over(self, ended: Sequence[Task], moved_on: Sequence[Task]) -> None:
        """These ended with a submit (replaced by one of its tasks, or accepted after a parent that had failed), and these
        moved on because of that."""
        if ended:
            self._over(ended)
        if moved_on:
            self._dispatch.ready(moved_on)
        if self._herald.listening:
            self._herald.tasks([*ended, *moved_on])

    def _over(self, ended: Sequence[Task]) -> None:
        self._gauges.ended(ended)
        self._waiters.tell(ended)
        self._journal.ended([task.seq for task in ended])

    def _release(self, tasks: Sequence[Task], changes: Sequence[Change], accepted: set[int]) -> None:
        """Those that left `running` count against no limit any more, and who waits for that may look."""
        for task, change in zip(tasks, changes, strict=True):
            if change.seq not in accepted or task.state is State.RUNNING:
                continue
            self._limits.left(task, change.attempt)
            if isinstance(change, Move) and change.reason in _UNSTARTED and change.past is None:
                self._limits.unspent(task.spec.lane)
        self._dispatch.kick()
