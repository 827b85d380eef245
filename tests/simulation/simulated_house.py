"""A node, its workers and its clients, in one virtual time; nodes come and go, the store stays."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

from history_rules import Rules
from simulated_worker import SimulatedWorker
from virtual_time import VirtualClock, VirtualLoop
from watched_store import Handle, WatchedStore

from rota.coordination.local import LocalIndex
from rota.engine.engine import Engine
from rota.engine.settings import EngineSettings
from rota.model.control import Control, Scope
from rota.model.errors import RotaError
from rota.model.method import Method
from rota.model.retry import SECOND
from rota.model.submission import Submission
from rota.model.task import State, Task
from rota.model.worker import Facts
from rota.observe.logs import LogBook
from rota.storage.memory import MemoryStore
from rota.storage.sqlite import SqliteStore

SETTINGS = EngineSettings(lease_ttl=30 * SECOND, closed_lease_ttl=5 * SECOND, prefetch=3)
RECOVERY = 3.0
"""Seconds after a fault of the store in which things may stand still."""
BREATH = 0.02
"""Seconds that pass at every rest, so that what is due now is done."""


class House:
    def __init__(self, loop: VirtualLoop, folder: Path | None, chance: Random) -> None:
        self.chance = chance
        clock = VirtualClock(loop)
        truth = MemoryStore(clock)
        disk = SqliteStore(folder / "rota.db", clock=clock) if folder is not None else None
        self.rules = Rules(truth)
        self.store = WatchedStore(truth, disk, self.rules, chance)
        self.workers: list[SimulatedWorker] = []
        self.made = 0
        self.told: Counter[bytes] = Counter()
        self.waited_for: set[bytes] = set()
        self.unanswered: list[Submission] = []
        """Submits whose answer was lost: a client sends them again."""
        self.restarts = 0
        loop.busy = lambda: bool(self.store.under_way) and disk is not None

    async def open(self) -> None:
        self.store.under_way += 1
        await self.store.truth.open()
        if self.store.disk is not None:
            await self.store.disk.open()
        self.store.under_way -= 1
        await self._begin()

    async def _begin(self) -> None:
        self.handle = Handle(self.store)
        self.index = LocalIndex(self.handle)
        self.journal = LogBook(self.handle)
        self.engine = Engine(self.handle, self.index, self.journal, SETTINGS, self.chance.random)
        await self.index.open()
        await self.engine.start()
        self.rules.node_began()

    async def restart(self, *, crash: bool) -> None:
        """Another node on the same store. After a crash nothing of the old one gets through any more."""
        self.restarts += 1
        self.store.fault = None
        self.handle.cut = crash
        if not crash:
            self.engine.drain()
        for worker in self.workers:
            if worker.connected and crash:
                worker.forget_the_node()
            elif worker.connected:
                await worker.leave(drained=False)
        await self.engine.stop()
        await self.journal.stop()
        self.handle.cut = True
        await self._begin()
        await self.wait([task_id for task_id in self.waited_for if not self.told[task_id]])

    async def close(self) -> None:
        for worker in self.workers:
            worker.forget_the_node()
        await self.engine.stop()
        await self.journal.stop()
        await asyncio.sleep(0)  # for those that were cancelled
        self.store.under_way += 1
        if self.store.disk is not None:
            await self.store.disk.close()
        self.store.under_way -= 1

    # --- a waiter

    def ended(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            assert task.state.ended
            self.told[task.id] += 1

    async def wait(self, ids: Sequence[bytes]) -> None:
        self.waited_for.update(ids)
        await self.engine.wait(ids, self)

    # --- what people do

    def new_id(self) -> bytes:
        self.made += 1
        return self.made.to_bytes(16)

    async def submit(self, batch: Sequence[Submission], *, atomic: bool) -> None:
        try:
            receipts = await self.engine.submit(batch, atomic=atomic, waiter=self)
        except RotaError:
            self.unanswered += batch
            return
        self.waited_for.update(receipt.task_id for receipt in receipts if receipt.refusal is None)

    async def send_again(self) -> None:
        batch, self.unanswered = self.unanswered, []
        for submission in batch:
            await self.submit([submission], atomic=False)

    async def set(self, control: Control) -> None:
        self.rules.unsettle(control.scope, control.name)
        with suppress(RotaError):
            await self.engine.set_control(control)

    def settle_controls(self) -> None:
        """What is really set holds from now on."""
        kept = {(control.scope, control.name): control for control in self.store.truth._ledger.controls()}
        for place in self.rules.unsettled:
            self.rules.set(kept.get(place, Control(*place)))
        self.rules.unsettled.clear()

    async def worker(self, methods: Sequence[Method], groups: tuple[str, ...], slots: int) -> SimulatedWorker:
        worker = SimulatedWorker(Facts(f"w{len(self.workers)}", groups=groups, slots=slots), methods)
        self.workers.append(worker)
        await self.connect(worker)
        return worker

    async def connect(self, worker: SimulatedWorker) -> None:
        try:
            await worker.connect(self.engine)
        except RotaError:
            worker.forget_the_node()

    # --- rest

    @property
    def troubled(self) -> bool:
        """The store fails, or has failed lately: the node does with less for a while."""
        return self.store.fault is not None or asyncio.get_running_loop().time() < self.store.failed_at + RECOVERY

    async def rest(self) -> None:
        """Until nothing happens by itself; a breath of time passes."""
        await self.store.rest()
        await asyncio.sleep(BREATH)
        await self.store.rest()

    def unended(self) -> list[Task]:
        return [task for task in self.rules.tasks() if not task.state.ended]

    def in_state(self, state: State) -> list[Task]:
        return [task for task in self.rules.tasks() if task.state is state]

    def scopes(self) -> list[tuple[Scope, str]]:
        return [(Scope.NODE, ""), (Scope.GROUP, ""), (Scope.GROUP, "a"), (Scope.METHOD, "m"), (Scope.METHOD, "n")]
