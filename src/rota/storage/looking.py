"""The reading verbs, on a reader's connection. Each is a statement or a few, and holds no snapshot between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from sqlite3 import Connection

from rota.contract.store import Query
from rota.model.log import LogLine, Progress
from rota.model.method import Method
from rota.model.task import AttemptRecord, Lane, State, Task
from rota.model.worker import WorkerRecord
from rota.storage import rows
from rota.storage.book import Lanes
from rota.storage.records import within
from rota.storage.statements import history, places, tasks
from rota.storage.statements.sql import Packed

_STATES = {str(int(state)): state for state in State}
FIRST = (-(2**63), 0)
"""A place before every other."""
RARE = 10_000
"""Up to so many tasks of a state are found by the state's index instead of a walk over all."""
_INDEXED = frozenset(State) - {State.WAITING, State.READY}


class Look:
    """One reader's view."""

    def __init__(self, connection: Connection, lanes: Lanes) -> None:
        self._connection = connection
        self._lanes = lanes

    def get(self, ids: Sequence[bytes]) -> dict[bytes, Task]:
        found = tasks.BY_ID.rows(self._connection, [(task_id,) for task_id in dict.fromkeys(ids)])
        return {task.id: task for task in self._tasks(found)}

    def states(self, ids: Sequence[bytes]) -> dict[bytes, State]:
        if not ids:
            return {}
        ((digits,),) = tasks.STATES.rows(self._connection, ids=b"".join(ids))
        return {task_id: _STATES[digit] for task_id, digit in zip(ids, digits, strict=True) if digit != "0"}

    def line(self, lane: Lane, after: tuple[int, int] | None, limit: int, max_bytes: int) -> list[Task]:
        number = self._lanes.number(lane)
        return [] if number is None else within(self._page(tasks.LINE, after, limit, lane=number), max_bytes)

    def due(self, state: State, before: int, after: tuple[int, int] | None, limit: int) -> list[Task]:
        return self._page(tasks.DUE, after, limit, state=int(state), before=before)

    def expiring(self, before: int, after: tuple[int, int] | None, limit: int) -> list[Task]:
        return self._page(tasks.EXPIRING, after, limit, before=before)

    def _page(self, statement: Packed, after: tuple[int, int] | None, limit: int, **given: object) -> list[Task]:
        place, seq = after or FIRST
        return self._tasks(statement.rows(self._connection, after_place=place, after_seq=seq, limit=limit, **given))

    def ready_lanes(self) -> list[Lane]:
        return [Lane(*row[1:]) for row in places.READY_LANES.rows(self._connection)]

    def next_due(self) -> int | None:
        at: int | None = tasks.NEXT_DUE.rows(self._connection)[0][0]
        return at

    def find(self, query: Query, before_seq: int | None, limit: int, counts: Mapping[State, int]) -> list[Task]:
        given: dict[str, object] = {
            "before_seq": FIRST_AFTER_ALL if before_seq is None else before_seq,
            "states": sum(1 << state for state in set(query.states)) if query.states else -1,
            "any_lane": query.method is None and query.group is None,
            "method": query.method,
            "group": query.group,
            "worker": query.worker,
            "created_after": query.created_after,
            "created_before": query.created_before,
            "limit": limit,
        }
        if query.states and _INDEXED.issuperset(query.states) and sum(counts[s] for s in query.states) <= RARE:
            return self._find_rare(set(query.states), limit, given)
        return self._tasks(tasks.FIND.rows(self._connection, **given))

    def _find_rare(self, states: set[State], limit: int, given: dict[str, object]) -> list[Task]:
        found = [row for s in states for row in tasks.FIND_RARE.rows(self._connection, state=int(s), **given)]
        newest = sorted({row[0]: row for row in found}.values(), key=lambda row: -int(row[0]))
        return self._tasks(newest[:limit])

    def attempts(self, seq: int) -> list[AttemptRecord]:
        return [rows.attempt_of(row) for row in history.ATTEMPTS.rows(self._connection, of_seq=seq)]

    def logs(self, seq: int, after: int, limit: int) -> list[LogLine]:
        found = history.LINES.rows(self._connection, of_seq=seq, after=after, limit=limit)
        return [rows.line_of(row) for row in found]

    def progress(self, seqs: Sequence[int]) -> dict[int, Progress]:
        found = history.MARKS.rows(self._connection, [(seq,) for seq in dict.fromkeys(seqs)])
        return dict(rows.progress_of(row) for row in found)

    def workers(self, numbers: Sequence[int] | None) -> list[WorkerRecord]:
        if numbers is None:
            return [rows.worker_of(row) for row in places.WORKERS.rows(self._connection)]
        found = places.WORKERS_BY_NUMBER.rows(self._connection, [(number,) for number in set(numbers)])
        return sorted(map(rows.worker_of, found), key=lambda worker: worker.number)

    def methods(self) -> list[Method]:
        return [rows.method_of(row) for row in places.METHODS.rows(self._connection)]

    def _tasks(self, found: Sequence[rows.Row]) -> list[Task]:
        return [rows.task_of(row, self._lane) for row in found]

    def _lane(self, number: int) -> Lane:
        return self._lanes.lane(number) or self._read_lanes()[number]

    def _read_lanes(self) -> dict[int, Lane]:
        """A row may be seen in the moment between the commit and the driver's taking note of its lane."""
        return {row[0]: Lane(*row[1:]) for row in places.LANES.rows(self._connection)}


FIRST_AFTER_ALL = 2**63 - 1
