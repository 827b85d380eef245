"""A store under an engine that is watched: it lingers, fails when told to, and sees at every write that the rules hold.

What is true is kept in the store in memory. Where there is a disk as well, every write goes to both, and both must give
the same answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any

from history_rules import Rules

from rota.contract.store import Applied, Entry, Receipt
from rota.model.change import Change
from rota.model.errors import Unavailable
from rota.model.task import Task
from rota.storage.memory import MemoryStore
from rota.storage.records import copied, onto
from rota.storage.sqlite import SqliteStore

WRITES = {"enlist", "retire", "append_logs", "set_progress", "note_late", "remove", "set_control", "purge"}


class WatchedStore:
    """What is behind every node of a history: it outlives them."""

    def __init__(self, truth: MemoryStore, disk: SqliteStore | None, rules: Rules, chance: Random) -> None:
        self.truth, self.disk, self.rules = truth, disk, rules
        self.failed_at = -60.0
        """By the loop's clock."""
        self.fault: str | None = None
        """What becomes of the next write of tasks: `before` it or `after` it the store goes away; None: nothing."""
        self.seqs: dict[int, int] = {}
        """What the disk calls a task, and what the memory does: the disk may leave ordinals out."""
        self.under_way = 0
        self.calm = asyncio.Event()
        self.broken: list[AssertionError] = []
        """Rules that a write broke. The engine would take them for faults of the store, so they are raised at the next rest."""
        self._chance = chance

    @property
    def shown(self) -> Any:
        return self.disk or self.truth

    def seq(self, shown: int) -> int:
        return self.seqs.get(shown, shown)

    async def linger(self) -> None:
        for _ in range(self._chance.randrange(3)):
            await asyncio.sleep(0)

    def next_fault(self) -> str | None:
        fault, self.fault = self.fault, None
        if fault is not None:
            self.failed_at = asyncio.get_running_loop().time()
        return fault

    @contextmanager
    def judged(self) -> Iterator[None]:
        try:
            yield
        except AssertionError as error:
            self.broken.append(error)

    async def rest(self, turns: int = 40) -> None:
        """Until nobody asks anything of it for so many turns of the loop. Raises what was broken meanwhile."""
        quiet = 0
        while quiet < turns:
            quiet += 1
            if self.under_way:
                self.calm.clear()
                await self.calm.wait()
                quiet = 0
            await asyncio.sleep(0)
        if self.broken:
            raise self.broken[0]


class Handle:
    """The store as one node has it. Once `cut` off, that node gets nothing through any more."""

    def __init__(self, store: WatchedStore) -> None:
        self._store = store
        self.cut = False

    @property
    def unended(self) -> int:
        return self._store.shown.unended

    @property
    def trouble(self) -> str:
        return ""

    @property
    def commit_seconds(self) -> None:
        return None

    def now(self) -> int:
        return self._store.truth.now()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        verb = self._write if name in WRITES else self._read
        return lambda *args, **named: verb(name, args, named)

    async def _read(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return await self._busy(self._through(lambda: getattr(self._store.shown, name)(*args, **named)))

    async def _write(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        async def both() -> Any:
            mine = (self._store.seq(args[0]), *args[1:]) if name == "note_late" else args
            said = await getattr(self._store.truth, name)(*mine, **named)
            if self._store.disk is not None:
                other = await getattr(self._store.disk, name)(*args, **named)
                with self._store.judged():
                    assert other == said, name
            return said

        return await self._busy(self._through(both))

    async def submit(self, entries: Sequence[Entry], *, atomic: bool = False) -> list[Receipt]:
        return await self._busy(self._faulty(lambda unknown: self._submit(entries, atomic, unknown)))

    async def _submit(self, entries: Sequence[Entry], atomic: bool, unknown: bool) -> list[Receipt]:
        store = self._store
        copies = [Entry(copied(entry.task), entry.idempotency_key, entry.fingerprint, entry.bound) for entry in entries]
        said = await store.truth.submit(copies, atomic=atomic)
        with store.judged():
            store.rules.submitted([entry.task for entry in copies], said, unknown=unknown)
        if store.disk is None:
            for entry, copy in zip(entries, copies, strict=True):
                onto(copy.task, entry.task)
            return said
        others = await store.disk.submit(entries, atomic=atomic)
        with store.judged():
            assert [_shown(receipt) for receipt in others] == [_shown(receipt) for receipt in said]
            for entry, copy, receipt in zip(entries, copies, said, strict=True):
                if not receipt.duplicate and receipt.refusal is None:
                    store.seqs[entry.task.seq] = copy.task.seq
                    assert unnumbered(entry.task) == unnumbered(copy.task)
        return others

    async def apply(self, changes: Sequence[Change], *, patient: bool = False) -> Applied:
        return await self._busy(self._faulty(lambda unknown: self._apply(changes, patient, unknown)))

    async def _apply(self, changes: Sequence[Change], patient: bool, unknown: bool) -> Applied:
        store = self._store
        mine = [replace(change, seq=store.seq(change.seq)) for change in changes]
        before = {change.seq: task for change in mine if (task := store.rules.task(change.seq)) is not None}
        said = await store.truth.apply(mine)
        with store.judged():
            store.rules.applied(mine, before, said, unknown=unknown)
        if store.disk is None:
            return said
        other = await store.disk.apply(changes, patient=patient)
        with store.judged():
            assert {store.seq(seq) for seq in other.accepted} == said.accepted
            assert sorted(map(unnumbered, other.unblocked), key=_id) == sorted(map(unnumbered, said.unblocked), key=_id)
        return other

    async def _faulty(self, verb: Callable[[bool], Awaitable[Any]]) -> Any:
        fault = self._store.next_fault()

        async def tried() -> Any:
            if fault == "before":
                raise Unavailable("the disk is gone", code="store_unavailable")
            return await verb(fault == "after")

        answer = await self._through(tried)
        if fault == "after":
            raise Unavailable("it may or may not be kept", code="outcome_unknown")
        return answer

    async def _through(self, verb: Callable[[], Awaitable[Any]]) -> Any:
        await self._store.linger()
        if self.cut:
            raise Unavailable("this node is dead", code="store_unavailable")
        answer = await verb()
        await self._store.linger()
        if self.cut:
            raise Unavailable("this node is dead", code="outcome_unknown")
        return answer

    async def _busy(self, work: Awaitable[Any]) -> Any:
        self._store.under_way += 1
        try:
            return await work
        finally:
            self._store.under_way -= 1
            if not self._store.under_way:
                self._store.calm.set()


def _shown(receipt: Receipt) -> tuple[Any, ...]:
    refusal = receipt.refusal.code if receipt.refusal is not None else None
    replaced = unnumbered(receipt.replaced) if receipt.replaced is not None else None
    return receipt.task_id, receipt.duplicate, refusal, replaced, tuple(map(unnumbered, receipt.unblocked))


def unnumbered(task: Task) -> Task:
    """The record without what a store calls it."""
    return replace(task, seq=0)


def _id(task: Task) -> bytes:
    return task.id
