"""After a write that may have landed though it was not answered: what it would have told is found out from the store.

A task may be ready that the index never heard of, one may have ended that somebody waits for, and a lease may have begun
that no alarm was set for. Such a write is rare (the disk fails in the very moment of a commit, or a caller is cancelled
within the engine), so everything is looked at anew, a moment later, when the write has landed or never will.
"""

from __future__ import annotations

import asyncio

from rota.contract.coordination import ReadyIndex
from rota.contract.store import Store
from rota.engine.caretaker import Caretaker
from rota.engine.dispatch import Dispatch
from rota.engine.waiters import Waiters
from rota.life.duty import Errands
from rota.model.errors import RotaError
from rota.model.task import State

AFTER = 1.0
"""Seconds; as many again while the store is away."""
PAGE = 500


class Recovery:
    """One per engine."""

    def __init__(
        self, store: Store, index: ReadyIndex, waiters: Waiters, caretaker: Caretaker, dispatch: Dispatch
    ) -> None:
        self._store = store
        self._index = index
        self._waiters = waiters
        self._caretaker = caretaker
        self._dispatch = dispatch
        self._errands = Errands("the recovery")
        self._soon: asyncio.TimerHandle | None = None
        self._stopped = False

    def due(self) -> None:
        """Some write may have landed unheard: everything is looked at soon."""
        if self._soon is None and not self._stopped:
            self._soon = asyncio.get_running_loop().call_later(AFTER, self._look)

    async def stop(self) -> None:
        self._stopped = True
        if self._soon is not None:
            self._soon.cancel()
        await self._errands.done()

    def _look(self) -> None:
        self._soon = None
        self._errands.run(self._recover())

    async def _recover(self) -> None:
        try:
            await self._index.relearn()
            await self._tell_who_waits()
        except RotaError:
            self.due()
            raise
        finally:
            self._caretaker.look()
            self._dispatch.kick()

    async def _tell_who_waits(self) -> None:
        ids = self._waiters.waited_for()
        for start in range(0, len(ids), PAGE):
            states = await self._store.states(ids[start : start + PAGE])
            ended = [task_id for task_id, state in states.items() if state >= State.SUCCEEDED]
            if ended:
                self._waiters.tell((await self._store.get(ended)).values())
