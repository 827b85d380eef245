"""Waiting for the end of one task, in the place of an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from rota.access.grant import Grant
from rota.model.task import Task
from rota.transport.asgi import Receive
from rota.transport.hall import Hall
from rota.transport.http.task_views import Outcome, outcome
from rota.transport.verbs import Verbs

PATIENCE = 1.0
"""Seconds after which a wait is a long one: it is looked whether the caller is still there, and the hall knows of it."""


class OneEnd:
    """Implements `contract.door.WaiterDoor` for one task. The outcome is written at once: records go on changing.

    A long wait is a guest of the hall (`hall.Guest`), which ends it when the node stops or the caller's token holds no longer.
    """

    is_client = False

    def __init__(self) -> None:
        self.grant: Grant | None = None
        self.under_way: set[asyncio.Task[None]] = set()
        self._outcome: Outcome | None = None
        self._loop = asyncio.get_running_loop()
        self._bell = self._loop.create_future()

    def ended(self, tasks: Sequence[Task]) -> None:
        self._outcome = outcome(tasks[0])
        self._ring()

    async def within(self, seconds: float, verbs: Verbs, receive: Receive, hall: Hall) -> Outcome | None:
        """None: not yet, or the caller has gone, or the node goes. Waits no more afterwards."""
        try:
            if self._outcome is None and seconds > 0:
                await self._rung(min(seconds, PATIENCE))
            if self._outcome is None and seconds > PATIENCE:
                self._bell = self._loop.create_future()
                self.grant = verbs.grant
                hall.enter(self)
                try:
                    await self._with_an_ear_for_the_caller(seconds - PATIENCE, receive)
                finally:
                    hall.left(self)
            return self._outcome
        finally:
            verbs.unwait(self)

    async def _rung(self, seconds: float) -> None:
        timer = self._loop.call_later(seconds, self._ring)
        try:
            await self._bell
        finally:
            timer.cancel()

    async def _with_an_ear_for_the_caller(self, seconds: float, receive: Receive) -> None:
        gone = asyncio.ensure_future(_goes(receive))
        gone.add_done_callback(lambda _: self._ring())
        try:
            await self._rung(seconds)
        finally:
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone

    def _ring(self) -> None:
        if not self._bell.done():
            self._bell.set_result(None)

    # --- the hall calls

    def tick(self) -> None:
        """It has no signs of life to give."""

    def wind_down(self) -> None:
        self._ring()

    def close(self, code: int, reason: str) -> None:
        self._ring()


async def _goes(receive: Receive) -> None:
    """Returns when the caller has gone. What it still sends is not looked at."""
    while (await receive())["type"] != "http.disconnect":
        pass
