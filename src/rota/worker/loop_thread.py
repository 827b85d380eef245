"""An event loop on a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from rota.life.loop import new_loop

T = TypeVar("T")
PATIENCE = 2.0


def wind_up(loop: asyncio.AbstractEventLoop) -> None:
    """Cancels what is left in a stopped loop and closes it; does not wait for what will not be cancelled."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    with contextlib.suppress(RuntimeError):
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=PATIENCE))
        loop.run_until_complete(asyncio.wait_for(loop.shutdown_asyncgens(), PATIENCE))
    loop.close()


class LoopEnded(Exception):
    """The loop ended before the call did."""


class LoopThread:
    """Begins at once. A daemon: it does not keep the process."""

    def __init__(self, name: str) -> None:
        self.loop = new_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs it in the loop, and waits for its outcome. Not from the loop's own thread. Raises LoopEnded."""
        try:
            outcome = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        except RuntimeError as error:
            coroutine.close()
            raise LoopEnded from error
        try:
            return outcome.result()
        except CancelledError as error:
            raise LoopEnded from error

    def close(self) -> None:
        """Ends the loop and its thread, if it can be ended. May be called twice."""
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(PATIENCE * 2)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            wind_up(self.loop)
            asyncio.set_event_loop(None)
