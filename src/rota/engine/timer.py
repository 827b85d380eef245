"""One alarm for the earliest of many instants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LEAST_GAP = 0.005
"""Seconds between two rings, so that instants close together share one."""


class Timer:
    """Rings when the earliest instant it was told of has come. Instants are microseconds by the given `now`."""

    def __init__(self, now: Callable[[], int], ring: Callable[[], None]) -> None:
        self._now = now
        self._ring = ring
        self._at: int | None = None
        self._handle: asyncio.TimerHandle | None = None

    def by(self, instant: int) -> None:
        """Ring by then at the latest."""
        if self._at is not None and self._at <= instant:
            return
        self.cancel()
        self._at = instant
        wait = max((instant - self._now()) / 1e6, LEAST_GAP)
        self._handle = asyncio.get_running_loop().call_later(wait, self._due)

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._at = None

    def _due(self) -> None:
        self._handle = self._at = None
        self._ring()
