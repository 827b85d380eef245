"""A walk over all tasks is made in strides, and says the same as one long one."""

from __future__ import annotations

import pytest
from desk import KEEP, Desk

from rota.contract.store import Query
from rota.model import lifecycle
from rota.model.task import State
from rota.storage import looking


@pytest.mark.parametrize("stride", [1, 2, 3, 7, 100])
async def test_strides_find_what_there_is(desk: Desk, monkeypatch: pytest.MonkeyPatch, stride: int) -> None:
    monkeypatch.setattr(looking, "STRIDE", stride)
    entries = [desk.entry(method="odd" if number % 2 else "even") for number in range(30)]
    await desk.submit(*entries)
    gone = [entry.task for entry in entries[:4] + entries[9:20]]
    await desk.apply(*(lifecycle.cancel(task, "", desk.now, KEEP) for task in gone))
    await desk.store.remove([task.id for task in gone])
    left = [entry.task for entry in reversed(entries) if entry.task not in gone]
    odd = [task for task in left if task.spec.lane.method == "odd"]
    assert await desk.store.find(Query(), None, 100) == left
    assert await desk.store.find(Query(method="odd"), None, 100) == odd
    assert await desk.store.find(Query(text="ODD"), odd[1].seq, 3) == odd[2:5]
    assert await desk.store.find(Query(states=(State.READY,)), left[5].seq, 100) == left[6:]
    assert await desk.store.find(Query(method="nobody's"), None, 1) == []
    assert await desk.store.find(Query(), left[-1].seq, 100) == []
    assert await desk.store.find(Query(), None, 0) == []


async def test_an_empty_store_is_looked_through(desk: Desk) -> None:
    assert await desk.store.find(Query(), None, 10) == []
