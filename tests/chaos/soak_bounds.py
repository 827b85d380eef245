"""Judges the samples of a soak: what must not grow does not grow. Pure functions."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

WAL_MB = 66.0
"""It is cut at 64 MiB, by the commit that finds it longer."""
DESCRIPTORS = 5
CACHES_MB, WARM_MINUTES = 24.0, 8.0
MOST_POINTS = 400
STALLED_MS = 1_000.0
"""A window whose submits took longer than this (p99) counts as stalled: the machine was elsewhere."""
PARTS, LEAST_POINTS = 5, 30


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the house. `at`: seconds since the load began."""

    at: float
    node_mb: float
    descriptors: int
    threads: int
    cpu_s: float
    wal_mb: float
    db_mb: float
    queued: int
    """Tasks that have not ended."""
    kept: int
    """Tasks that the store has."""
    workers: int
    generator_mb: float


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Theil and Sen: the median of the slopes between all pairs. A few wild points do not move it."""
    if len(points) > MOST_POINTS:
        points = points[:: len(points) // MOST_POINTS + 1]
    slopes = [(b - a) / (t - s) for (s, a), (t, b) in itertools.combinations(points, 2) if t > s]
    return statistics.median(slopes) if slopes else 0.0


def allowed_mb_per_hour(minutes: float) -> float:
    """1 MB an hour for an hour and longer. A shorter run says it less exactly; and where its last two thirds begin before
    the caches of the store are full, they may still fill."""
    filling = CACHES_MB if minutes / 3 < WARM_MINUTES else 0.0
    return max(1.0, (60.0 / minutes) ** 1.5) + filling / (minutes / 60 * 2 / 3)


def later(samples: Sequence[Sample], share: float = 2 / 3) -> list[Sample]:
    """The last part of the run."""
    end = samples[-1].at
    return [sample for sample in samples if sample.at >= end * (1 - share)]


def growth(samples: Sequence[Sample], name: str) -> float:
    """MB an hour, over the last two thirds.

    What leaks does so all the time; a burst that was met once leaves a step. So a long run is also looked at in parts, and a
    slope that most parts do not have is none.
    """
    points = [(sample.at / 3600, getattr(sample, name)) for sample in later(samples)]
    whole, size = slope(points), len(points) // PARTS
    if size < LEAST_POINTS:
        return whole
    return min(whole, statistics.median(slope(part) for part in _parts(points)))


def levels(samples: Sequence[Sample], name: str) -> list[float]:
    """The median of each part of the last two thirds."""
    parts = _parts([getattr(sample, name) for sample in later(samples)])
    return [round(statistics.median(part), 1) for part in parts if part]


def _parts(points: Sequence[T]) -> list[Sequence[T]]:
    size = len(points) // PARTS
    return [points[start : start + size] for start in range(0, size * PARTS, max(1, size))]


def faults(samples: Sequence[Sample], minutes: float, queued_at_the_end: int) -> list[str]:
    """What grew, in words; empty for a run in which nothing did."""
    if len(samples) < 3:
        return [f"only {len(samples)} samples: nothing can be said of growth"]
    found: list[str] = []
    limit = allowed_mb_per_hour(minutes)
    for who in ("node", "generator"):
        grew = growth(samples, f"{who}_mb")
        if grew > limit:
            found.append(f"the {who}'s memory grew by {grew:.2f} MB an hour; {limit:.2f} is allowed")
    found += _descriptor_faults(later(samples))
    highest = max(sample.wal_mb for sample in samples)
    if highest > WAL_MB:
        found.append(f"the log before the store was {highest:.1f} MiB; {WAL_MB:.0f} are allowed")
    if queued_at_the_end:
        found.append(f"{queued_at_the_end} tasks had not ended when all had time to")
    return found


def _descriptor_faults(samples: Sequence[Sample]) -> list[str]:
    """A worker that comes or goes takes its descriptor with it; what is left is the node's own."""
    counts = [sample.descriptors - sample.workers for sample in samples]
    third = max(1, len(counts) // 3)
    before, after = statistics.median(counts[:third]), statistics.median(counts[-third:])
    if abs(after - before) <= DESCRIPTORS:
        return []
    return [f"the node's own descriptors went from {before:.0f} to {after:.0f}; {DESCRIPTORS} are allowed"]
