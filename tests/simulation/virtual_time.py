"""An event loop whose clock jumps: where nothing is left to do, the next timer is due at once.

Threads may be at work for somebody (a store's). While `busy` says so the loop really waits for them, and time stands still.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

START = 1_767_225_600_000_000
LONGEST = 20.0
"""Real seconds that threads may take over what they were asked."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """`seconds` is the time since its start."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.busy: Callable[[], bool] = bool
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.seconds


class VirtualClock:
    """A store's clock that follows the loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> int:
        return START + round(self._loop.seconds * 1e6)

    def monotonic(self) -> float:
        return self._loop.seconds


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events: list[Any] = super().select(0)
        if events or timeout == 0:
            return events
        if self._loop.busy() or timeout is None:
            events = super().select(LONGEST)
            assert events, "nothing will ever happen again: something waits for what nobody does"
            return events
        self._loop.seconds += timeout
        return []
