"""How late the event loop is. A loop that is late keeps everybody waiting, so each long hold is told in the log.

A beat is asked for every 50 ms; how much later than that it comes is the lag. One `call_later` a beat, nothing else.
"""

from __future__ import annotations

import asyncio
import logging

from rota.telemetry.histogram import Histogram

EVERY = 0.05
"""Seconds between two beats."""
TOO_LATE = 0.25
"""Seconds without a beat that are told in the log."""
TOLD_EVERY = 5.0
"""Seconds between two such lines, at least: a loop that is always late does not fill the log too."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_logger = logging.getLogger("rota.loop")


class LoopLag:
    """Watches the loop it is started in until it is stopped."""

    def __init__(self) -> None:
        self.seconds = Histogram(SECONDS)
        self._timer: asyncio.TimerHandle | None = None
        self._beat_at = 0.0
        self._told_at = -TOLD_EVERY
        self._untold = 0

    def start(self) -> None:
        """In the loop that is watched."""
        loop = asyncio.get_running_loop()
        self._beat_at = loop.time()
        self._timer = loop.call_later(EVERY, self._beat, loop)

    def stop(self) -> None:
        """May be called twice, or unstarted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        without = now - self._beat_at
        self.seconds.add(max(0.0, without - EVERY))
        if without > TOO_LATE:
            self._tell(now, without)
        self._beat_at = now
        self._timer = loop.call_later(EVERY, self._beat, loop)

    def _tell(self, now: float, seconds: float) -> None:
        if now - self._told_at < TOLD_EVERY:
            self._untold += 1
            return
        more = f" (and {self._untold} times more since the last such line)" if self._untold else ""
        _logger.warning("the event loop was held for %.0f ms: nobody was served meanwhile%s", seconds * 1e3, more)
        self._told_at, self._untold = now, 0
