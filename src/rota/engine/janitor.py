"""Removes what is past its time, in small chunks, so that nobody waits long behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rota.contract.store import Store
from rota.engine.settings import EngineSettings
from rota.life.duty import keep

CHUNK = 500
EVERY = 60.0
"""Seconds between two rounds; chance takes up to a fifth off, so that nodes do not go round together."""
BREATH = 0.02
"""Seconds between two chunks."""


class Janitor:
    """One per node."""

    def __init__(self, store: Store, settings: EngineSettings, chance: Callable[[], float]) -> None:
        self._store = store
        self._settings = settings
        self._chance = chance

    async def run(self) -> None:
        """Until cancelled."""
        await keep("the janitor", self._beat)

    async def _beat(self) -> None:
        await asyncio.sleep(EVERY * (1 - 0.2 * self._chance()))
        await self.round()

    async def round(self) -> int:
        """Everything that is due now; answers how many tasks went."""
        gone = 0
        while True:
            removed = await self._store.purge(CHUNK, self._settings.keep_succeeded, self._settings.keep_audit)
            gone += removed
            if removed < CHUNK:
                return gone
            await asyncio.sleep(BREATH)
