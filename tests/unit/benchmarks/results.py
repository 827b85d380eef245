"""Results as a run makes them, in a line."""

from typing import Any

from benchmarks.measure.trial import Trial
from benchmarks.report.result import assembled
from benchmarks.rows import chosen

MACHINE = {
    "cpu": "A processor",
    "cores": 2,
    "kernel": "Linux 6",
    "python": "3.11.9",
    "sqlite": "3.40.1",
    "redis_server": "7.0.15",
    "git": "abc1234",
    "load": 0.1,
    "file_system": "ext2/ext3",
    "fdatasync_p50_ms": 0.2,
    "fdatasync_p99_ms": 1.5,
}


def result(**rates: list[float | str]) -> dict[str, Any]:
    """End to end figures of the repetitions, by the row's id with `_` for `-`; a word in place of a number is a failure."""
    rows = chosen(name.replace("_", "-") for name in rates)
    rows = [row for row in rows if row.id.replace("-", "_") in rates]
    trials = {row.id: [_trial(each) for each in rates[row.id.replace("-", "_")]] for row in rows}
    settings = {"slots": 8, "repetitions": 3, "quick": False}
    return assembled("2026-11-21T12:00:00+00:00", MACHINE, settings, rows, trials, {})


def _trial(given: float | str) -> Trial:
    return Trial(failure=given) if isinstance(given, str) else Trial({"end_to_end_per_s": given})
