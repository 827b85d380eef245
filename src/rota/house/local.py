"""A node inside this process, reached without a network: for `embedded:` and for tests."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from rota.access.policy import Policy
from rota.client.connection import Dial
from rota.contract.store import Store
from rota.engine.settings import EngineSettings
from rota.house.parts import Parts, choose_store, node_id_in
from rota.life.clock import Clock
from rota.model.version import VERSION
from rota.transport.lobby import NodeFacts
from rota.transport.local import LocalDoor


class LocalNode:
    """Lives in the running loop. `dial` connects clients and workers of the same loop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.engine = parts.engine
        self.store = parts.store
        self.dial: Dial = LocalDoor(parts.lobby.open).dial

    async def start(self) -> None:
        """Raises RefusesToStart where another process holds the data folder."""
        await self._parts.open()

    async def stop(self) -> None:
        """May be called twice."""
        await self._parts.close()


def local_node(
    store: Store | None = None,
    clock: Clock | None = None,
    data: Path | None = None,
    settings: EngineSettings | None = None,
    chance: Callable[[], float] = random.random,
) -> LocalNode:
    """A node over a given store; else on SQLite in the folder `data`; else in memory."""
    if store is None and data is not None:
        data.mkdir(parents=True, exist_ok=True)
        store = choose_store(f"sqlite:///{data.absolute() / 'rota.db'}", clock=clock)
    store = store or choose_store("memory:", clock=clock)
    settings = settings or EngineSettings()
    facts = NodeFacts(
        node_id_in(data, None),
        VERSION,
        "embedded",
        "sqlite" if data else "memory",
        "full" if data else "none",
        str(data or ""),
    )
    return LocalNode(Parts(store, settings=settings, policy=Policy(open_mode=True), facts=facts, chance=chance))
