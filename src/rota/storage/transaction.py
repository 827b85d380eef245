"""One transaction of the writer, as the verbs see it.

What it learns (new lanes, counts, what to tell the callers' records) stays with it until the commit, and is forgotten
with it when it is rolled back, so that the driver's memory never says more than the disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from sqlite3 import Connection

from rota.model.task import Lane, State, Task
from rota.storage.book import Book
from rota.storage.rows import Row, task_of
from rota.storage.statements import places, tasks


class Surprised(Exception):
    """A hopeful verb found something else than it had hoped for: run the batch again, carefully.

    From a careful verb it says that the batch broke the contract, as by two changes of one row.
    """


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the transaction had come before an operation."""

    lanes: int
    moved: Counter[int]
    told: int


class Transaction:
    """A hopeful one writes first and raises `Surprised` if the counts differ; a careful one looks first."""

    def __init__(self, connection: Connection, book: Book, now: int, *, careful: bool) -> None:
        self.connection, self.now, self.careful = connection, now, careful
        self._book = book
        self._lanes: dict[Lane, int] = {}
        self._told: list[Callable[[], None]] = []
        self.moved: Counter[int] = Counter()

    def next_seqs(self, number: int) -> range:
        """Ordinals are never given twice, not even after a rollback."""
        first = self._book.last_seq + 1
        self._book.last_seq += number
        return range(first, first + number)

    def next_lines(self, number: int) -> range:
        first = self._book.last_line + 1
        self._book.last_line += number
        return range(first, first + number)

    def lane_number(self, lane: Lane) -> int:
        known = self._book.lanes.number(lane) or self._lanes.get(lane)
        return self._add_lane(lane) if known is None else known

    def _add_lane(self, lane: Lane) -> int:
        number = len(self._book.lanes) + len(self._lanes) + 1
        places.ADD_LANE.run(self.connection, number=number, **lane._asdict())
        self._lanes[lane] = number
        return number

    def lane(self, number: int) -> Lane:
        known = self._book.lanes.lane(number)
        return known or next(lane for lane, mine in self._lanes.items() if mine == number)

    def task_of(self, row: Row) -> Task:
        return task_of(row, self.lane)

    def tasks(self, seqs: list[int]) -> dict[int, Task]:
        rows = tasks.BY_SEQ.rows(self.connection, [(seq,) for seq in seqs])
        return {row[0]: self.task_of(row) for row in rows}

    def count(self, state: State) -> int:
        return self._book.counts[state] + self.moved[state]

    def remember_ordinals(self) -> None:
        """Before rows are removed: their ordinals stay used after a restart."""
        places.SET_MARK.run(self.connection, name="seq", value=self._book.last_seq)
        places.SET_MARK.run(self.connection, name="line", value=self._book.last_line)

    def tell(self, what: Callable[[], None]) -> None:
        """To be called after the commit."""
        self._told.append(what)

    # --- the writer's part

    def mark(self) -> Mark:
        return Mark(len(self._lanes), self.moved.copy(), len(self._told))

    def back_to(self, mark: Mark) -> None:
        self._lanes = dict(list(self._lanes.items())[: mark.lanes])
        self.moved = mark.moved
        del self._told[mark.told :]

    def settle(self) -> None:
        self._book.settle(self._lanes, self.moved)
        for tell in self._told:
            tell()
