"""How often something took how long: counts by upper bounds, cheap enough for every commit and every request."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence


class Histogram:
    """Added to by one thread; another may read meanwhile, and is then behind by one at most. `bounds` rise."""

    __slots__ = ("_counts", "bounds", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self._counts = [0.0] * (len(self.bounds) + 1)
        self.total = 0.0
        """The sum of all that was added."""

    def __len__(self) -> int:
        """How many were added."""
        return round(sum(self._counts))

    def add(self, value: float, weight: float = 1.0) -> None:
        """One more, or one that stands for `weight` of them; a value that is a bound counts below it."""
        self._counts[bisect_left(self.bounds, value)] += weight
        self.total += value * weight

    def buckets(self) -> Iterator[tuple[str, float]]:
        """(upper bound, how many are not above it), as Prometheus has it; the last bound is `+Inf`."""
        below = 0.0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self._counts, strict=True):
            below += count
            yield bound, below
