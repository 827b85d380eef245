"""Whatever makes room, or changes who may run what, lets the next task start; and who runs is counted even where a limit
is set in the very moment of its start."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import pytest
from engine_kit import Rig, Waiting

from rota.model.change import Change, Claim
from rota.model.control import Control, Scope
from rota.model.method import Method
from rota.model.task import State, Task


async def test_when_the_highest_version_leaves_the_next_one_serves_at_once(rig: Rig) -> None:
    older, newer = await rig.worker(Method("m", 1)), await rig.worker(Method("m", 2), slots=1)
    (first, second) = await rig.submit(count=2)
    assert await newer.gets(1) == [(first, 1)]
    newer.starts((first, 1))
    assert older.tasks == []
    await newer.session.closed(False, "gone")
    assert await older.gets(1) == [(second, 1)]


async def test_a_task_that_is_given_back_and_was_to_be_cancelled_leaves_room(rig: Rig) -> None:
    worker = await rig.worker(slots=1)
    (first, second) = await rig.submit(count=2)
    await worker.gets(1)
    await rig.engine.cancel([first], "")
    await worker.session.released([(first, 1)], "recalled")
    assert await worker.gets(1) == [(second, 1)]
    assert (await rig.task(first)).state is State.CANCELLED


async def test_who_is_being_leased_while_a_limit_is_set_counts_against_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim is under way: the store does not tell of it yet, and it was chosen before the limit."""
    under_way, may_land = asyncio.Event(), asyncio.Event()
    apply = rig.store.apply

    async def late(changes: Sequence[Change], **rest: bool) -> object:
        if isinstance(changes[0], Claim) and not may_land.is_set():
            under_way.set()
            await may_land.wait()
        return await apply(changes, **rest)

    monkeypatch.setattr(rig.store, "apply", late)
    await rig.submit(count=3)
    worker = await rig.worker(slots=1)
    await under_way.wait()
    await rig.engine.set_control(Control(Scope.METHOD, "m", concurrency=1))
    may_land.set()
    (ref,) = await worker.gets(1)
    other = await rig.worker(slots=4)
    await rig.settled()
    assert other.tasks == []
    await worker.report(ref)
    await rig.settled()
    assert len(worker.tasks) + len(other.tasks) == 1


async def test_who_is_leased_with_its_submit_while_a_limit_is_set_counts_against_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, may_land = asyncio.Event(), asyncio.Event()
    submit = rig.store.submit

    async def late(entries: Sequence[object], **rest: bool) -> object:
        under_way.set()
        await may_land.wait()
        return await submit(entries, **rest)

    worker = await rig.worker(slots=4)
    monkeypatch.setattr(rig.store, "submit", late)
    submitting = asyncio.ensure_future(rig.submit())
    await under_way.wait()
    await rig.engine.set_control(Control(Scope.METHOD, "m", concurrency=1))
    may_land.set()
    await submitting
    await worker.gets(1)
    await rig.submit(count=2)
    await rig.settled()
    assert worker.tasks == []


async def test_a_limit_that_is_set_while_leases_are_counted_anew_waits_for_a_count_of_its_own(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await rig.worker(slots=4)
    await rig.submit()
    await worker.gets(1)
    looks = [asyncio.Event(), asyncio.Event()]
    may_answer = [asyncio.Event(), asyncio.Event()]
    asked = itertools.count()
    due = rig.store.due

    async def slow(state: State, before: int, after: tuple[int, int] | None, limit: int) -> list[Task]:
        """The first count has read its only page, and asks for another; the second one asks for its first."""
        if state is State.RUNNING and before > rig.clock.now() and 0 < (place := next(asked)) < 3:
            looks[place - 1].set()
            await may_answer[place - 1].wait()
        return await due(state, before, after, limit)

    monkeypatch.setattr(rig.store, "due", slow)
    counting = asyncio.ensure_future(rig.engine._controls.learn())
    await looks[0].wait()
    setting = asyncio.ensure_future(rig.engine.set_control(Control(Scope.METHOD, "m", concurrency=1)))
    await rig.settled()
    await rig.submit()
    may_answer[0].set()
    await counting
    await looks[1].wait()
    await rig.settled()
    assert worker.tasks == [], "it is not known yet who runs"
    may_answer[1].set()
    await setting
    await rig.settled()
    assert worker.tasks == []


async def test_a_task_that_its_worker_gave_up_before_the_submit_was_heard_of_is_not_given_to_it_as_well(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is kept; before the node hears of that, the worker connects anew, and says that it has nothing."""
    kept, may_answer = asyncio.Event(), asyncio.Event()
    submit = rig.store.submit

    async def late(entries: Sequence[object], **rest: bool) -> object:
        receipts = await submit(entries, **rest)
        kept.set()
        await may_answer.wait()
        return receipts

    await rig.engine.set_control(Control(Scope.METHOD, "m", concurrency=1))
    worker = await rig.worker(slots=4)
    monkeypatch.setattr(rig.store, "submit", late)
    submitting = asyncio.ensure_future(rig.submit())
    await kept.wait()
    await worker.connect()
    await rig.settled()
    may_answer.set()
    (task_id,) = await submitting
    await rig.settled()
    assert worker.tasks == [(task_id, 2)]
    await worker.report((task_id, 2))
    await rig.settled()
    assert not rig.engine._dispatch.limits.counting


async def test_who_waits_for_nothing_is_forgotten(rig: Rig) -> None:
    waiter = Waiting()
    await rig.engine.wait([], waiter)
    assert len(rig.engine._waiters) == 0
