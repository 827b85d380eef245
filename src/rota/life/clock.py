"""Time as an argument: everything that asks what time it is asks a Clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for instants, monotonic time for durations."""

    def now(self) -> int:
        """Microseconds since the epoch. Never goes back."""
        ...

    def monotonic(self) -> float:
        """Seconds, for measuring durations."""
        ...


class SystemClock:
    """Wall time as it was at the start, carried on by the monotonic clock: a jump of the wall clock does not reach it."""

    def __init__(self, base: int | None = None) -> None:
        """`base`: what another process's clock says beyond its monotonic one, to tell the same time as that."""
        self._base = base if base is not None else time.time_ns() // 1000 - time.monotonic_ns() // 1000

    def now(self) -> int:
        return self._base + time.monotonic_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()


def base_of(clock: Clock) -> int:
    """What another process on this machine needs to tell the same time, from now on."""
    return clock.now() - time.monotonic_ns() // 1000


class ManualClock:
    """A clock in the hand of a test. Only `advance` moves it."""

    def __init__(self, now: int = 1_767_225_600_000_000) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._now / 1e6

    def advance(self, seconds: float) -> None:
        self._now += int(seconds * 1e6)
