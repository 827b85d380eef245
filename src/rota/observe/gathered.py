"""What changed in one window, and the events that it becomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from rota.model.task import Task
from rota.model.text import instant_text, task_id_text
from rota.observe import event_views as views
from rota.observe.event import MANY, RESET, Event

MOST_TASKS = 1_000
"""Tasks that are told of one by one in a window; beyond that changes are counted."""
MOST_COUNTS = 1_000
"""Kinds of changes that are counted in a window; beyond that readers are told to read anew."""
_REMOVED = "removed"


class Gathered:
    """Holds records, which go on changing: what is told of one is how it stands in the end. Bounded, whatever comes."""

    def __init__(self) -> None:
        self._tasks: dict[bytes, Task | None] = {}
        self._counts: Counter[tuple[str | None, str, str]] = Counter()
        self._uncounted = False
        self._others: list[Callable[[int], Event]] = []

    def tasks(self, changed: Mapping[bytes, Task | None]) -> None:
        """By id; None: removed."""
        if len(self._tasks) + len(changed) <= MOST_TASKS:
            self._tasks.update(changed)
            return
        for task_id, task in changed.items():
            if task_id in self._tasks or len(self._tasks) < MOST_TASKS:
                self._tasks[task_id] = task
            else:
                self._count(task)

    def other(self, make: Callable[[int], Event]) -> None:
        """Anything that is told as it happened; `make` is given its number."""
        self._others.append(make)

    def events(self, after: int, now: int, worker_name: Callable[[int], str]) -> list[Event]:
        """Numbered from after `after`."""
        at = instant_text(now)
        numbers = iter(range(after + 1, after + 2 + len(self._others) + len(self._tasks) + len(self._counts)))
        events = [make(next(numbers)) for make in self._others]
        for task_id, task in self._tasks.items():
            seq = next(numbers)
            events.append(_removed(seq, at, task_id) if task is None else _task(seq, at, task, worker_name))
        if self._uncounted:
            reset = views.ResetEvent(next(numbers), "too much changed at once; read anew what you show")
            events.append(Event(reset.seq, RESET, "", None, None, views.encode(reset)))
        else:
            events += self._many(numbers, at)
        return events

    def _count(self, task: Task | None) -> None:
        if len(self._counts) >= MOST_COUNTS:
            self._uncounted = True
        elif task is None:
            self._counts[None, "", _REMOVED] += 1
        else:
            lane = task.spec.lane
            self._counts[lane.group, lane.method, task.state.name.lower()] += 1

    def _many(self, numbers: Iterator[int], at: str) -> Iterator[Event]:
        by_group: dict[str | None, list[views.Changes]] = {}
        for (group, method, state), count in self._counts.items():
            by_group.setdefault(group, []).append(views.Changes(method, state, count))
        for group, changes in by_group.items():
            view = views.ManyEvent(next(numbers), at, group, changes)
            yield Event(view.seq, MANY, "task", (group or "",), None, views.encode(view))


def _task(seq: int, at: str, task: Task, worker_name: Callable[[int], str]) -> Event:
    worker = worker_name(task.worker) if task.worker is not None else None
    view = views.TaskEvent(seq, at, views.view_task(task, worker))
    return Event(seq, "task", "task", (task.spec.lane.group or "",), task.id, views.encode(view))


def _removed(seq: int, at: str, task_id: bytes) -> Event:
    """Its group is not known any more: it is for those who see every group."""
    view = views.RemovedEvent(seq, at, task_id_text(task_id))
    return Event(seq, _REMOVED, "task", (), task_id, views.encode(view))
