"""A run as one JSON value: the machine, the settings, and each row with its trials and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.measure.trial import Trial
from benchmarks.report.arithmetic import figures
from benchmarks.rows import Row

SCHEMA = 1


def assembled(
    started: str,
    machine: Mapping[str, Any],
    settings: Mapping[str, Any],
    rows: Sequence[Row],
    trials: Mapping[str, Sequence[Trial]],
    skipped: Mapping[str, str],
) -> dict[str, Any]:
    """`skipped`: why rows were left out, by their id."""
    return {
        "schema": SCHEMA,
        "started": started,
        "machine": dict(machine),
        "settings": dict(settings),
        "rows": [_row(row, trials[row.id]) for row in rows],
        "skipped": dict(skipped),
    }


def _row(row: Row, trials: Sequence[Trial]) -> dict[str, Any]:
    """One failed repetition takes all figures from the row."""
    failure = next((trial.failure for trial in trials if trial.failure), "")
    found = {} if failure else figures([trial.figures for trial in trials])
    return {
        "id": row.id,
        "peer": row.peer,
        "label": row.label,
        "durability": row.durability.words,
        "durable": row.durability.before_answer,
        "sizes": asdict(row.sizes),
        "versions": next((trial.versions for trial in trials if trial.versions), {}),
        "failure": failure,
        "figures": {name: asdict(each) for name, each in found.items()},
        "trials": [trial.figures for trial in trials],
    }
