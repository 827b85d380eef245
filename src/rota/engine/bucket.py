"""Starts at a rate: tokens that come back evenly, up to a burst."""

from __future__ import annotations

from rota.model.control import Rate


class Bucket:
    """Full at first. Whole numbers only, so that nothing is lost to rounding: a token is worth one period."""

    __slots__ = ("_at", "_level", "rate")

    def __init__(self, rate: Rate, now: int) -> None:
        self.rate = rate
        self._level = rate.count * rate.period
        self._at = now

    def room(self, now: int) -> int:
        """How many may start now."""
        self._fill(now)
        return self._level // self.rate.period

    def next_at(self, now: int) -> int:
        """The instant at which one may start: now, or later."""
        self._fill(now)
        lacking = self.rate.period - self._level
        return now if lacking <= 0 else self._at - (-lacking // self.rate.count)

    def take(self, count: int) -> None:
        """So many start, as `room` has said that they may; below zero: so many did not start after all."""
        self._level = min(self._level - count * self.rate.period, self.rate.count * self.rate.period)

    def full(self, now: int) -> bool:
        self._fill(now)
        return self._level >= self.rate.count * self.rate.period

    def _fill(self, now: int) -> None:
        if now > self._at:
            self._level = min(self._level + (now - self._at) * self.rate.count, self.rate.count * self.rate.period)
            self._at = now
