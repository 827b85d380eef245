"""Counters of one node since its start, and rates over the last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from rota.model.task import State, Task

_RATE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Figures:
    """How a node stands. Rates are tasks a second over the last ten seconds."""

    tasks: dict[State, int] = field(default_factory=dict)
    workers: int = 0
    submitted: int = 0
    finished: int = 0
    failed: int = 0
    rescued: int = 0
    submit_rate: float = 0.0
    finish_rate: float = 0.0
    started_at: int = 0
    now: int = 0
    unended: int = 0


class _Rate:
    """Events a second, counted by whole seconds."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, int]] = deque(maxlen=_RATE_SECONDS + 1)

    def add(self, count: int, now: int) -> None:
        second = now // 1_000_000
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1] = (second, self._seconds[-1][1] + count)
        else:
            self._seconds.append((second, count))

    def value(self, now: int) -> float:
        since = now // 1_000_000 - _RATE_SECONDS
        return sum(count for second, count in self._seconds if second >= since) / _RATE_SECONDS


class Gauges:
    """Counts whole batches; asking is cheap."""

    def __init__(self) -> None:
        self.submitted = self.finished = self.failed = self.rescued = 0
        self._submits, self._finishes = _Rate(), _Rate()

    def accepted(self, count: int, now: int) -> None:
        self.submitted += count
        self._submits.add(count, now)

    def ended(self, tasks: Sequence[Task]) -> None:
        self.finished += len(tasks)
        self.failed += sum(task.state is State.FAILED for task in tasks)
        self._finishes.add(len(tasks), tasks[-1].ended_at or 0)

    def figures(self, now: int, started_at: int, workers: int, unended: int, tasks: dict[State, int]) -> Figures:
        return Figures(
            tasks,
            workers,
            self.submitted,
            self.finished,
            self.failed,
            self.rescued,
            self._submits.value(now),
            self._finishes.value(now),
            started_at,
            now,
            unended,
        )
