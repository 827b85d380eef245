"""Waiting until nothing is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Quiet:
    """`look` whenever something ended; those who wait then look again."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stirred: asyncio.Future[None] | None = None

    def look(self) -> None:
        if self._stirred is not None and not self._stirred.done():
            self._stirred.set_result(None)

    async def within(self, seconds: float, busy: Callable[[], bool]) -> bool:
        """Whether it was no longer `busy` within so long."""
        until = self._loop.time() + seconds
        while busy():
            left = until - self._loop.time()
            if left <= 0:
                return False
            if self._stirred is None or self._stirred.done():
                self._stirred = self._loop.create_future()
            await asyncio.wait((self._stirred,), timeout=left)
        return True
