"""What the SQLite driver keeps in memory of what is on disk: lanes, counts, and the ordinals to give next.

Only the writer's thread changes it, and only after a commit; other threads read it.
"""

from __future__ import annotations

from collections import Counter
from sqlite3 import Connection

from rota.model.task import Lane, State
from rota.storage.depths import depths_in
from rota.storage.statements import families, history, keys, places, tasks

_UNENDED = tuple(state for state in State if not state.ended)


STANDING = 1_000
"""So many lanes without a key or a target stay for good; others go with their last task."""


class Lanes:
    """Lanes and their numbers: from 1 up those that stay, from -1 down those that come and go. None is given twice."""

    def __init__(self, connection: Connection, last_passing: int) -> None:
        self._numbers: dict[Lane, int] = {}
        self._lanes: dict[int, Lane] = {}
        self.learn({row[0]: Lane(*row[1:]) for row in places.LANES.rows(connection)})
        self.last_standing = max([0, *self._lanes])
        self.last_passing = min([last_passing, 0, *self._lanes])

    def next_number(self, lane: Lane) -> int:
        if lane.key is not None or lane.target is not None or self.last_standing >= STANDING:
            self.last_passing -= 1
            return self.last_passing
        self.last_standing += 1
        return self.last_standing

    def learn(self, lanes: dict[int, Lane]) -> None:
        self._lanes.update(lanes)
        self._numbers.update((lane, number) for number, lane in lanes.items())

    def forget(self, numbers: set[int]) -> None:
        """A lane may have come back under a new number in the meantime: that one stays."""
        for number in numbers:
            lane = self._lanes.pop(number, None)
            if lane is not None and self._numbers.get(lane) == number:
                del self._numbers[lane]

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
        self.lanes = Lanes(connection, -marks.get("lane", 0))
        self.last_seq = max(marks.get("seq", 0), tasks.LAST.rows(connection)[0][0] or 0)
        self.last_line = max(marks.get("line", 0), history.LAST_LINE.rows(connection)[0][0] or 0)
        self.counts = _counts(connection)
        self.unended = _unended(self.counts)
        self.depths = depths_in(connection)
        """Of the groups that have a limit."""
        self.waits: int = families.ALL.rows(connection)[0][0]
        """How many pairs of a task and one that it waits for there are."""

    def settle(self, lanes: dict[int, Lane], gone: set[int], moved: Counter[int], waits: int) -> None:
        """Takes over what a committed transaction did."""
        self.lanes.learn(lanes)
        self.lanes.forget(gone)
        self.waits = waits
        if moved:
            counts = self.counts.copy()
            for state, number in moved.items():
                counts[State(state)] += number
            self.counts, self.unended = counts, _unended(counts)


def _counts(connection: Connection) -> dict[State, int]:
    counts = dict.fromkeys(State, 0)
    counts.update((State(state), number) for state, number in tasks.DUE_COUNTS.rows(connection))
    counts[State.WAITING] = sum(noun.WAITING_COUNT.rows(connection)[0][0] for noun in (keys, families))
    counts[State.READY] = tasks.READY_COUNT.rows(connection)[0][0]
    return counts


def _unended(counts: dict[State, int]) -> int:
    return sum(counts[state] for state in _UNENDED)
