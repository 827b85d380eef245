"""What people ask of tasks that are there: cancel, run again, delete."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rota.contract.herald import Herald
from rota.contract.store import Store
from rota.engine.aftermath import Aftermath
from rota.engine.roster import Roster
from rota.engine.settings import EngineSettings
from rota.engine.store_watch import StoreWatch
from rota.model import lifecycle
from rota.model.change import Change, Move
from rota.model.errors import Conflict, NotFound, RotaError
from rota.model.report import CallOutcome
from rota.model.task import Reason, State, Task
from rota.model.text import task_id_text

_TRIES = 5
"""A task may move on between the look and the write; then look again."""


class Calls:
    """Each call answers once per id, in order."""

    def __init__(
        self,
        store: Store,
        roster: Roster,
        aftermath: Aftermath,
        herald: Herald,
        watch: StoreWatch,
        settings: EngineSettings,
    ) -> None:
        self._store = store
        self._roster = roster
        self._aftermath = aftermath
        self._herald = herald
        self._watch = watch
        self._settings = settings

    async def cancel(self, ids: Sequence[bytes], note: str) -> list[CallOutcome]:
        """Waiting tasks end at once; running ones end when their worker says so."""
        now = self._store.now()
        return await self._each(ids, lambda task: lifecycle.cancel(task, note, now, self._settings.retention))

    async def retry(self, ids: Sequence[bytes]) -> list[CallOutcome]:
        """Ended tasks become ready again, with fresh budgets."""
        now = self._store.now()
        return await self._each(ids, lambda task: lifecycle.run_again(task, now))

    async def delete(self, ids: Sequence[bytes]) -> list[CallOutcome]:
        """Ended tasks are removed with their history; one that has not ended stays."""
        removed = await self._store.remove(list(dict.fromkeys(ids)))
        gone = [task_id for task_id, state in removed.items() if state is not None and state.ended]
        if gone and self._herald.listening:
            self._herald.removed(gone)
        return [_deleted(task_id, removed.get(task_id)) for task_id in ids]

    async def _each(self, ids: Sequence[bytes], transition: Callable[[Task], Move | None]) -> list[CallOutcome]:
        outcomes: dict[bytes, CallOutcome] = {}
        left = list(dict.fromkeys(ids))
        for _ in range(_TRIES):
            left = await self._try(left, transition, outcomes)
            if not left:
                break
        for task_id in left:
            busy = Conflict("the task kept changing while it was being changed; ask again", code="busy")
            outcomes[task_id] = CallOutcome(task_id, refusal=busy)
        return [outcomes[task_id] for task_id in ids]

    async def _try(
        self, ids: Sequence[bytes], transition: Callable[[Task], Move | None], outcomes: dict[bytes, CallOutcome]
    ) -> list[bytes]:
        records = await self._store.get(ids)
        tasks: list[Task] = []
        changes: list[Change] = []
        for task_id in ids:
            task = records.get(task_id)
            if task is None:
                outcomes[task_id] = CallOutcome(task_id, refusal=NotFound.task(task_id_text(task_id)))
                continue
            try:
                change = transition(task)
            except RotaError as error:
                outcomes[task_id] = CallOutcome(task_id, task.state.name.lower(), refusal=error.with_traceback(None))
                continue
            if change is None:
                outcomes[task_id] = CallOutcome(task_id, "running", pending=True)
                continue
            tasks.append(task)
            changes.append(change)
        if not changes:
            return []
        wished = self._wish(tasks, changes)
        try:
            applied = await self._store.apply(changes)
        except BaseException as error:
            self._watch.failed(error)
            _unwish(wished)
            raise
        _unwish([task for task in wished if task.seq not in applied.accepted])
        self._aftermath.follow(tasks, changes, applied)
        self._tell_workers([task for task in tasks if task.seq in applied.accepted])
        for task in tasks:
            if task.seq in applied.accepted:
                pending = task.state is State.RUNNING
                outcomes[task.id] = CallOutcome(task.id, task.state.name.lower(), pending)
        return [task.id for task in tasks if task.seq not in applied.accepted]

    def _wish(self, tasks: Sequence[Task], changes: Sequence[Change]) -> list[Task]:
        """Marks the records in hand before the write, so that a report that comes meanwhile is not made a retry."""
        wished: list[Task] = []
        for task, change in zip(tasks, changes, strict=True):
            if not isinstance(change, Move) or change.reason is not Reason.CANCEL_ASKED:
                continue
            held = self._roster.in_hand(task)
            if held is not None and held.reason is not Reason.CANCEL_ASKED:
                held.reason, held.outcome = Reason.CANCEL_ASKED, change.outcome
                wished.append(held)
        return wished

    def _tell_workers(self, tasks: Sequence[Task]) -> None:
        refs: dict[int, list[tuple[bytes, int]]] = {}
        for task in tasks:
            if task.state is State.RUNNING and task.worker is not None:
                refs.setdefault(task.worker, []).append((task.id, task.attempt))
        for number, asked in refs.items():
            seat = self._roster.seat(number)
            if seat is not None and not seat.detached:
                seat.door.cancel(asked, "cancelled by caller")


def _deleted(task_id: bytes, state: State | None) -> CallOutcome:
    if state is None:
        return CallOutcome(task_id, refusal=NotFound.task(task_id_text(task_id)))
    if state.ended:
        return CallOutcome(task_id, "deleted")
    words = f"the task is {state.name.lower()}: only an ended task can be deleted; cancel it first"
    return CallOutcome(task_id, state.name.lower(), refusal=Conflict(words, code="not_finished"))


def _unwish(tasks: Sequence[Task]) -> None:
    for task in tasks:
        task.reason, task.outcome = Reason.LEASED, None
