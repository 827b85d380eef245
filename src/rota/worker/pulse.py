"""Whether the loops still turn.

An `async def` that blocks the handlers' loop stops all the others there, and cannot be stopped. A handler that holds the
interpreter, in a call into C that never lets go of it, stops the link's loop as well, heartbeats with it: that can be told
only afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Protocol

BLOCKED_AFTER = 1.0
"""Seconds without a turn after which it is told."""
HELD_AFTER = 1.5
"""Seconds that the link's own loop may be late before it is told."""
_logger = logging.getLogger("rota.worker")


class Suspect(Protocol):
    """A run of a handler in this process."""

    @property
    def method(self) -> str: ...
    @property
    def place(self) -> str: ...


class Pulse:
    """`feel` is called once a second or more often, in the link's loop. `suspects(seconds)` gives what has been running
    for so long."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handler_loop: asyncio.AbstractEventLoop,
        suspects: Callable[[float], Sequence[Suspect]],
    ) -> None:
        self._loop, self._handler_loop, self._suspects = loop, handler_loop, suspects
        self._felt: float | None = None
        self._thread: int | None = None
        self._asked: float | None = None
        self._told = False

    def feel(self) -> None:
        now = self._loop.time()
        self._feel_own(now)
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

    def rest(self) -> None:
        """There will be no `feel` for a while."""
        self._felt = None

    def _feel_own(self, now: float) -> None:
        late = now - self._felt - 1.0 if self._felt is not None else 0.0
        self._felt = now
        if late > HELD_AFTER and (suspects := self._suspects(late)):
            _logger.warning(
                "for %.1f s no other code of this process could run, heartbeats included. Running then: %s. A handler that "
                "holds the interpreter for so long belongs into a process: isolation='process'",
                late,
                ", ".join(f"{each.method} ({each.place})" for each in suspects[:4]),
            )

    def _beat(self) -> None:
        self._thread, self._asked = threading.get_ident(), None

    def _place(self) -> str:
        frame: FrameType | None = sys._current_frames().get(self._thread or 0)
        if frame is None:
            return "an unknown place"
        return f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
