"""Medians, spreads and ratios."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Result = Mapping[str, Any]
"""A whole run, as its JSON file has it."""


@dataclass(frozen=True)
class Spread:
    """The median of the repetitions, the least and the greatest."""

    median: float
    least: float
    greatest: float


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def figures(trials: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """By name; only those that every trial has."""
    shared = [name for name in trials[0] if all(name in trial for trial in trials)] if trials else []
    return {name: spread([trial[name] for trial in trials]) for name in shared}


def row_of(result: Result, row: str) -> Mapping[str, Any] | None:
    return next((each for each in result["rows"] if each["id"] == row), None)


def median(row: Mapping[str, Any] | None, figure: str) -> float | None:
    """None where the row was not run, has no such figure, or failed."""
    found = row["figures"].get(figure) if row is not None else None
    return float(found["median"]) if found else None


def best_durable_peer(result: Result) -> Mapping[str, Any] | None:
    """The peer's row of the highest end-to-end figure among those on disk, by fsync, before the answer."""
    durable = [
        row
        for row in result["rows"]
        if row["peer"] != "rota" and row["durable"] and median(row, "end_to_end_per_s") is not None
    ]
    return max(durable, key=lambda row: median(row, "end_to_end_per_s") or 0.0, default=None)


def ratio(row: Mapping[str, Any], other: Mapping[str, Any], figure: str) -> Spread | None:
    """How many times `other`'s median the row's is; the ends are of the repetitions, pair by pair."""
    ours, theirs = median(row, figure), median(other, figure)
    if ours is None or not theirs:
        return None
    pairs = zip(row["trials"], other["trials"], strict=False)
    single = [mine[figure] / peers[figure] for mine, peers in pairs if peers.get(figure)]
    of_medians = ours / theirs
    return Spread(of_medians, min([of_medians, *single]), max([of_medians, *single]))
