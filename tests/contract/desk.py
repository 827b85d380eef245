"""A desk to work a store from: short words for what the tests do over and over."""

from __future__ import annotations

import os
from typing import Any

from rota.contract.store import Applied, Entry, Receipt, Store
from rota.life.clock import ManualClock
from rota.model import lifecycle
from rota.model.change import Change
from rota.model.failure import Failure
from rota.model.lifecycle import Retention
from rota.model.retry import NO_RETRY, SECOND, RetryPolicy
from rota.model.task import Lane, Reason, Spec, Task

TTL = 30 * SECOND
KEEP = Retention()
RETRIED = RetryPolicy(retries=5, jitter=0.0)


class Desk:
    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store, self.clock = store, clock

    @property
    def now(self) -> int:
        return self.store.now()

    def entry(
        self,
        method: str = "add",
        params: bytes = b"[1,2]",
        *,
        task_id: bytes | None = None,
        delay: float = 0,
        expires: float | None = None,
        idempotency_key: str | None = None,
        fingerprint: bytes = b"body",
        retry: RetryPolicy = NO_RETRY,
        group: str | None = None,
        key: str | None = None,
        **spec: Any,
    ) -> Entry:
        what = Spec(Lane(method, group, key=key), params, retry=retry, created_at=self.now, **spec)
        run_at = self.now + int(delay * SECOND) if delay else None
        expire_at = self.now + int(expires * SECOND) if expires is not None else None
        task = lifecycle.accept(task_id or os.urandom(16), what, self.now, run_at, expire_at)
        return Entry(task, idempotency_key, fingerprint)

    async def submit(self, *entries: Entry, atomic: bool = False) -> list[Receipt]:
        return await self.store.submit(entries, atomic=atomic)

    async def accepted(self, **asked: Any) -> Task:
        """A new task, as the store has it."""
        entry = self.entry(**asked)
        (receipt,) = await self.submit(entry)
        assert receipt == Receipt(entry.task.id)
        return await self.read(entry.task)

    async def running(self, worker: int = 1, *, started: bool = False, **asked: Any) -> Task:
        return await self.run(await self.accepted(**asked), worker, started=started)

    async def run(self, task: Task, worker: int = 1, *, started: bool = False) -> Task:
        assert await self.change(lifecycle.claim(task, worker, self.now, TTL))
        task = await self.read(task)
        if started:
            assert await self.change(lifecycle.start(task, self.now))
        return await self.read(task)

    async def read(self, task: Task) -> Task:
        return (await self.store.get([task.id]))[task.id]

    async def apply(self, *changes: Change) -> Applied:
        return await self.store.apply(changes)

    async def change(self, change: Change) -> bool:
        return change.seq in (await self.apply(change)).accepted

    async def succeed(self, task: Task, result: bytes = b"3") -> Applied:
        return await self.apply(self.success(task, result))

    def success(self, task: Task, result: bytes = b"3") -> Change:
        return lifecycle.succeed(task, result, None, self.now, KEEP)

    def failure(self, task: Task) -> Change:
        return lifecycle.fail(task, Failure(("ValueError",), "no"), Reason.RAISED, None, self.now, KEEP, lambda: 0.0)

    async def ended(self, **asked: Any) -> Task:
        task = await self.running(**asked)
        assert (await self.succeed(task)).accepted == {task.seq}
        return await self.read(task)
