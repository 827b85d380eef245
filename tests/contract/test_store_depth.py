"""How many tasks of a group may be there and not ended: what is beyond it is refused, whatever the others did."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from desk import KEEP, Desk

from rota.contract.store import Entry, Receipt, Store
from rota.life.clock import ManualClock
from rota.life.failpoint import arm_from, disarm
from rota.model import lifecycle
from rota.model.change import Change
from rota.model.control import Control, Scope
from rota.model.errors import Overloaded
from rota.model.task import Reason, State, Task
from rota.storage.sqlite import SqliteStore


async def limit(store: Store, group: str, most: int | None) -> None:
    await store.set_control(Control(Scope.GROUP, group, max_queued=most))


def words(receipts: list[Receipt]) -> list[str]:
    return [r.refusal.code if r.refusal else "duplicate" if r.duplicate else "new" for r in receipts]


async def told(desk: Desk, *asked: dict[str, Any], atomic: bool = False) -> list[str]:
    return words(await desk.submit(*(desk.entry(**one) for one in asked), atomic=atomic))


G: dict[str, Any] = {"group": "g"}


async def test_what_is_beyond_the_limit_is_refused_and_nothing_else(desk: Desk) -> None:
    await limit(desk.store, "g", 2)
    receipts = await desk.submit(*(desk.entry(group=group) for group in ("g", "h", "g", "g", None, "g")))
    assert words(receipts) == ["new", "new", "new", "queue_full", "new", "queue_full"]
    refusal = receipts[3].refusal
    assert isinstance(refusal, Overloaded)
    assert "'g'" in refusal.detail
    assert "limit" in refusal.detail
    assert "2" in refusal.detail
    assert await desk.store.get([receipts[3].task_id]) == {}
    assert await told(desk, G) == ["queue_full"]
    assert desk.store.unended == 4


async def test_a_batch_of_all_or_nothing_is_refused_as_a_whole(desk: Desk) -> None:
    await limit(desk.store, "g", 1)
    assert await told(desk, G, {}, G, atomic=True) == ["batch_refused", "batch_refused", "queue_full"]
    assert desk.store.unended == 0
    assert await told(desk, G, {}, atomic=True) == ["new", "new"]


async def test_tasks_without_a_group_have_a_limit_of_their_own(desk: Desk) -> None:
    await limit(desk.store, "", 1)
    assert await told(desk, {}, G, {}) == ["new", "new", "queue_full"]


async def test_a_duplicate_is_not_refused_and_does_not_count(desk: Desk) -> None:
    await limit(desk.store, "g", 2)
    entry, keyed = desk.entry(group="g"), desk.entry(group="g", unique_key="u")
    await desk.submit(entry, keyed)
    again = Entry(entry.task)
    assert words(await desk.submit(again)) == ["duplicate"]
    assert await told(desk, {"group": "g", "unique_key": "u"}, G) == ["duplicate", "queue_full"]
    await cancelled(desk, await desk.read(entry.task))
    assert await told(desk, G, G) == ["new", "queue_full"]


async def cancelled(desk: Desk, task: Task) -> None:
    change = lifecycle.cancel(task, "", desk.now, KEEP)
    assert change is not None
    assert await desk.change(change)


async def succeeded(desk: Desk, task: Task) -> None:
    await desk.succeed(await desk.run(task))


async def failed(desk: Desk, task: Task) -> None:
    assert await desk.change(desk.failure(await desk.run(task)))


async def stopped(desk: Desk, task: Task) -> None:
    running = await desk.run(task)
    assert await desk.change(lifecycle.stop(running, Reason.CANCELLED_BY_CALLER, "", None, desk.now, KEEP))


async def expired(desk: Desk, task: Task) -> None:
    desk.clock.advance(10)
    assert await desk.change(lifecycle.expire(task, desk.now, KEEP))


async def replaced(desk: Desk, task: Task) -> None:
    """By one of another group, which takes its key."""
    assert await told(desk, {"unique_key": "u", "unique_mode": "replace"}) == ["new"]


ENDS: list[Callable[[Desk, Task], Awaitable[None]]] = [cancelled, succeeded, failed, stopped, expired, replaced]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_every_end_makes_room_once(desk: Desk, end: Callable[[Desk, Task], Awaitable[None]]) -> None:
    await limit(desk.store, "g", 2)
    task = await desk.accepted(group="g", expires=5, unique_key="u")
    await desk.accepted(group="g", after=(task.id,), run_anyway=True)
    assert await told(desk, G) == ["queue_full"]
    await end(desk, task)
    assert (await desk.read(task)).state.ended
    assert await told(desk, G, G) == ["new", "queue_full"]


async def test_those_that_fail_with_a_parent_make_room_too(desk: Desk) -> None:
    await limit(desk.store, "g", 3)
    parent = await desk.accepted(group="g")
    child = await desk.accepted(group="g", after=(parent.id,))
    await desk.accepted(group="g", after=(child.id,))
    await cancelled(desk, parent)
    assert (await desk.read(child)).state is State.FAILED
    # One that is stored as failed takes no room.
    assert await told(desk, {"group": "g", "after": (parent.id,)}, G, G, G, G) == ["new"] * 4 + ["queue_full"]


async def test_what_goes_on_makes_no_room(desk: Desk) -> None:
    await limit(desk.store, "g", 1)
    task = await desk.run(await desk.accepted(group="g"))
    assert await told(desk, G) == ["queue_full"]
    assert await desk.change(lifecycle.release(task, desk.now, Reason.GIVEN_BACK, KEEP))
    task = await desk.run(await desk.read(task))
    change = lifecycle.cancel(task, "", desk.now, KEEP)
    assert change is not None
    assert await desk.change(change)
    assert await told(desk, G) == ["queue_full"]


async def test_a_task_that_is_run_again_is_not_refused_but_counts(desk: Desk) -> None:
    await limit(desk.store, "g", 1)
    ended = await desk.ended(group="g")
    other = await desk.accepted(group="g")
    assert await desk.change(lifecycle.run_again(ended, desk.now))
    await cancelled(desk, other)
    assert await told(desk, G) == ["queue_full"]
    await cancelled(desk, await desk.read(ended))
    assert await told(desk, G) == ["new"]


async def test_a_change_that_is_not_accepted_counts_nothing(desk: Desk) -> None:
    await limit(desk.store, "g", 1)
    task = await desk.accepted(group="g")
    change = lifecycle.cancel(task, "", desk.now, KEEP)
    assert change is not None
    twice: list[Change] = [change]
    await desk.store.apply(twice)
    await desk.store.apply(twice)
    assert await told(desk, G, G) == ["new", "queue_full"]


async def test_a_limit_counts_what_was_there_and_can_be_changed_and_taken_away(desk: Desk) -> None:
    first = await desk.accepted(group="g")
    for asked in ({"delay": 5}, {"order_key": "o"}, {"order_key": "o"}, {"after": (first.id,)}):
        await desk.accepted(group="g", **asked)
    await desk.run(first)
    await desk.ended(group="g")
    await limit(desk.store, "g", 3)
    (receipt,) = await desk.submit(desk.entry(group="g"))
    assert receipt.refusal is not None
    assert receipt.refusal.detail.startswith("5 tasks of the group 'g'")
    await limit(desk.store, "g", 6)
    assert await told(desk, G, G) == ["new", "queue_full"]
    await desk.store.set_control(Control(Scope.GROUP, "g", paused=True))
    assert await told(desk, G, G) == ["new", "new"]


async def test_counts_and_limits_are_the_same_after_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    store = SqliteStore(tmp_path / "rota.db", clock=clock)
    await store.open()
    await limit(store, "g", 3)
    await limit(store, "", 1)
    desk = Desk(store, clock)
    task = await desk.running(group="g")
    await desk.accepted(group="g", delay=9)
    await desk.ended(group="g")
    await store.close()
    desk.store = store = SqliteStore(tmp_path / "rota.db", clock=clock)
    await store.open()
    assert await told(desk, G, G, {}, {}) == ["new", "queue_full", "new", "queue_full"]
    await desk.succeed(task)
    assert await told(desk, G, G) == ["new", "queue_full"]
    await store.close()


async def test_a_commit_that_fails_counts_nothing(tmp_path: Path, clock: ManualClock) -> None:
    store = SqliteStore(tmp_path / "rota.db", clock=clock)
    await store.open()
    desk = Desk(store, clock)
    await limit(store, "g", 2)
    await desk.accepted(group="g")
    arm_from("store.before_commit=error@1")
    try:
        with pytest.raises(Exception):  # noqa: B017 - how it is told is tested elsewhere
            await told(desk, G, {"idempotency_key": "tied"})
    finally:
        disarm()
    assert await told(desk, G, G) == ["new", "queue_full"]
    await store.close()


async def test_a_neighbour_in_the_commit_that_is_rolled_back_counts_nothing(desk: Desk) -> None:
    """A repeated id breaks the hopeful write, and both batches are run again by themselves."""
    await limit(desk.store, "g", 3)
    known = desk.entry(group="g")
    await desk.submit(known)
    one, two = await asyncio.gather(
        desk.submit(Entry(known.task), desk.entry(group="g")), desk.submit(desk.entry(group="g"), desk.entry(group="g"))
    )
    assert sorted(words(one) + words(two)) == ["duplicate", "new", "new", "queue_full"]
