"""One repetition of one row.

A store is started and its client connects. Then, as far as the figures are wanted: a worker starts with one task waiting
(cold start), idles (footprint), answers one call at a time (round trips), and stops; tasks are submitted with no worker there
(bulk, singles); a worker starts, and what has gathered is its warm-up; last the work end to end. Each step's tasks are checked:
every one has run once and has the right result, else the repetition has no figures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import work
from benchmarks.driver import WAKING
from benchmarks.measure.children import Child, Driver, TrialFailed, plain_environment
from benchmarks.measure.environments import ROOT, bin_of
from benchmarks.measure.stores import Started, started
from benchmarks.rows import IN_FLIGHT, Row

SETTLE_SECONDS, IDLE_SECONDS = 0.5, 1.5
WARM_UP_TRIPS = 30


@dataclass
class Trial:
    """What one repetition gave: figures by name, or the reason why there are none."""

    figures: dict[str, float] = field(default_factory=dict)
    failure: str = ""
    versions: dict[str, str] = field(default_factory=dict)


def run(row: Row, slots: int, folder: Path) -> Trial:
    """Never raises for what a row does wrong. `folder` is the row's own, and empty."""
    trial = Trial()
    try:
        with ExitStack() as stack:
            _Steps(row, slots, folder, stack, trial).all()
    except TrialFailed as failed:
        trial.figures.clear()
        trial.failure = str(failed)
    return trial


class _Steps:
    def __init__(self, row: Row, slots: int, folder: Path, stack: ExitStack, trial: Trial) -> None:
        self._row, self._slots, self._folder, self._trial = row, slots, folder, trial
        self._stack = stack
        self._worker: Child | None = None
        self._next_task = 0

    def all(self) -> None:
        wanted = self._row.figures
        self._start()
        if "p9" in wanted or "p4" in wanted:
            self._cold_start()
            if "p9" in wanted:
                self._idle()
            if "p4" in wanted:
                self._round_trips()
            self._stop_worker()
        if "p2" in wanted:
            self._submit("bulk_per_s", "bulk", self._row.sizes.bulk)
        if "p3" in wanted:
            self._submit("serial_per_s", "serial", self._row.sizes.serial)
            self._submit("in_flight_per_s", "in_flight", self._row.sizes.in_flight, IN_FLIGHT)
        if {"p1", "p2", "p3"} & set(wanted):
            self._drain()
        if "p1" in wanted:
            self._end_to_end()
        self._driver.order("close")

    # --- steps

    def _start(self) -> None:
        work.new_table(self._folder / "runs", 4 * self._row.sizes.end_to_end + 200_000)
        self._store = self._stack.enter_context(started(self._row.store, self._folder))
        environment = self._environment(self._store)
        python = bin_of(self._row.peer) / "python"
        self._driver = Driver(python, self._row.module, self._row.client, environment, self._folder)
        self._stack.callback(self._driver.stop)
        self._stack.callback(self._stop_worker)
        if self._store.child is not None:
            self._driver.others.append(self._store.child)
        self._trial.versions = self._driver.order("open")["versions"]

    def _cold_start(self) -> None:
        self._driver.order("submit", way="serial", **self._tasks(1))
        began = time.perf_counter()
        self._start_worker()
        self._driver.order("stored")
        self._trial.figures["cold_start_s"] = time.perf_counter() - began
        self._check()

    def _idle(self) -> None:
        families = {"worker": self._worker, "store": self._store.child}
        present = {name: child for name, child in families.items() if child is not None}
        time.sleep(SETTLE_SECONDS)
        before = {name: child.running_seconds() for name, child in present.items()}
        time.sleep(IDLE_SECONDS)
        for name, child in present.items():
            spent = child.running_seconds() - before[name]
            self._trial.figures[f"{name}_idle_percent"] = spent / IDLE_SECONDS * 100
            self._trial.figures[f"{name}_rss_mb"] = child.rss_mb()
            self._trial.figures[f"{name}_pss_mb"] = child.pss_mb()
        if self._store.ready_seconds is not None:
            self._trial.figures["store_ready_s"] = self._store.ready_seconds

    def _round_trips(self) -> None:
        self._timed_trips(WARM_UP_TRIPS)
        took = sorted(self._timed_trips(self._row.sizes.round_trips))
        self._trial.figures["round_trip_p50_ms"] = took[len(took) // 2]
        self._trial.figures["round_trip_p99_ms"] = took[int(len(took) * 0.99)]

    def _submit(self, figure: str, way: str, count: int, flight: int = 1) -> None:
        seconds = self._driver.order("submit", way=way, flight=flight, **self._tasks(count))["seconds"]
        self._trial.figures[figure] = count / seconds

    def _drain(self) -> None:
        """What has gathered, or as much as fits, warms the worker up."""
        self._start_worker()
        self._driver.order("submit", way="bulk", **self._tasks(max(100, self._row.sizes.end_to_end // 20)))
        self._driver.order("stored")
        self._check()

    def _end_to_end(self) -> None:
        count = self._row.sizes.end_to_end
        before = self._cpu_seconds()
        first = self._tasks(WAKING + count)["first"]
        seconds = self._driver.order("end_to_end", first=first, count=count)["seconds"]
        spent = self._cpu_seconds() - before
        self._check()
        self._trial.figures["end_to_end_per_s"] = count / seconds
        self._trial.figures["cpu_us_per_task"] = spent / (WAKING + count) * 1e6

    # --- parts of steps

    def _tasks(self, count: int) -> dict[str, int]:
        first, self._next_task = self._next_task, self._next_task + count
        return {"first": first, "count": count}

    def _check(self) -> None:
        _must_be_exact(self._driver.order("check")["wrong"])

    def _timed_trips(self, count: int) -> Sequence[float]:
        answer = self._driver.order("round_trips", **self._tasks(count))
        _must_be_exact(answer["wrong"])
        return list(answer["milliseconds"])

    def _start_worker(self) -> None:
        program, *arguments = (part.format(slots=self._slots, url=self._store.url) for part in self._row.worker)
        command = [str(bin_of(self._row.peer) / program), *arguments]
        self._worker = Child("worker", command, self._environment(self._store), self._folder)
        self._driver.others.append(self._worker)

    def _stop_worker(self) -> None:
        if self._worker is not None:
            self._driver.others.remove(self._worker)
            self._worker.stop()
            self._worker = None

    def _environment(self, store: Started) -> dict[str, str]:
        return {
            **plain_environment(),
            **store.environment,
            "PYTHONPATH": str(ROOT),
            "BENCH_SLOTS": str(self._slots),
            "BENCH_METHOD": self._row.method,
            work.RUNS_VARIABLE: str(self._folder / "runs"),
        }

    def _cpu_seconds(self) -> float:
        return sum(child.cpu_seconds() for child in self._children())

    def _children(self) -> Iterator[Child]:
        yield self._driver
        yield from self._driver.others


def _must_be_exact(wrong: str) -> None:
    if wrong:
        raise TrialFailed(f"the delivery was not exact: {wrong}")
