"""Which lane is next: lanes that the same workers could run, under the same rule, stand in one front; the fronts of the
same workers are one crew's.

A look costs as much as there are crews and picks, however many lanes and rules there are: what has not changed since the
last look is not looked at. A front whose rule is shut is put aside until the rule opens, and a lane that waits for its
concurrency key until the key has room. When somebody comes, goes or learns, or a setting changes, all is formed anew.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator

from rota.contract.coordination import ReadyIndex
from rota.engine.gate import Rule
from rota.engine.limits import Limits
from rota.engine.roster import Roster, Seat
from rota.model.task import Lane

Place = tuple[int, int]
_tie = itertools.count()


class Front:
    """Lanes under the same rule, in the order of their heads."""

    __slots__ = ("_heads", "_heap", "queued", "rule", "shut")

    def __init__(self, rule: Rule | None, heads: dict[Lane, Place]) -> None:
        self.rule = rule
        self.shut = False
        """Its rule lets nothing start now."""
        self.queued: Place | None = None
        """The place by which its crew has it in line."""
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


class Crew:
    """The workers that could run the same lanes, and the fronts of those, in the order of their heads."""

    __slots__ = ("_line", "seats")

    def __init__(self, seats: list[Seat]) -> None:
        self.seats = seats
        self._line: list[tuple[int, int, int, Front]] = []

    def put(self, front: Front) -> None:
        """The front's head is another now, or may be."""
        head = front.head()
        if head is not None and head != front.queued and not front.shut:
            front.queued = head
            heapq.heappush(self._line, (*head, next(_tie), front))

    def first(self) -> Front | None:
        """The front whose head is next."""
        while self._line:
            line, seq, _, front = self._line[0]
            head = front.head()
            if head == (line, seq) and not front.shut:
                return front
            heapq.heappop(self._line)
            if front.queued == (line, seq):
                front.queued = None
                self.put(front)
        return None

    def head(self) -> Place | None:
        """The place of the first task of all its lanes that are not held back."""
        front = self.first()
        return front.head() if front is not None else None

    def free(self) -> list[Seat]:
        return [seat for seat in self.seats if seat.room > 0]


class Fronts:
    """All lanes that somebody could run."""

    def __init__(self, index: ReadyIndex, roster: Roster, limits: Limits) -> None:
        self._index = index
        self._roster = roster
        self._limits = limits
        self._version = (-1, -1)
        self._crews: dict[int, Crew] = {}
        self._fronts: dict[tuple[int, int], Front] = {}
        self._shut: dict[Rule, list[tuple[Crew, Front]]] = {}
        self._heads: dict[Lane, Place] = {}

    def __iter__(self) -> Iterator[Crew]:
        return iter(self._crews.values())

    def learn(self) -> None:
        """Takes note of what has changed."""
        lanes: Iterable[Lane] = self._index.stirred()
        freed, opened = self._limits.freed(), self._limits.opened()
        version = (self._roster.version, self._limits.version)
        if self._version != version:
            self._version = version
            self._crews.clear()
            self._fronts.clear()
            self._shut.clear()
            self._heads.clear()
            lanes = self._index.lanes()
        for rule in opened:
            for crew, front in self._shut.pop(rule, ()):
                front.shut = False
                crew.put(front)
        for lane in lanes:
            self.put(lane)
        for lane in freed:
            self.put(lane)

    def put(self, lane: Lane) -> None:
        """Its head is another now, or may be."""
        head = self._index.head(lane)
        if lane.key is not None and self._limits.is_parked(lane, head):
            return
        if head is None:
            self._heads.pop(lane, None)
        elif self._heads.get(lane) != head and (seats := self._roster.eligible(lane)):
            crew = self._crews.get(id(seats))
            if crew is None:
                crew = self._crews[id(seats)] = Crew(seats)
            front = self._front(crew, self._limits.rule(lane))
            self._heads[lane] = head
            front.put(lane, head)
            crew.put(front)

    def _front(self, crew: Crew, rule: Rule | None) -> Front:
        place = (id(crew), id(rule))
        front = self._fronts.get(place)
        if front is None:
            front = self._fronts[place] = Front(rule, self._heads)
        return front

    def shut(self, crew: Crew, front: Front) -> None:
        """The front's rule lets nothing start: it is put aside until that has changed."""
        if front.rule is not None:
            front.shut = True
            self._limits.shut(front.rule)
            self._shut.setdefault(front.rule, []).append((crew, front))
