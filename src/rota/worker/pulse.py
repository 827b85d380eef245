"""Whether the handlers' loop still turns. An `async def` that blocks it stops all the others, and cannot be stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
from types import FrameType

BLOCKED_AFTER = 1.0
"""Seconds without a turn after which it is told."""
_logger = logging.getLogger("rota.worker")


class Pulse:
    """`feel` is called about once a second, in the link's loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, handler_loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._handler_loop = loop, handler_loop
        self._thread: int | None = None
        self._asked: float | None = None
        self._told = False

    def feel(self) -> None:
        now = self._loop.time()
        if self._asked is None:
            self._asked, self._told = now, False
            with contextlib.suppress(RuntimeError):
                self._handler_loop.call_soon_threadsafe(self._beat)
        elif now - self._asked >= BLOCKED_AFTER and not self._told:
            self._told = True
            _logger.warning(
                "an async handler has blocked its loop for %.0f s, at %s; use await, or a plain def for blocking work",
                now - self._asked,
                self._place(),
            )

    def _beat(self) -> None:
        self._thread, self._asked = threading.get_ident(), None

    def _place(self) -> str:
        frame: FrameType | None = sys._current_frames().get(self._thread or 0)
        if frame is None:
            return "an unknown place"
        return f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
