"""One transaction of the writer, as the verbs see it.

What it learns (new lanes, counts, what to tell the callers' records) stays with it until the commit, and is forgotten
with it when it is rolled back, so that the driver's memory never says more than the disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from sqlite3 import Connection

from rota.model.lifecycle import Retention
from rota.model.task import Lane, State, Task
from rota.storage.book import Book
from rota.storage.depths import MovingDepths
from rota.storage.intake import Depth
from rota.storage.rows import Row, task_of
from rota.storage.statements import places, tasks


class Surprised(Exception):
    """A hopeful verb found something else than it had hoped for: run the batch again, carefully.

    From a careful verb it says that the batch broke the contract, as by two changes of one row.
    """


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the transaction had come before an operation."""

    lanes: dict[int, Lane]
    gone: set[int]
    moved: Counter[int]
    waits: int
    depths: dict[str, Depth | None]
    told: int


class Transaction:
    """A hopeful one writes first and raises `Surprised` if the counts differ; a careful one looks first."""

    def __init__(self, connection: Connection, book: Book, now: int, *, careful: bool, keep: Retention) -> None:
        self.connection, self.now, self.careful, self.keep = connection, now, careful, keep
        self._book = book
        self._lanes: dict[int, Lane] = {}
        self._numbers: dict[Lane, int] = {}
        self._unwritten: list[tuple[object, ...]] = []
        self._gone: set[int] = set()
        self._told: list[Callable[[], None]] = []
        self.moved: Counter[int] = Counter()
        self.waits = book.waits
        """As `Book.waits`. While it is 0, an end has nothing to do with parents and children."""
        self.depths = MovingDepths(connection, book.depths)

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
        """A new lane gets a number; `write_lanes` must follow before the verb is done."""
        number = self._book.lanes.number(lane)
        if number is None or number in self._gone:
            number = self._numbers.get(lane)
        return self._add_lane(lane) if number is None else number

    def _add_lane(self, lane: Lane) -> int:
        number = self._book.lanes.next_number(lane)
        self._unwritten.append((number, *lane))
        self._lanes[number], self._numbers[lane] = lane, number
        return number

    def write_lanes(self) -> None:
        places.ADD_LANES.run(self.connection, self._unwritten)
        self._unwritten = []

    def lane(self, number: int) -> Lane:
        return self._book.lanes.lane(number) or self._lanes[number]

    @property
    def has_passing_lanes(self) -> bool:
        return self._book.lanes.last_passing < 0

    def remove_lanes(self, numbers: Sequence[int]) -> None:
        places.REMOVE_LANES.run(self.connection, [(number,) for number in numbers])
        self._gone.update(numbers)
        for number in numbers:
            lane = self._lanes.get(number)
            if lane is not None and self._numbers.get(lane) == number:
                del self._numbers[lane]

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
        places.SET_MARK.run(self.connection, name="lane", value=-self._book.lanes.last_passing)

    def tell(self, what: Callable[[], None]) -> None:
        """To be called after the commit."""
        self._told.append(what)

    # --- the writer's part

    def mark(self) -> Mark:
        return Mark(
            self._lanes.copy(),
            self._gone.copy(),
            self.moved.copy(),
            self.waits,
            self.depths.changed.copy(),
            len(self._told),
        )

    def back_to(self, mark: Mark) -> None:
        self._lanes, self._gone, self.moved, self.waits = mark.lanes, mark.gone, mark.moved, mark.waits
        self.depths.changed = mark.depths
        self._numbers = {lane: number for number, lane in self._lanes.items() if number not in self._gone}
        self._unwritten = []
        del self._told[mark.told :]

    def settle(self) -> None:
        self._book.settle(self._lanes, self._gone, self.moved, self.waits)
        self.depths.settle()
        for tell in self._told:
            tell()
