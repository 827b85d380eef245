"""A duty that must not die: its beat is run again after whatever went wrong, and what went wrong is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine

from rota.model.errors import RotaError

AFTER_A_FAULT = 1.0
_logger = logging.getLogger("rota.duty")


async def keep(name: str, beat: Callable[[], Awaitable[None]]) -> None:
    """Runs `beat` over and over until cancelled. A fault is logged, and the next beat comes after a second."""
    while True:
        try:
            await beat()
        except RotaError as error:
            _logger.warning("%s: %s; tried again", name, error.detail)
            await asyncio.sleep(AFTER_A_FAULT)
        except Exception:
            _logger.exception("%s failed; tried again", name)
            await asyncio.sleep(AFTER_A_FAULT)


class Errands:
    """Work beside the caller that ends by itself; its owner waits for it at the stop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[None, None, None]) -> None:
        """A store that is away is no fault of the errand; anything else is logged."""
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def done(self) -> None:
        """Returns when all have ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except RotaError as error:
            _logger.info("%s: %s", self._name, error.detail)
        except Exception:
            _logger.exception("%s failed", self._name)
