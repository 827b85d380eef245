"""What the SQLite driver keeps in memory of what is on disk: lanes, counts, and the ordinals to give next.

Only the writer's thread changes it, and only after a commit; other threads read it.
"""

from __future__ import annotations

from collections import Counter
from sqlite3 import Connection

from rota.model.task import Lane, State
from rota.storage.statements import history, keys, places, tasks

_UNENDED = tuple(state for state in State if not state.ended)


class Lanes:
    """Lanes and their numbers."""

    def __init__(self, connection: Connection) -> None:
        self._numbers: dict[Lane, int] = {}
        self._lanes: dict[int, Lane] = {}
        self.learn({Lane(*row[1:]): row[0] for row in places.LANES.rows(connection)})

    def learn(self, numbers: dict[Lane, int]) -> None:
        self._lanes.update((number, lane) for lane, number in numbers.items())
        self._numbers.update(numbers)

    def number(self, lane: Lane) -> int | None:
        return self._numbers.get(lane)

    def lane(self, number: int) -> Lane | None:
        return self._lanes.get(number)

    def __len__(self) -> int:
        return len(self._lanes)


class Book:
    """The driver's memory, read from the file when the store opens."""

    def __init__(self, connection: Connection) -> None:
        marks = {name: int(value) for name, value in places.MARKS.rows(connection)}
        self.lanes = Lanes(connection)
        self.last_seq = max(marks.get("seq", 0), tasks.LAST.rows(connection)[0][0] or 0)
        self.last_line = max(marks.get("line", 0), history.LAST_LINE.rows(connection)[0][0] or 0)
        self.counts = _counts(connection)
        self.unended = _unended(self.counts)

    def settle(self, lanes: dict[Lane, int], moved: Counter[int]) -> None:
        """Takes over what a committed transaction did."""
        if lanes:
            self.lanes.learn(lanes)
        if moved:
            counts = self.counts.copy()
            for state, number in moved.items():
                counts[State(state)] += number
            self.counts, self.unended = counts, _unended(counts)


def _counts(connection: Connection) -> dict[State, int]:
    counts = dict.fromkeys(State, 0)
    counts.update((State(state), number) for state, number in tasks.DUE_COUNTS.rows(connection))
    counts[State.WAITING] = keys.WAITING_COUNT.rows(connection)[0][0]
    counts[State.READY] = tasks.READY_COUNT.rows(connection)[0][0]
    return counts


def _unended(counts: dict[State, int]) -> int:
    return sum(counts[state] for state in _UNENDED)
