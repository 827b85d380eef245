"""Tests of an app's tasks, without a server: a real node in memory with a clock in hand, and a real worker.

    with app.testing() as rota:
        handle = add.options(delay=60).submit(1, 2)
        rota.advance(60)
        assert handle.result(timeout=5) == 3

Only `advance` moves the node's clock: delays, retries and expiry wait for it, and no test sleeps. What a handler raised is
raised again by `result()`, as TaskFailed. Run timeouts are the worker's, in real time.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from rota.client.sync import Client
from rota.face.embedded import Embedded, Tasks
from rota.house.local import LocalNode, local_node
from rota.life import keyring
from rota.life.clock import ManualClock, SystemClock
from rota.model.errors import WaitTimeout
from rota.model.task import State

LOOK_EVERY = 0.001
PATIENCE = 10.0
"""Real seconds for what is due to run."""


class Testing:
    """Made by `app.testing()`; a context manager, sync and async."""

    __test__ = False

    def __init__(self, app: Tasks) -> None:
        self._app = app
        self.clock = ManualClock(SystemClock().now())
        self._embedded = Embedded(app, lambda: local_node(clock=self.clock))
        self._before: Client | None = None
        self._lent = False

    @property
    def client(self) -> Client:
        """For what the app has no word for: `get`, `list`, `logs`, `cancel` …"""
        return self._embedded.client

    def __enter__(self) -> Testing:
        self._lend_a_key()
        self._before = self._app.use(self.client)
        self.client.call(self._ready)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._app.use(self._before)
        self.client.close()
        self._take_it_back()

    async def __aenter__(self) -> Testing:
        self._lend_a_key()
        self._before = self._app.use(self.client)
        await self.client.acall(self._ready)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._app.use(self._before)
        await asyncio.to_thread(self.client.close)
        self._take_it_back()

    def advance(self, seconds: float) -> None:
        """Moves the clock on, stopping at each instant at which something is due, and lets that run to its end.

        Raises WaitTimeout where a handler does not end within 10 real seconds.
        """
        self.client.call(lambda: self._advance(seconds))

    async def aadvance(self, seconds: float) -> None:
        """`advance` for async tests."""
        await self.client.acall(lambda: self._advance(seconds))

    def settle(self) -> None:
        """Lets everything run that can run now."""
        self.client.call(self._settle)

    async def asettle(self) -> None:
        """`settle` for async tests."""
        await self.client.acall(self._settle)

    # --- secrets

    def _lend_a_key(self) -> None:
        """Tests seal as programs do; where there is no key, with one that is forgotten afterwards."""
        self._lent = not keyring.has_own()
        if self._lent:
            keyring.use(keyring.read_keys(keyring.new_key("testing")))

    def _take_it_back(self) -> None:
        if self._lent:
            keyring.use(None)

    # --- in the client's loop

    async def _ready(self) -> None:
        await self._embedded.node()
        worker = self._embedded.worker
        while worker is not None and not worker.connected:  # noqa: ASYNC110  # a test's worker has no bell to ring here
            await asyncio.sleep(LOOK_EVERY)

    async def _advance(self, seconds: float) -> None:
        node = await self._embedded.node()
        until = self.clock.now() + round(seconds * 1_000_000)
        await self._settle()
        while (due := await node.store.next_due()) is not None and due <= until:
            self._move_to(node, due)
            await self._settle()
        self._move_to(node, until)
        await self._settle()

    def _move_to(self, node: LocalNode, instant: int) -> None:
        if instant > self.clock.now():
            self.clock.advance((instant - self.clock.now() + 0.5) / 1e6)  # a half: the clock cuts to whole microseconds
        node.engine.look_at_the_clock()  # its alarm measures real time, and this clock jumped

    async def _settle(self) -> None:
        node = await self._embedded.node()
        loop = asyncio.get_running_loop()
        patience = loop.time() + PATIENCE
        while (busy := await self._busy(node)) and loop.time() < patience:  # noqa: ASYNC110  # nor has "nothing is left to do"
            await asyncio.sleep(LOOK_EVERY)
        if busy:
            raise WaitTimeout(f"{busy} tasks have not ended within {PATIENCE:g} real seconds of what is due")

    async def _busy(self, node: LocalNode) -> int:
        """Tasks that run, are due, or wait for a worker that is here."""
        due = await node.store.next_due()
        late = 1 if due is not None and due <= self.clock.now() else 0
        running = (await node.store.counts()).get(State.RUNNING, 0)
        offered = {method.name for method, workers in await node.engine.methods() if workers}
        ready = sum(1 for lane in await node.store.ready_lanes() if lane.method in offered)
        return running + ready + late
