"""A bell between threads: many rings before the answer are one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable


class Bell:
    """`ring` may be called from any thread; `answer` is then called once in the loop."""

    __slots__ = ("_answer", "_loop", "_rung")

    def __init__(self, loop: asyncio.AbstractEventLoop, answer: Callable[[], None]) -> None:
        self._loop = loop
        self._answer = answer
        self._rung = False

    def ring(self) -> None:
        if not self._rung:
            self._rung = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there to answer
                self._loop.call_soon_threadsafe(self._answered)

    def _answered(self) -> None:
        # Silent again before the answer looks, so that what comes while it looks rings anew.
        self._rung = False
        self._answer()
