"""All repetitions of all rows, interleaved: the first of each row, then the second of each. A slow minute thus hits all."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measure import trial
from benchmarks.measure.environments import PLACE
from benchmarks.measure.trial import Trial
from benchmarks.rows import Row


def interleaved(
    rows: Sequence[Row], repetitions: int, slots: int, place: Path, tell: Callable[[str], None]
) -> dict[str, list[Trial]]:
    """The trials of each row, by its id."""
    trials: dict[str, list[Trial]] = {row.id: [] for row in rows}
    number, total, began = 0, repetitions * len(rows), time.monotonic()
    for repetition in range(repetitions):
        for row in rows:
            number += 1
            started = time.monotonic()
            trials[row.id].append(_one(row, slots, place))
            now = time.monotonic()
            left = (now - began) / number * (total - number)
            tell(
                f"[{number:>2}/{total}] rep {repetition + 1} {row.id:18} {_said(trials[row.id][-1]):44} "
                f"{now - started:4.0f} s, {left / 60:4.1f} min left"
            )
    return trials


def _one(row: Row, slots: int, place: Path) -> Trial:
    folder = Path(tempfile.mkdtemp(prefix=f"{row.id}-", dir=place))
    try:
        made = trial.run(row, slots, folder)
        if made.failure:
            _keep_logs(row, folder)
        return made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _keep_logs(row: Row, folder: Path) -> None:
    """What the processes of a failed trial said stays in .bench/failed."""
    kept = PLACE / "failed" / row.id
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, kept)


def _said(trial: Trial) -> str:
    if trial.failure:
        return f"NO FIGURES: {trial.failure}"
    found = trial.figures
    parts = []
    if "end_to_end_per_s" in found:
        parts.append(f"{found['end_to_end_per_s']:,.0f}/s, {found['cpu_us_per_task']:,.0f} µs CPU a task")
    if "round_trip_p50_ms" in found:
        parts.append(f"{found['round_trip_p50_ms']:.1f} ms")
    if not parts and "bulk_per_s" in found:
        parts.append(f"bulk {found['bulk_per_s']:,.0f}/s")
    return ", ".join(parts) or "done"
