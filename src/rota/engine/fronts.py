"""Which lane is next: lanes that the same workers could run stand in one front, in the order of their heads.

A look at the fronts costs as much as there are fronts and picks, however many lanes there are: what has not changed since
the last look is not looked at. When somebody comes, goes or learns, the fronts are formed anew.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from rota.contract.coordination import ReadyIndex
from rota.engine.roster import Roster, Seat
from rota.model.task import Lane

Place = tuple[int, int]


class Front:
    """Lanes with the same `seats`."""

    __slots__ = ("_heads", "_heap", "seats")

    def __init__(self, seats: list[Seat], heads: dict[Lane, Place]) -> None:
        self.seats = seats
        self._heads = heads
        self._heap: list[tuple[int, int, Lane]] = []

    def put(self, lane: Lane, head: Place) -> None:
        heapq.heappush(self._heap, (*head, lane))

    def head(self) -> Place | None:
        """The place of the first task of all its lanes."""
        while self._heap:
            line, seq, lane = self._heap[0]
            if self._heads.get(lane) == (line, seq):
                return line, seq
            heapq.heappop(self._heap)
        return None

    def pop(self) -> Lane:
        """The lane of the head, which there is."""
        lane = heapq.heappop(self._heap)[2]
        del self._heads[lane]
        return lane

    def free(self) -> list[Seat]:
        return [seat for seat in self.seats if seat.room > 0]


class Fronts:
    """All lanes that somebody could run."""

    def __init__(self, index: ReadyIndex, roster: Roster) -> None:
        self._index = index
        self._roster = roster
        self._version = -1
        self._fronts: dict[int, Front] = {}
        self._heads: dict[Lane, Place] = {}

    def __iter__(self) -> Iterator[Front]:
        return iter(self._fronts.values())

    def learn(self) -> None:
        """Takes note of what has changed."""
        lanes: Iterable[Lane] = self._index.stirred()
        if self._version != self._roster.version:
            self._version = self._roster.version
            self._fronts.clear()
            self._heads.clear()
            lanes = self._index.lanes()
        for lane in lanes:
            self.put(lane)

    def put(self, lane: Lane) -> None:
        """Its head is another now, or may be."""
        head = self._index.head(lane)
        if head is None:
            self._heads.pop(lane, None)
        elif self._heads.get(lane) != head and (seats := self._roster.eligible(lane)):
            front = self._fronts.get(id(seats))
            if front is None:
                front = self._fronts[id(seats)] = Front(seats, self._heads)
            self._heads[lane] = head
            front.put(lane, head)
