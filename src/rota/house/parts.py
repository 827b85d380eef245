"""The parts of a node, put together: store, index, journal, engine, lobby."""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rota.access.policy import Policy
from rota.contract.store import Store
from rota.coordination.local import LocalIndex
from rota.engine.engine import Engine
from rota.engine.settings import EngineSettings
from rota.house.sampling import Sampler
from rota.life.clock import Clock, SystemClock
from rota.link.node_end import HELLO_WITHIN, Terms
from rota.model.errors import InvalidInput
from rota.model.lifecycle import Retention
from rota.observe.events import Events
from rota.observe.logs import DEFAULT_QUOTA, LogBook
from rota.observe.series import Series
from rota.transport.hall import Books
from rota.transport.lobby import Lobby, NodeFacts

HEARTBEAT = 10.0
NODE_DEFAULTS = Retention()


def choose_store(
    url: str, durability: str = "full", clock: Clock | None = None, keep: Retention = NODE_DEFAULTS
) -> Store:
    """The driver that a URL names, imported only then. `keep`: how long tasks stay that the store itself ends.

    Raises InvalidInput (`bad_store`).
    """
    if url == "memory:":
        from rota.storage.memory import MemoryStore

        return MemoryStore(clock or SystemClock(), keep)
    if url.startswith("sqlite:///"):
        from rota.storage.sqlite import SqliteStore

        path = Path(unquote(urlsplit(url).path[1:]))
        return SqliteStore(path, durability=durability, clock=clock or SystemClock(), keep=keep)
    raise InvalidInput.at("store", "bad_store", f"{url!r} is no store: write sqlite:///PATH, or memory:")


class Parts:
    """A node without doors. `open` and `close` go through the parts in order; `close` may be called twice.

    `heartbeat`, `hello_within`: seconds; what the node tells in its Welcome follows from the settings.
    """

    def __init__(
        self,
        store: Store,
        *,
        settings: EngineSettings,
        policy: Policy,
        facts: NodeFacts,
        heartbeat: float = HEARTBEAT,
        hello_within: float = HELLO_WITHIN,
        log_quota: int = DEFAULT_QUOTA,
        books: Books | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.store = store
        self._index = LocalIndex(store)
        self._journal = LogBook(store, log_quota)
        self.events = Events(store.now, lambda number: self.engine.worker_name(number))
        self.engine = Engine(store, self._index, self._journal, settings, chance, herald=self.events)
        self._series = Series(store, Sampler(self.engine).sample, self.events.stats)
        terms = Terms(
            facts.node_id,
            facts.version,
            heartbeat=heartbeat,
            max_batch=settings.max_batch,
            max_payload=settings.max_payload,
            lease_ttl=settings.lease_ttl,
            closed_lease_ttl=settings.closed_lease_ttl,
            hello_within=hello_within,
        )
        self.books = replace(books or Books.of(store), series=self._series.read)
        self.lobby = Lobby(self.engine, policy, terms, facts, self.books, self.events)
        self._exits = contextlib.AsyncExitStack()

    async def open(self) -> None:
        """Raises RefusesToStart where the store cannot be had; what was opened is closed again then."""
        async with contextlib.AsyncExitStack() as exits:
            exits.push_async_callback(self.store.close)
            await self.store.open()
            await self.books.tokens.load()
            exits.push_async_callback(self.books.tokens.stop)
            exits.push_async_callback(self.books.audit.stop)
            await self._index.open()
            exits.push_async_callback(self._journal.stop)
            exits.push_async_callback(self.engine.stop)
            await self.engine.start()
            exits.push_async_callback(self._series.stop)
            await self._series.start()
            exits.push_async_callback(self.lobby.leave)
            exits.callback(self.events.close)
            self._exits = exits.pop_all()

    async def close(self) -> None:
        """The links first, then the engine, the journal, and last the store."""
        await self._exits.aclose()


def node_id_in(data: Path | None, said: str | None) -> str:
    """The node's id: as said, else kept in its data folder, else made for this process."""
    if said is not None:
        return said
    if data is None:
        return _new_id()
    file = data / "node-id"
    try:
        return file.read_text("utf-8").strip()
    except FileNotFoundError:
        made = _new_id()
        file.write_text(made + "\n", "utf-8")
        return made


def _new_id() -> str:
    return f"node-{uuid.uuid4().hex[:12]}"
