"""The ready index of a node that stands alone: plain memory, bounded however many tasks are queued.

The index keeps a window of each lane: all ready tasks of the lane up to a `bound`, and none beyond it. What lies beyond
is only in the store, and is read when the window runs low. So a push beyond the bound is forgotten on purpose.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, KeysView
from typing import Protocol

from rota.model.task import Lane, Task

WINDOW_TASKS = 4_000
WINDOW_BYTES = 16 * 1024 * 1024
REFILL_TASKS = 2_000

Place = tuple[int, int]
_NOTHING_KNOWN: Place = (-(2**63), 0)
_tie = itertools.count()


class Lines(Protocol):
    """The one verb of the store that the index reads by."""

    async def line(self, lane: Lane, after: Place | None, limit: int, max_bytes: int) -> list[Task]: ...

    async def ready_lanes(self) -> list[Lane]: ...


class _Window:
    """The known part of one lane. `bound` None: all of it is known.

    A task is in it once: pushed again (it was given back, say) it replaces what was known of it, and the older entry of
    the heap is passed over when it comes up.
    """

    __slots__ = ("bound", "bytes", "heap", "missed", "reading", "tasks")

    def __init__(self, bound: Place | None) -> None:
        self.heap: list[tuple[int, int, int, Task]] = []
        self.tasks: dict[int, Task] = {}
        self.bytes = 0
        self.bound = bound
        self.reading = False
        self.missed: list[Task] = []
        """Pushed beyond the bound while a read was under way: the read may have been too early for them."""

    def add(self, task: Task) -> None:
        if (known := self.tasks.get(task.seq)) is not None:
            self.bytes -= len(known.spec.params)
        self.tasks[task.seq] = task
        heapq.heappush(self.heap, (task.line, task.seq, next(_tie), task))
        self.bytes += len(task.spec.params)

    def head(self) -> Place | None:
        heap = self.heap
        while heap:
            line, seq, _, task = heap[0]
            if self.tasks.get(seq) is task:
                return line, seq
            heapq.heappop(heap)
        return None

    def pop(self) -> Task:
        """The head, which there is."""
        task = heapq.heappop(self.heap)[3]
        del self.tasks[task.seq]
        self.bytes -= len(task.spec.params)
        return task

    def full(self) -> bool:
        return len(self.tasks) >= WINDOW_TASKS or self.bytes >= WINDOW_BYTES

    def low(self) -> bool:
        return self.bound is not None and len(self.tasks) < REFILL_TASKS // 2 and self.bytes < WINDOW_BYTES // 2

    def shrink(self) -> None:
        """Forgets the far half; the store still has it."""
        live = [entry for entry in self.heap if self.tasks.get(entry[1]) is entry[3]]
        self.heap = heapq.nsmallest(max(1, len(live) // 2), live)
        self.tasks = {seq: task for _, seq, _, task in self.heap}
        self.bytes = sum(len(task.spec.params) for task in self.tasks.values())
        line, seq, *_ = self.heap[-1]
        self.bound = (line, seq)


class LocalIndex:
    """The ready lines of one node. Implements ReadyIndex."""

    def __init__(self, store: Lines) -> None:
        self._store = store
        self._windows: dict[Lane, _Window] = {}

    async def open(self) -> None:
        """Learns which lanes have ready tasks; their windows fill at the first refill."""
        for lane in await self._store.ready_lanes():
            self._windows[lane] = _Window(_NOTHING_KNOWN)

    def push(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            lane = task.spec.lane
            window = self._windows.get(lane)
            if window is None:
                window = self._windows[lane] = _Window(None)
            if window.bound is None or (task.line, task.seq) <= window.bound:
                window.add(task)
                if window.full():
                    window.shrink()
            elif window.reading:
                window.missed.append(task)

    def head(self, lane: Lane) -> Place | None:
        window = self._windows.get(lane)
        return window.head() if window is not None else None

    def lanes(self) -> KeysView[Lane]:
        return self._windows.keys()

    def empty(self, lane: Lane) -> bool:
        """Nothing of the lane is ready, here or in the store."""
        window = self._windows.get(lane)
        return window is None or (not window.tasks and window.bound is None)

    def take(self, lane: Lane, limit: int, until: Place | None = None) -> list[Task]:
        window = self._windows.get(lane)
        if window is None:
            return []
        taken: list[Task] = []
        while len(taken) < limit and (head := window.head()) is not None and (until is None or head <= until):
            taken.append(window.pop())
        if not window.tasks and window.bound is None and not window.reading:
            del self._windows[lane]
        return taken

    def lacking(self) -> list[Lane]:
        """Lanes whose window is low while the store has more."""
        return [lane for lane, window in self._windows.items() if not window.reading and window.low()]

    async def refill(self) -> bool:
        got = False
        for lane in self.lacking():
            got = await self._read(lane) or got
        return got

    async def _read(self, lane: Lane) -> bool:
        window = self._windows[lane]
        window.reading = True
        try:
            read = await self._store.line(lane, window.bound, REFILL_TASKS, WINDOW_BYTES // 2)
            self._merge(lane, window, read)
        finally:
            window.reading = False
            window.missed.clear()
        return bool(read)

    def _merge(self, lane: Lane, window: _Window, read: list[Task]) -> None:
        for task in read:
            window.add(task)
        if len(read) == REFILL_TASKS or sum(len(task.spec.params) for task in read) >= WINDOW_BYTES // 2:
            window.bound = (read[-1].line, read[-1].seq)
            missed = [task for task in window.missed if (task.line, task.seq) <= window.bound]
        else:
            window.bound = None
            missed = window.missed
        known = {(task.seq, task.attempt) for task in read}
        for task in missed:
            if (task.seq, task.attempt) not in known:
                window.add(task)
        if not window.tasks and window.bound is None:
            del self._windows[lane]
