"""A whole trial of Rota's own row, small: the machinery works where no peer is installed."""

from dataclasses import replace
from pathlib import Path

import psutil

from benchmarks.measure import trial
from benchmarks.rows import Sizes, chosen

SMALL = Sizes(end_to_end=300, bulk=200, serial=20, in_flight=80, round_trips=20)


def family() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_a_trial_gives_every_figure_and_leaves_no_process(tmp_path: Path) -> None:
    before = family()
    found = trial.run(replace(chosen(["rota"])[0], sizes=SMALL), 4, tmp_path)
    assert found.failure == ""
    assert set(found.figures) == {
        *("cold_start_s", "worker_rss_mb", "worker_pss_mb", "worker_idle_percent", "store_rss_mb", "store_pss_mb"),
        *("store_idle_percent", "store_ready_s", "round_trip_p50_ms", "round_trip_p99_ms", "bulk_per_s"),
        *("serial_per_s", "in_flight_per_s", "end_to_end_per_s", "cpu_us_per_task"),
    }
    assert all(value >= 0 for value in found.figures.values())
    assert found.versions["rota"]
    assert family() <= before


def test_a_worker_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    row = replace(chosen(["rota"])[0], sizes=SMALL, worker=("rota", "worker", "no_such_module:app"))
    found = trial.run(row, 4, tmp_path)
    assert found.failure.startswith("worker ended with exit code")
    assert "no_such_module" in found.failure
    assert found.figures == {}
