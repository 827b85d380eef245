"""Tasks that wait for others still do after a restart; and an end costs no look at children where nobody waits."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk import KEEP, Desk

from rota.life.clock import ManualClock
from rota.model import lifecycle
from rota.model.task import State
from rota.storage.sqlite import SqliteStore
from rota.storage.statements import families
from rota.storage.statements.sql import Many, PackedMany


async def test_waiting_outlives_a_restart(path: Path) -> None:
    store, clock = SqliteStore(path), ManualClock()
    desk = Desk(store, clock)
    await store.open()
    good, bad, ahead = await desk.running(), await desk.running(), await desk.running(order_key="o")
    runs = await desk.accepted(after=(good.id,))
    fails = await desk.accepted(after=(good.id, bad.id))
    both = await desk.accepted(after=(good.id,), order_key="o")
    behind = await desk.accepted(order_key="o")
    counts = await store.counts()
    assert counts[State.WAITING] == 4
    await store.close()
    await store.open()
    assert await store.counts() == counts
    unblocked = (await desk.succeed(good)).unblocked
    assert [(task.id, task.state) for task in unblocked] == [(runs.id, State.READY), (both.id, State.WAITING)]
    (failed,) = (await desk.apply(desk.failure(bad))).unblocked
    assert (failed.id, failed.state) == (fails.id, State.FAILED)
    (ready,) = (await desk.succeed(ahead)).unblocked
    assert (ready.id, ready.state) == (both.id, State.READY)
    assert await store.key_holders("o") == [both.id, behind.id]
    await store.close()


async def test_where_nobody_waits_children_are_not_looked_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = await desk.running()
    child = await desk.accepted(after=(parent.id,))
    await desk.succeed(parent)
    asked: list[str] = []
    for name, statement in vars(families).items():
        if isinstance(statement, PackedMany):
            monkeypatch.setattr(statement, "rows", lambda _, rows, name=name: asked.extend([name] * bool(rows)) or [])
        elif isinstance(statement, Many):
            monkeypatch.setattr(statement, "run", lambda _, rows, name=name: asked.extend([name] * bool(rows)) or 0)
    await desk.succeed(await desk.run(child))
    await desk.ended(order_key="o", unique_key="u")
    await desk.apply(desk.failure(await desk.running()))
    await desk.apply(lifecycle.cancel(await desk.accepted(), "", desk.now, KEEP))
    assert asked == []


async def test_a_batch_of_ends_takes_one_look_at_children(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    parents = [await desk.running() for _ in range(200)]
    await desk.accepted(after=tuple(parent.id for parent in parents))
    looks: list[int] = []
    rows = families.CHILDREN.rows
    monkeypatch.setattr(families.CHILDREN, "rows", lambda link, given: looks.append(len(given)) or rows(link, given))
    await desk.apply(*(desk.success(parent) for parent in parents))
    assert looks == [200]
