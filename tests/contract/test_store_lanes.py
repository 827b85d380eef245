"""Lanes come and go with their tasks: a concurrency key has one of its own."""

from __future__ import annotations

import asyncio

from desk import KEEP, Desk

from rota.contract.store import Query
from rota.model import lifecycle
from rota.model.task import Lane, State


async def keyed(desk: Desk, number: int, batch: int = 1_000) -> list[bytes]:
    """So many tasks, each in a lane of its own, that have come, ended and gone."""
    ids: list[bytes] = []
    for start in range(0, number, batch):
        entries = [desk.entry(key=f"key-{place}") for place in range(start, start + batch)]
        await desk.submit(*entries)
        await desk.apply(*(lifecycle.cancel(entry.task, "", desk.now, KEEP) for entry in entries))
        ids += [entry.task.id for entry in entries]
    return ids


async def test_a_lane_that_comes_back_is_a_lane_again(desk: Desk) -> None:
    for _ in range(3):
        task = await desk.accepted(key="k")
        assert await desk.store.ready_lanes() == [Lane("add", key="k")]
        (same,) = await desk.store.line(Lane("add", key="k"), None, 10, 1_000)
        assert same == task
        await desk.succeed(await desk.run(task))
        assert await desk.store.remove([task.id]) == {task.id: State.SUCCEEDED}
        assert await desk.store.find(Query(text="k"), None, 10) == []


async def test_a_lane_stays_while_one_of_its_tasks_is_there(desk: Desk) -> None:
    gone, stays = await desk.ended(key="k"), await desk.ended(key="k")
    await desk.store.remove([gone.id])
    assert (await desk.read(stays)).spec.lane == Lane("add", key="k")
    again = await desk.accepted(key="k")
    await desk.store.remove([stays.id])
    assert await desk.read(again) == again


async def test_thousands_of_keyed_lanes_come_and_go(desk: Desk) -> None:
    kept = await desk.ended(key="key-7")
    ids = await keyed(desk, 10_000)
    desk.clock.advance(31 * 24 * 3600)
    assert await desk.store.purge(20_000) == 10_001
    assert await desk.store.get([ids[0], ids[-1], kept.id]) == {}
    task = await desk.accepted(key="key-7")
    assert await desk.read(task) == task
    assert await desk.store.group_counts() == {"": {"add": {State.READY: 1}}}


async def test_a_lane_that_goes_and_comes_back_in_one_commit(desk: Desk) -> None:
    """The verbs of several callers share a commit."""
    for _ in range(20):
        old, blocker = await desk.ended(key="k"), desk.entry()
        one, two = desk.entry(key="k"), desk.entry(key="k")
        await asyncio.gather(
            desk.submit(blocker), desk.store.remove([old.id]), desk.submit(one), desk.submit(two), desk.submit(blocker)
        )
        for entry in (one, two):
            assert await desk.read(entry.task) == entry.task
        assert await desk.store.line(Lane("add", key="k"), None, 10, 10_000) == [one.task, two.task]
        await desk.apply(*(lifecycle.cancel(entry.task, "", desk.now, KEEP) for entry in (one, two)))
        await desk.store.remove([one.task.id, two.task.id])
