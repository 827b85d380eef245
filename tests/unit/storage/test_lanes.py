"""Lanes that come and go leave nothing behind, in the file and in memory."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from desk import KEEP, Desk

from rota.contract.store import Query
from rota.life.clock import ManualClock
from rota.model import lifecycle
from rota.model.task import Lane, State
from rota.storage import book
from rota.storage.sqlite import SqliteStore


def numbers(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    try:
        return [number for (number,) in connection.execute("SELECT number FROM lanes ORDER BY number DESC")]
    finally:
        connection.close()


async def come_and_go(desk: Desk, *names: str) -> None:
    entries = [desk.entry(key=name) for name in names]
    await desk.submit(*entries)
    await desk.apply(*(lifecycle.cancel(entry.task, "", desk.now, KEEP) for entry in entries))


async def test_thousands_of_keyed_lanes_leave_nothing_behind(path: Path) -> None:
    clock = ManualClock()
    store = SqliteStore(path, clock=clock)
    desk = Desk(store, clock)
    await store.open()
    stays = await desk.accepted(key="stays")
    for start in range(0, 10_000, 1_000):
        await come_and_go(desk, *(f"key-{number}" for number in range(start, start + 1_000)))
    assert store.lanes == len(numbers(path)) == 10_001
    clock.advance(31 * 24 * 3600)
    assert await store.purge(20_000) == 10_000
    assert store.lanes == 1
    assert numbers(path) == [-1]
    await store.close()
    await store.open()
    assert store.lanes == 1
    assert await desk.read(stays) == stays
    await store.close()


async def test_no_number_is_given_twice_not_even_after_a_restart(path: Path) -> None:
    clock = ManualClock()
    store = SqliteStore(path, clock=clock)
    desk = Desk(store, clock)
    for round_ in range(3):
        await store.open()
        await come_and_go(desk, "a", "b")
        assert numbers(path) == [-2 * round_ - 1, -2 * round_ - 2]
        clock.advance(31 * 24 * 3600)
        assert await store.purge(10) == 2
        assert numbers(path) == []
        await store.close()


async def test_the_first_lanes_stay_and_what_is_beyond_them_goes(path: Path) -> None:
    store, clock = SqliteStore(path), ManualClock()
    desk = Desk(store, clock)
    await store.open()
    entries = [desk.entry(method=f"m{number}") for number in range(book.STANDING + 50)]
    await desk.submit(*entries)
    await desk.apply(*(lifecycle.cancel(entry.task, "", desk.now, KEEP) for entry in entries))
    assert set((await store.remove([entry.task.id for entry in entries])).values()) == {State.CANCELLED}
    assert store.lanes == len(numbers(path)) == book.STANDING
    (again,) = [await desk.accepted(method="m1020")]
    assert await store.ready_lanes() == [Lane("m1020")] == [again.spec.lane]
    await store.close()


async def test_readers_are_not_troubled_by_lanes_that_go(path: Path) -> None:
    """A row may be read whose lane is gone by the time that its number is looked up."""
    store = SqliteStore(path)
    await store.open()
    desk, working = Desk(store, ManualClock()), True

    async def look() -> int:
        looks = 0
        while working:
            assert all(task.spec.lane.key for task in await store.find(Query(), None, 100))
            looks += 1
        return looks

    lookers = [asyncio.create_task(look()) for _ in range(4)]
    for round_ in range(100):
        entries = [desk.entry(key=f"{round_}-{number}") for number in range(20)]
        await desk.submit(*entries)
        await desk.apply(*(lifecycle.cancel(entry.task, "", desk.now, KEEP) for entry in entries))
        await store.remove([entry.task.id for entry in entries])
    working = False
    assert min(await asyncio.gather(*lookers)) > 0
    await store.close()
