"""The reading verbs, on a reader's connection. Each is a statement or a few, and holds no snapshot between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from sqlite3 import Connection
from typing import NamedTuple

from rota.contract.store import BatchCounts, GroupCounts, Query
from rota.model.log import LogLine, Progress
from rota.model.method import Method
from rota.model.task import AttemptRecord, Lane, State, Task
from rota.model.worker import WorkerRecord
from rota.storage import rows
from rota.storage.book import Lanes
from rota.storage.keeping import MOST_NAMED
from rota.storage.matching import ids_from_text, in_lower_case
from rota.storage.records import within
from rota.storage.statements import families, history, keys, places, searching, tasks
from rota.storage.statements.sql import Packed

_STATES = {str(int(state)): state for state in State}
FIRST = (-(2**63), 0)
"""A place before every other."""
STRIDE = 50_000
"""Ordinals that one look walks over."""
RARE = 10_000
"""Up to so many tasks of a state are found by the state's index instead of a walk over all."""
_INDEXED = frozenset(State) - {State.WAITING, State.READY}


class LaneGone(Exception):
    """A task was read, and then it was removed with its lane: a second look does not find it."""


class Found(NamedTuple):
    tasks: list[Task]
    before: int | None = None
    """The place to look on from; None: there is no more to be found."""


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

    def find(self, query: Query, before_seq: int, limit: int, counts: Mapping[State, int]) -> Found:
        """A part of the answer, from before a place: a long walk is made in strides, so that others get their turn."""
        given = _given(query, before_seq, limit)
        if query.batch is not None:
            return Found(self._tasks(searching.FIND_IN_BATCH.rows(self._connection, **given)))
        if query.label is not None:
            statement = searching.FIND_LABELLED if query.label[1] else searching.FIND_NAMED
            return Found(self._tasks(statement.rows(self._connection, **given)))
        if query.states and _INDEXED.issuperset(query.states) and sum(counts[s] for s in query.states) <= RARE:
            return Found(self._find_rare(set(query.states), limit, given))
        return self._stride(before_seq, given)

    def _stride(self, before_seq: int, given: dict[str, object]) -> Found:
        from_seq = before_seq - STRIDE
        found = self._tasks(searching.FIND.rows(self._connection, from_seq=from_seq, **given))
        oldest: int | None = tasks.FIRST.rows(self._connection)[0][0]
        return Found(found, None if oldest is None or oldest >= from_seq else from_seq)

    def _find_rare(self, states: set[State], limit: int, given: dict[str, object]) -> list[Task]:
        found = [row for s in states for row in searching.FIND_RARE.rows(self._connection, state=int(s), **given)]
        newest = sorted({row[0]: row for row in found}.values(), key=lambda row: -int(row[0]))
        return self._tasks(newest[:limit])

    def batch(self, name: str) -> BatchCounts | None:
        found = searching.BATCH.rows(self._connection, of_batch=name)
        if not found:
            return None
        states = {State(state): number for state, number, _ in found}
        return BatchCounts(name, states, min(created_at for *_, created_at in found))

    def group_counts(self, after: str | None, limit: int, names: Collection[str] | None) -> GroupCounts:
        if names is None:
            found = places.GROUP_COUNTS.rows(self._connection, after=after, limit=limit)
        else:
            found = places.NAMED_GROUP_COUNTS.rows(self._connection, [(name,) for name in names])
        counts: GroupCounts = {}
        for group, method, state, number in found:
            counts.setdefault(group, {}).setdefault(method, {})[State(state)] = number
        return counts

    def place(self, lane: Lane, line: int, seq: int) -> int:
        number = self._lanes.number(lane)
        before = 0 if number is None else tasks.PLACE.rows(self._connection, lane=number, line=line, seq=seq)[0][0]
        return int(before)

    def parents(self, seq: int) -> list[tuple[bytes, State]]:
        found = families.PARENTS.rows(self._connection, of_child=seq, limit=MOST_NAMED)
        return [(task_id, State(state)) for task_id, state in found]

    def children(self, task_id: bytes, limit: int) -> list[bytes]:
        return [child for (child,) in families.CHILD_IDS.rows(self._connection, of_id=task_id, limit=limit)]

    def key_holders(self, order_key: str) -> list[bytes]:
        found = keys.IN_LINE.rows(self._connection, of_key=order_key, limit=MOST_NAMED)
        return [task_id for (task_id,) in found]

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
        lane = self._lanes.lane(number) or self._read_lanes().get(number)
        if lane is None:
            raise LaneGone
        return lane

    def _read_lanes(self) -> dict[int, Lane]:
        """A row may be seen in the moment between the commit and the driver's taking note of its lane."""
        return {row[0]: Lane(*row[1:]) for row in places.LANES.rows(self._connection)}


def _given(query: Query, before_seq: int, limit: int) -> dict[str, object]:
    """The parameters of the statements that find."""
    label, value = query.label or (None, "")
    id_from, id_to = ids_from_text(query.text or "") or (None, None)
    return {
        "before_seq": before_seq,
        "states": sum(1 << state for state in set(query.states)) if query.states else -1,
        "any_lane": query.method is None and query.group is None,
        "method": query.method,
        "group": query.group,
        "worker": query.worker,
        "created_after": query.created_after,
        "created_before": query.created_before,
        "label": label,
        "label_value": value or None,
        "batch": query.batch,
        "text": None if query.text is None else in_lower_case(query.text),
        "id_from": id_from,
        "id_to": id_to,
        "limit": limit,
    }
