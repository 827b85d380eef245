"""How long things took, in buckets that grow: cheap to add to, and a percentile is right within a tenth."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, exp, log

_STEP = log(1.2)
_BUCKETS = 160
"""Up to 1.2 ** 159 microseconds: some months."""


class Latencies:
    """Durations in microseconds."""

    __slots__ = ("_buckets", "count")

    def __init__(self) -> None:
        self._buckets = [0] * _BUCKETS
        self.count = 0

    def add(self, duration: int) -> None:
        place = min(int(log(duration) / _STEP), _BUCKETS - 1) if duration > 1 else 0
        self._buckets[place] += 1
        self.count += 1

    def percentile(self, share: float) -> int:
        """The duration that `share` (0 … 1) of them do not exceed, within a tenth; 0 where there are none."""
        if not self.count:
            return 0
        wanted, seen = max(1, ceil(share * self.count)), 0
        for place, count in enumerate(self._buckets):
            seen += count
            if seen >= wanted:
                return round(exp((place + 0.5) * _STEP))
        return 0


@dataclass(slots=True)
class Window:
    """What happened between two looks. For big batches the latencies are of a sample."""

    submitted: int = 0
    finished: int = 0
    failed: int = 0
    rescued: int = 0
    waits: Latencies = field(default_factory=Latencies)
    """From ready to leased."""
    runs: Latencies = field(default_factory=Latencies)
    """From started to ended."""
