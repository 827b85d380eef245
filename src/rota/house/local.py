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
from rota.link.node_end import Terms
from rota.model.version import VERSION
from rota.observe.logs import DEFAULT_QUOTA
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
    node_id = node_id_in(data, None)
    facts = NodeFacts(
        node_id, VERSION, "embedded", "sqlite" if data else "memory", "full" if data else "none", str(data or "")
    )
    terms = Terms(
        node_id,
        VERSION,
        max_batch=settings.max_batch,
        max_payload=settings.max_payload,
        lease_ttl=settings.lease_ttl,
        closed_lease_ttl=settings.closed_lease_ttl,
    )
    return LocalNode(
        Parts(
            store,
            settings=settings,
            policy=Policy(open_mode=True),
            terms=terms,
            facts=facts,
            log_quota=DEFAULT_QUOTA,
            chance=chance,
        )
    )
