"""The ready index of a node that stands alone: plain memory, bounded however many tasks are queued.

The index keeps a window of each lane: all ready tasks of the lane up to a `bound`, and none beyond it. What lies beyond
is only in the store, and is read when the window runs low. So a push beyond the bound is forgotten on purpose.

All windows together are bounded as well: the more lanes there are, the smaller is the share of each.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, KeysView
from typing import NamedTuple, Protocol

from rota.model.task import Lane, Task

WINDOW_TASKS = 4_000
WINDOW_BYTES = 16 * 1024 * 1024
ALL_TASKS = 4 * WINDOW_TASKS
ALL_BYTES = 4 * WINDOW_BYTES
"""Of all windows together; each lane has an equal share, at most a whole window."""
LEAST_TASKS = 4
LEAST_BYTES = 64 * 1024
"""The share of a lane among ever so many."""
LANES_A_REFILL = 64
"""Lanes that are read until those who wait for tasks may look again; the others are next."""

Place = tuple[int, int]
_NOTHING_KNOWN: Place = (-(2**63), 0)
_tie = itertools.count()


class Lines(Protocol):
    """The one verb of the store that the index reads by."""

    async def line(self, lane: Lane, after: Place | None, limit: int, max_bytes: int) -> list[Task]: ...

    async def ready_lanes(self) -> list[Lane]: ...


class _Share(NamedTuple):
    """What one lane may have in memory. Half of it is read at once, when less than a quarter is left."""

    tasks: int
    bytes: int


class _Window:
    """The known part of one lane. `bound` None: all of it is known.

    A task is in it once: pushed again (it was given back, say) it replaces what was known of it, and the older entry of
    the heap is passed over when it comes up.
    """

    __slots__ = ("bound", "bytes", "heap", "lacking", "missed", "reading", "tasks")

    def __init__(self, bound: Place | None) -> None:
        self.heap: list[tuple[int, int, int, Task]] = []
        self.tasks: dict[int, Task] = {}
        self.bytes = 0
        self.bound = bound
        self.lacking = False
        """It was found low, and is in the queue of those that are read next."""
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

    def full(self, share: _Share) -> bool:
        return len(self.tasks) >= share.tasks or self.bytes >= share.bytes

    def low(self, share: _Share) -> bool:
        if self.bound is None or self.reading:
            return False
        return not self.tasks or (len(self.tasks) < share.tasks // 4 and self.bytes < share.bytes // 2)

    def shrink(self, share: _Share) -> None:
        """Forgets the far half, or what goes beyond half the share; the store still has it."""
        live = [entry for entry in self.heap if self.tasks.get(entry[1]) is entry[3]]
        self.heap = heapq.nsmallest(max(1, min(len(live), share.tasks) // 2), live)
        self.tasks = {seq: task for _, seq, _, task in self.heap}
        self.bytes = sum(len(task.spec.params) for task in self.tasks.values())
        line, seq, *_ = self.heap[-1]
        self.bound = (line, seq)


class LocalIndex:
    """The ready lines of one node. Implements ReadyIndex."""

    def __init__(self, store: Lines) -> None:
        self._store = store
        self._windows: dict[Lane, _Window] = {}
        self._lacking: deque[Lane] = deque()
        """Lanes that were found low while the store has more of them, longest first."""
        self._stirred: set[Lane] = set()
        self._tasks = 0
        self._bytes = 0
        self._left = _Share(0, 0)
        """What could not be given up when the windows last were over their bounds: each lane keeps its head."""

    async def open(self) -> None:
        """Learns which lanes have ready tasks; their windows fill at the first refill."""
        for lane in await self._store.ready_lanes():
            self._windows[lane] = _Window(_NOTHING_KNOWN)
            self._note_low(lane, self._windows[lane])

    async def relearn(self) -> None:
        lanes = await self._store.ready_lanes()
        for window in self._windows.values():
            window.bound = None  # a read that is under way is not merged any more
        known = dict.fromkeys((*lanes, *self._windows))  # a lane may have come up since the store was asked
        self._windows.clear()
        self._lacking.clear()
        self._tasks = self._bytes = 0
        for lane in known:
            self._windows[lane] = _Window(_NOTHING_KNOWN)
            self._note_low(lane, self._windows[lane])

    def push(self, tasks: Iterable[Task]) -> None:
        share = self._share()
        for task in tasks:
            lane = task.spec.lane
            window = self._windows.get(lane)
            if window is None:
                window = self._windows[lane] = _Window(None)
            if window.bound is None or (task.line, task.seq) <= window.bound:
                self._add(window, (task,), share)
                self._stirred.add(lane)
            elif window.reading:
                window.missed.append(task)
        self._keep_within_bounds()

    def head(self, lane: Lane) -> Place | None:
        window = self._windows.get(lane)
        return window.head() if window is not None else None

    def first(self, lane: Lane) -> Task | None:
        window = self._windows.get(lane)
        return window.heap[0][3] if window is not None and window.head() is not None else None

    def heads(self) -> Iterator[Task]:
        for window in self._windows.values():
            if window.head() is not None:
                yield window.heap[0][3]

    def lanes(self) -> KeysView[Lane]:
        return self._windows.keys()

    def stirred(self) -> Iterable[Lane]:
        stirred, self._stirred = self._stirred, set()
        return stirred

    def empty(self, lane: Lane) -> bool:
        """Nothing of the lane is ready, here or in the store."""
        window = self._windows.get(lane)
        return window is None or (not window.tasks and window.bound is None)

    def take(self, lane: Lane, limit: int, until: Place | None = None) -> list[Task]:
        window = self._windows.get(lane)
        if window is None:
            return []
        taken: list[Task] = []
        size = window.bytes
        while len(taken) < limit and (head := window.head()) is not None and (until is None or head <= until):
            taken.append(window.pop())
        self._tasks -= len(taken)
        self._bytes -= size - window.bytes
        self._look_after(lane, window)
        return taken

    def lacking(self) -> bool:
        return bool(self._lacking)

    async def refill(self) -> bool:
        """Reads the lanes that are low, some at a time: whoever waits for tasks may look in between."""
        got, lanes = False, 0
        while self._lacking and not (got and lanes >= LANES_A_REFILL):
            lane, lanes = self._lacking.popleft(), lanes + 1
            window = self._windows.get(lane)
            if window is None:
                continue
            try:
                got = (window.low(self._share()) and await self._read(window, lane)) or got
            except BaseException:
                self._lacking.appendleft(lane)
                raise
            window.lacking = False
            self._stirred.add(lane)
            self._look_after(lane, window)
        return got

    async def _read(self, window: _Window, lane: Lane) -> bool:
        share, after = self._share(), window.bound
        limit, max_bytes = share.tasks // 2, share.bytes // 2
        window.reading = True
        try:
            read = await self._store.line(lane, after, limit, max_bytes)
            whole = len(read) < limit and sum(len(task.spec.params) for task in read) < max_bytes
            if window.bound == after:  # else it has shrunk meanwhile, and the read does not follow on what is left
                self._merge(window, read, whole, share)
        finally:
            window.reading = False
            window.missed.clear()
        return bool(read)

    def _merge(self, window: _Window, read: list[Task], whole: bool, share: _Share) -> None:
        """`whole`: the read came to the end of the lane."""
        bound = window.bound = None if whole else (read[-1].line, read[-1].seq)
        known = {(task.seq, task.attempt) for task in read}
        missed = [task for task in window.missed if bound is None or (task.line, task.seq) <= bound]
        self._add(window, [*read, *(task for task in missed if (task.seq, task.attempt) not in known)], share)
        self._keep_within_bounds()

    def _add(self, window: _Window, tasks: Iterable[Task], share: _Share) -> None:
        count, size = len(window.tasks), window.bytes
        for task in tasks:
            window.add(task)
        if window.full(share):
            window.shrink(share)
        self._tasks += len(window.tasks) - count
        self._bytes += window.bytes - size

    def _look_after(self, lane: Lane, window: _Window) -> None:
        """Something was taken, or read: the lane may be over now, or low."""
        if self._windows.get(lane) is not window:
            return
        if not window.tasks and window.bound is None and not window.reading:
            del self._windows[lane]
        else:
            self._note_low(lane, window)

    def _note_low(self, lane: Lane, window: _Window) -> None:
        if not window.lacking and window.low(self._share()):
            window.lacking = True
            self._lacking.append(lane)

    # --- bounds

    def _share(self) -> _Share:
        lanes = max(1, len(self._windows))
        return _Share(
            max(LEAST_TASKS, min(WINDOW_TASKS, ALL_TASKS // lanes)),
            max(LEAST_BYTES, min(WINDOW_BYTES, ALL_BYTES // lanes)),
        )

    def _keep_within_bounds(self) -> None:
        """Windows that grew when there were fewer lanes give up what is over their share by now."""
        lanes = len(self._windows)
        tasks = max(ALL_TASKS, lanes * LEAST_TASKS, self._left.tasks)
        size = max(ALL_BYTES, lanes * LEAST_BYTES, self._left.bytes)
        if 2 * self._tasks <= 3 * tasks and 2 * self._bytes <= 3 * size:
            return
        share = self._share()
        for window in self._windows.values():
            self._add(window, (), share)
        self._left = _Share(self._tasks, self._bytes)
