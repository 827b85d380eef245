"""Tasks that come after others."""

from __future__ import annotations

import os
from uuid import UUID

import pytest
from desk import KEEP, TTL, Desk

from rota.contract.store import Receipt
from rota.model import lifecycle
from rota.model.failure import Failure
from rota.model.retry import SECOND, RetryPolicy
from rota.model.task import Reason, State, Task

UNSUCCESSFUL = ["failed", "cancelled", "expired"]


async def child_of(desk: Desk, *parents: Task, **asked: object) -> Task:
    return await desk.accepted(after=tuple(parent.id for parent in parents), **asked)


async def ended_badly(desk: Desk, how: str, task: Task | None = None) -> tuple[Task, list[Task]]:
    """A task that ended in that state, and what moved on with it."""
    task = task or await desk.accepted(expires=60)
    if how == "failed":
        applied = await desk.apply(desk.failure(await desk.run(task)))
    elif how == "cancelled":
        applied = await desk.apply(lifecycle.cancel(task, "", desk.now, KEEP))
    else:
        desk.clock.advance(61)
        applied = await desk.apply(lifecycle.expire(task, desk.now, KEEP))
    assert applied.accepted == {task.seq}
    return await desk.read(task), applied.unblocked


async def test_a_child_waits_for_its_parent_and_then_is_ready(desk: Desk) -> None:
    parent = await desk.accepted()
    child = await child_of(desk, parent)
    assert (child.state, child.reason) == (State.WAITING, Reason.PARENTS)
    assert await desk.store.parents(child.seq) == [(parent.id, State.READY)]
    assert await desk.store.children(parent.id, 10) == [child.id]
    applied = await desk.succeed(await desk.run(parent))
    after = await desk.read(child)
    assert applied.unblocked == [after]
    assert (after.state, after.reason, after.line) == (State.READY, Reason.UNBLOCKED, child.line)
    assert await desk.store.parents(child.seq) == []
    assert await desk.store.children(parent.id, 10) == []
    assert await desk.store.ready_lanes() == [child.spec.lane]


async def test_a_child_waits_for_the_last_of_its_parents(desk: Desk) -> None:
    parents = [await desk.accepted() for _ in range(3)]
    child = await child_of(desk, *parents)
    for parent in parents[:2]:
        assert (await desk.succeed(await desk.run(parent))).unblocked == []
    assert await desk.store.parents(child.seq) == [(parents[2].id, State.READY)]
    (moved,) = (await desk.succeed(await desk.run(parents[2]))).unblocked
    assert moved.state is State.READY


async def test_parents_that_end_in_one_batch(desk: Desk) -> None:
    parents = [await desk.running() for _ in range(4)]
    child = await child_of(desk, *parents)
    applied = await desk.apply(*(desk.success(parent) for parent in parents))
    assert [task.id for task in applied.unblocked] == [child.id]


async def test_a_child_of_ended_parents_is_ready_at_once(desk: Desk) -> None:
    child = await child_of(desk, await desk.ended(), await desk.ended())
    assert (child.state, child.reason) == (State.READY, Reason.SUBMITTED)


async def test_an_earlier_place_of_the_batch_is_a_parent_and_a_later_one_is_not(desk: Desk) -> None:
    first = desk.entry()
    second = desk.entry(after=(first.task.id,))
    assert await desk.submit(first, second) == [Receipt(first.task.id), Receipt(second.task.id)]
    assert await desk.read(second.task) == second.task
    assert second.task.state is State.WAITING
    later = desk.entry()
    (refused, _) = await desk.submit(desk.entry(after=(later.task.id,)), later)
    assert refused.refusal is not None
    assert refused.refusal.code == "parent_not_found"


async def test_an_unknown_parent_refuses_the_task_and_an_atomic_batch(desk: Desk) -> None:
    unknown, good = os.urandom(16), desk.entry()
    bad = desk.entry(after=(unknown,), unique_key="u", order_key="o", idempotency_key="k")
    receipts = await desk.submit(good, bad, atomic=True)
    assert [receipt.refusal and receipt.refusal.code for receipt in receipts] == ["batch_refused", "parent_not_found"]
    assert str(UUID(bytes=unknown)) in str(receipts[1].refusal)
    assert desk.store.unended == 0
    again = desk.entry(unique_key="u", order_key="o", idempotency_key="k")
    assert await desk.submit(again) == [Receipt(again.task.id)]
    assert again.task.state is State.READY


async def test_the_id_of_a_duplicate_in_the_batch_names_the_task_that_stands_for_it(desk: Desk) -> None:
    holder = await desk.accepted(unique_key="u")
    repeat = desk.entry(unique_key="u")
    child = desk.entry(after=(repeat.task.id,))
    assert await desk.submit(repeat, child) == [Receipt(holder.id, duplicate=True), Receipt(child.task.id)]
    assert await desk.store.parents(child.task.seq) == [(holder.id, State.READY)]


@pytest.mark.parametrize("how", UNSUCCESSFUL)
async def test_a_child_fails_with_its_parent(desk: Desk, how: str) -> None:
    parent = await desk.accepted(expires=60)
    child = await child_of(desk, parent, await desk.accepted())
    parent, unblocked = await ended_badly(desk, how, parent)
    child = await desk.read(child)
    assert unblocked == [child]
    assert (child.state, child.reason, child.ended_at) == (State.FAILED, Reason.PARENT_FAILED, desk.now)
    assert child.due_at == desk.now + KEEP.otherwise
    failure = Failure.unpack(child.outcome)
    assert failure.error_type == "ParentFailed"
    assert str(UUID(bytes=parent.id)) in failure.message
    assert await desk.store.parents(child.seq) == []


@pytest.mark.parametrize("how", UNSUCCESSFUL)
async def test_a_child_that_runs_anyway_goes_on(desk: Desk, how: str) -> None:
    parent = await desk.accepted(expires=60)
    child = await child_of(desk, parent, run_anyway=True)
    _, unblocked = await ended_badly(desk, how, parent)
    assert [(task.id, task.state) for task in unblocked] == [(child.id, State.READY)]


@pytest.mark.parametrize("how", UNSUCCESSFUL)
async def test_a_child_of_a_parent_that_did_not_succeed_fails_at_once(desk: Desk, how: str) -> None:
    parent, _ = await ended_badly(desk, how)
    entry = desk.entry(after=(parent.id,), unique_key="u", order_key="o")
    grandchild = desk.entry(after=(entry.task.id,))
    assert await desk.submit(entry, grandchild) == [Receipt(entry.task.id), Receipt(grandchild.task.id)]
    for task in (entry.task, grandchild.task):
        assert await desk.read(task) == task
        assert (task.state, task.reason, task.ended_at) == (State.FAILED, Reason.PARENT_FAILED, desk.now)
    assert desk.store.unended == 0
    follower = desk.entry(unique_key="u", order_key="o")
    assert await desk.submit(follower) == [Receipt(follower.task.id)]
    assert follower.task.state is State.READY
    anyway = await child_of(desk, parent, run_anyway=True)
    assert anyway.state is State.READY


async def test_failing_goes_down_to_the_last_and_stops_at_those_who_run_anyway(desk: Desk) -> None:
    root = await desk.running()
    left, right = await child_of(desk, root), await child_of(desk, root)
    both = await child_of(desk, left, right)
    anyway = await child_of(desk, both, run_anyway=True)
    below = await child_of(desk, anyway)
    applied = await desk.apply(desk.failure(root))
    assert [task.id for task in applied.unblocked] == [left.id, right.id, both.id, anyway.id]
    assert [task.state for task in applied.unblocked] == [State.FAILED] * 3 + [State.READY]
    assert str(UUID(bytes=left.id)) in Failure.unpack((await desk.read(both)).outcome).message
    assert (await desk.read(below)).state is State.WAITING
    assert desk.store.unended == 2


async def test_thousands_of_children_and_chains_of_thousands(desk: Desk) -> None:
    root = await desk.running()
    wide = [desk.entry(after=(root.id,)) for _ in range(2_000)]
    deep = [desk.entry(after=(root.id,))]
    for _ in range(2_999):
        deep.append(desk.entry(after=(deep[-1].task.id,)))
    await desk.submit(*wide, *deep)
    join = await desk.accepted(after=tuple(entry.task.id for entry in wide[:1_000]))
    assert (await desk.store.counts())[State.WAITING] == 5_001
    applied = await desk.apply(desk.failure(root))
    assert len(applied.unblocked) == 5_001
    counts = await desk.store.counts()
    assert (counts[State.FAILED], counts[State.WAITING]) == (5_002, 0)
    assert str(UUID(bytes=deep[-2].task.id)) in Failure.unpack((await desk.read(deep[-1].task)).outcome).message
    assert (await desk.read(join)).reason is Reason.PARENT_FAILED


async def test_a_wide_fan_out_becomes_ready_at_once(desk: Desk) -> None:
    root = await desk.running()
    children = [desk.entry(after=(root.id,)) for _ in range(1_500)]
    await desk.submit(*children)
    applied = await desk.succeed(root)
    assert [task.id for task in applied.unblocked] == [entry.task.id for entry in children]
    assert (await desk.store.counts())[State.READY] == 1_500


async def test_a_retry_of_the_parent_is_no_end(desk: Desk) -> None:
    parent = await desk.running(retry=RetryPolicy(retries=1))
    child = await child_of(desk, parent)
    assert (await desk.apply(desk.failure(parent))).unblocked == []
    assert (await desk.read(child)).state is State.WAITING


async def test_a_delayed_child_waits_for_its_parent_and_then_for_its_time(desk: Desk) -> None:
    parent = await desk.accepted()
    child = await child_of(desk, parent, delay=60)
    assert (child.state, child.due_at) == (State.WAITING, desk.now + 60 * SECOND)
    (moved,) = (await desk.succeed(await desk.run(parent))).unblocked
    assert (moved.state, moved.reason, moved.due_at) == (State.SCHEDULED, Reason.DELAYED, child.due_at)


async def test_a_leased_child_loses_its_lease(desk: Desk) -> None:
    parent = await desk.accepted()
    entry = desk.entry(after=(parent.id,))
    lifecycle.claim(entry.task, 7, desk.now, TTL).onto(entry.task)
    await desk.submit(entry)
    assert await desk.read(entry.task) == entry.task
    assert (entry.task.state, entry.task.attempt, entry.task.worker) == (State.WAITING, 0, None)


async def test_a_child_behind_its_order_key_waits_for_both(desk: Desk) -> None:
    parent, ahead = await desk.running(), await desk.running(order_key="o")
    child = await child_of(desk, parent, order_key="o")
    assert child.reason is Reason.PARENTS
    (moved,) = (await desk.succeed(parent)).unblocked
    assert (moved.state, moved.reason) == (State.WAITING, Reason.ORDERED)
    assert await desk.read(child) == moved
    (moved,) = (await desk.succeed(ahead)).unblocked
    assert (moved.id, moved.state) == (child.id, State.READY)


async def test_a_child_at_the_head_of_its_order_key_still_waits_for_its_parent(desk: Desk) -> None:
    parent, ahead = await desk.running(), await desk.running(order_key="o")
    child = await child_of(desk, parent, order_key="o")
    behind = await desk.accepted(order_key="o")
    assert (await desk.succeed(ahead)).unblocked == []
    assert (await desk.read(child)).reason is Reason.PARENTS
    assert await desk.store.key_holders("o") == [child.id, behind.id]
    (moved,) = (await desk.succeed(parent)).unblocked
    assert (moved.id, moved.state) == (child.id, State.READY)
    (moved,) = (await desk.succeed(await desk.run(moved))).unblocked
    assert (moved.id, moved.state) == (behind.id, State.READY)


async def test_a_parent_with_the_same_order_key_as_its_child(desk: Desk) -> None:
    parent = await desk.running(order_key="o")
    child = await child_of(desk, parent, order_key="o")
    (moved,) = (await desk.succeed(parent)).unblocked
    assert (moved.id, moved.state) == (child.id, State.READY)


async def test_a_failed_child_frees_its_keys_and_the_next_of_its_order_key_goes_on(desk: Desk) -> None:
    parent = await desk.running()
    child = await child_of(desk, parent, order_key="o", unique_key="u")
    behind = await desk.accepted(order_key="o")
    applied = await desk.apply(desk.failure(parent))
    assert [(task.id, task.state) for task in applied.unblocked] == [
        (child.id, State.FAILED),
        (behind.id, State.READY),
    ]
    assert await desk.accepted(unique_key="u")
    assert await desk.store.key_holders("o") == [behind.id]


async def test_a_child_and_its_order_keys_holder_end_their_waits_in_one_batch(desk: Desk) -> None:
    parent, ahead = await desk.running(), await desk.running(order_key="o")
    child = await child_of(desk, parent, order_key="o")
    (moved,) = (await desk.apply(desk.success(parent), desk.success(ahead))).unblocked
    assert (moved.id, moved.state, moved.reason) == (child.id, State.READY, Reason.UNBLOCKED)


async def test_a_cancelled_waiting_child_takes_its_children_with_it(desk: Desk) -> None:
    parent = await desk.running()
    child = await child_of(desk, parent)
    grandchild, anyway = await child_of(desk, child), await child_of(desk, child, run_anyway=True)
    applied = await desk.apply(lifecycle.cancel(child, "", desk.now, KEEP))
    assert [(task.id, task.state) for task in applied.unblocked] == [
        (grandchild.id, State.FAILED),
        (anyway.id, State.READY),
    ]
    assert (await desk.succeed(parent)).unblocked == []
    assert (await desk.read(child)).state is State.CANCELLED


async def test_a_child_that_is_cancelled_with_its_failing_parent_is_cancelled(desk: Desk) -> None:
    parent = await desk.running()
    child = await child_of(desk, parent)
    applied = await desk.apply(desk.failure(parent), lifecycle.cancel(child, "", desk.now, KEEP))
    assert applied.accepted == {parent.seq, child.seq}
    assert applied.unblocked == []
    assert (await desk.read(child)).state is State.CANCELLED


async def test_a_failed_child_can_be_run_again_by_hand(desk: Desk) -> None:
    parent = await desk.running()
    child = await child_of(desk, parent)
    await desk.apply(desk.failure(parent))
    again = lifecycle.run_again(await desk.read(child), desk.now)
    assert await desk.change(again)
    assert (await desk.read(child)).state is State.READY
    parent = await desk.read(parent)
    assert await desk.change(lifecycle.run_again(parent, desk.now))
    assert (await desk.succeed(await desk.run(await desk.read(parent)))).unblocked == []
    assert (await desk.read(child)).state is State.READY


async def test_a_child_of_a_parent_that_runs_again_waits_for_it(desk: Desk) -> None:
    parent = await desk.ended()
    assert await desk.change(lifecycle.run_again(parent, desk.now))
    child = await child_of(desk, parent)
    assert child.state is State.WAITING
    assert [task.id for task in (await desk.succeed(await desk.run(await desk.read(parent)))).unblocked] == [child.id]


async def test_an_expired_waiting_child_is_no_more_waited_with(desk: Desk) -> None:
    parent = await desk.running()
    child = await child_of(desk, parent, expires=5)
    desk.clock.advance(6)
    assert await desk.change(lifecycle.expire(child, desk.now, KEEP))
    assert await desk.store.children(parent.id, 10) == []
    assert (await desk.succeed(parent)).unblocked == []


async def test_a_removed_parent_is_unknown_and_its_children_have_gone_on(desk: Desk) -> None:
    parent = await desk.running()
    child = await child_of(desk, parent)
    await desk.succeed(parent)
    assert await desk.store.remove([parent.id]) == {parent.id: State.SUCCEEDED}
    assert (await desk.read(child)).state is State.READY
    (receipt,) = await desk.submit(desk.entry(after=(parent.id,)))
    assert receipt.refusal is not None
    assert receipt.refusal.code == "parent_not_found"


async def test_a_stale_finish_of_a_parent_moves_nobody_on(desk: Desk) -> None:
    parent = await desk.running()
    child = await child_of(desk, parent)
    assert await desk.change(lifecycle.release(parent, desk.now, Reason.DRAINED, KEEP))
    applied = await desk.succeed(parent)
    assert (applied.accepted, applied.unblocked) == (set(), [])
    assert (await desk.read(child)).state is State.WAITING


async def test_at_most_a_hundred_parents_are_named_and_as_many_children_as_asked(desk: Desk) -> None:
    parents = [desk.entry() for _ in range(120)]
    await desk.submit(*parents)
    child = await desk.accepted(after=tuple(entry.task.id for entry in parents))
    assert await desk.store.parents(child.seq) == [(entry.task.id, State.READY) for entry in parents[:100]]
    more = [await child_of(desk, parents[0].task) for _ in range(3)]
    assert await desk.store.children(parents[0].task.id, 2) == [child.id, more[0].id]
    assert await desk.store.children(os.urandom(16), 2) == []
