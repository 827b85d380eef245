"""Counters of one node since its start, and rates over the last seconds."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from rota.model.latency import Window
from rota.model.task import PRIORITY_STEP, State, Task
from rota.telemetry.histogram import Histogram

_RATE_SECONDS = 10
SAMPLE = 32
"""Of a batch, so many tasks are looked at for latencies."""
TASK_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 21600.0)
MOST_GROUPS = 1_000
"""Groups whose rates are kept; beyond it the ones that rest are forgotten."""
T = TypeVar("T")


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

    def rests(self, now: int) -> bool:
        return not self._seconds or self._seconds[-1][0] < now // 1_000_000 - _RATE_SECONDS

    def value(self, now: int) -> float:
        since = now // 1_000_000 - _RATE_SECONDS
        return sum(count for second, count in self._seconds if second >= since) / _RATE_SECONDS


class _GroupRates:
    """Events a second by group."""

    def __init__(self) -> None:
        self._rates: dict[str | None, _Rate] = {}

    def add(self, tasks: Sequence[Task], now: int) -> None:
        for group, count in Counter([task.spec.lane.group for task in tasks]).items():
            rate = self._rates.get(group)
            if rate is None:
                if len(self._rates) >= MOST_GROUPS:
                    self._rates = {name: known for name, known in self._rates.items() if not known.rests(now)}
                if len(self._rates) >= MOST_GROUPS:
                    continue
                rate = self._rates[group] = _Rate()
            rate.add(count, now)

    def value(self, group: str | None, now: int) -> float:
        rate = self._rates.get(group)
        return rate.value(now) if rate is not None else 0.0


class Gauges:
    """Counts whole batches; asking is cheap."""

    def __init__(self) -> None:
        self.submitted = self.finished = self.failed = self.rescued = 0
        self._submits, self._finishes = _Rate(), _Rate()
        self.group_submits, self.group_finishes = _GroupRates(), _GroupRates()
        self.wait_seconds, self.run_seconds = Histogram(TASK_SECONDS), Histogram(TASK_SECONDS)
        """From ready to leased, and from started to ended; a sampled task stands for its share of the batch."""
        self._window = Window()
        self._before = (0, 0, 0, 0)

    def accepted(self, tasks: Sequence[Task], now: int) -> None:
        self.submitted += len(tasks)
        self._submits.add(len(tasks), now)
        self.group_submits.add(tasks, now)

    def leased(self, picks: Sequence[tuple[object, Task]]) -> None:
        """These were given to workers."""
        waits, sample = self._window.waits, _sample(picks)
        for _, task in sample:
            ready_at = task.line + task.spec.priority * PRIORITY_STEP
            waited = max(0, (task.claimed_at or ready_at) - ready_at)
            waits.add(waited)
            self.wait_seconds.add(waited / 1e6, len(picks) / len(sample))

    def ended(self, tasks: Sequence[Task]) -> None:
        now, runs = tasks[-1].ended_at or 0, self._window.runs
        self.finished += len(tasks)
        self.failed += sum(task.state is State.FAILED for task in tasks)
        self._finishes.add(len(tasks), now)
        self.group_finishes.add(tasks, now)
        sample = _sample(tasks)
        for task in sample:
            if task.started_at is not None and task.ended_at is not None:
                runs.add(task.ended_at - task.started_at)
                self.run_seconds.add((task.ended_at - task.started_at) / 1e6, len(tasks) / len(sample))

    def window(self) -> Window:
        """What happened since this was last asked; one reader."""
        counts = (self.submitted, self.finished, self.failed, self.rescued)
        window, self._window = self._window, Window()
        window.submitted, window.finished, window.failed, window.rescued = (
            now - before for now, before in zip(counts, self._before, strict=True)
        )
        self._before = counts
        return window

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


def _sample(batch: Sequence[T]) -> Sequence[T]:
    """At most SAMPLE of a batch, evenly."""
    return batch if len(batch) <= SAMPLE else batch[:: -(-len(batch) // SAMPLE)]
