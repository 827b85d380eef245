"""Unique keys that are held: return, reject, replace."""

from __future__ import annotations

from uuid import UUID

import pytest
from desk import KEEP, TTL, Desk

from rota.contract.store import Receipt
from rota.model import lifecycle
from rota.model.failure import Failure
from rota.model.retry import RetryPolicy
from rota.model.task import Reason, State


async def test_a_held_key_refuses_who_asks_to_be_refused(desk: Desk) -> None:
    holder = await desk.accepted(unique_key="u")
    (receipt,) = await desk.submit(desk.entry(unique_key="u", unique_mode="reject"))
    assert receipt.refusal is not None
    assert receipt.refusal.code == "unique_key_taken"
    assert str(UUID(bytes=holder.id)) in str(receipt.refusal)
    assert desk.store.unended == 1


async def test_a_repeat_of_one_that_would_be_refused_is_the_same_task(desk: Desk) -> None:
    task = await desk.accepted(unique_key="u", unique_mode="reject", idempotency_key="k")
    for repeat in (
        desk.entry(task_id=task.id, unique_key="u", unique_mode="reject"),
        desk.entry(unique_key="u", unique_mode="reject", idempotency_key="k"),
    ):
        assert await desk.submit(repeat) == [Receipt(task.id, duplicate=True)]


async def test_a_refusal_within_a_batch(desk: Desk) -> None:
    first, second = desk.entry(unique_key="u"), desk.entry(unique_key="u", unique_mode="reject")
    receipts = await desk.submit(first, second, atomic=True)
    assert [receipt.refusal and receipt.refusal.code for receipt in receipts] == ["batch_refused", "unique_key_taken"]
    assert desk.store.unended == 0
    receipts = await desk.submit(first, second)
    assert receipts[0] == Receipt(first.task.id)
    assert receipts[1].refusal is not None


@pytest.mark.parametrize("held", ["ready", "scheduled", "ordered", "after"])
async def test_a_holder_that_has_not_started_is_replaced(desk: Desk, held: str) -> None:
    ahead = await desk.running(order_key="o")
    more = {"ready": {}, "scheduled": {"delay": 60}, "ordered": {"order_key": "o"}, "after": {"after": (ahead.id,)}}
    holder = await desk.accepted(unique_key="u", **more[held])
    entry = desk.entry(unique_key="u", unique_mode="replace")
    (receipt,) = await desk.submit(entry)
    replaced = await desk.read(holder)
    assert receipt == Receipt(entry.task.id, replaced=replaced)
    assert (replaced.state, replaced.reason, replaced.ended_at) == (State.CANCELLED, Reason.REPLACED, desk.now)
    assert replaced.due_at == desk.now + KEEP.otherwise
    assert str(UUID(bytes=entry.task.id)) in Failure.unpack(replaced.outcome).message
    assert await desk.read(entry.task) == entry.task
    assert entry.task.state is State.READY
    assert await desk.submit(desk.entry(unique_key="u")) == [Receipt(entry.task.id, duplicate=True)]
    assert (await desk.succeed(ahead)).unblocked == []


async def test_a_running_holder_goes_on_without_its_key(desk: Desk) -> None:
    holder = await desk.running(unique_key="u", retry=RetryPolicy(retries=1))
    entry = desk.entry(unique_key="u", unique_mode="replace")
    assert await desk.submit(entry) == [Receipt(entry.task.id)]
    assert (await desk.read(holder)).state is State.RUNNING
    assert await desk.change(desk.failure(holder))
    scheduled = await desk.read(holder)
    assert scheduled.state is State.SCHEDULED
    assert await desk.change(lifecycle.cancel(scheduled, "", desk.now, KEEP))
    assert await desk.submit(desk.entry(unique_key="u")) == [Receipt(entry.task.id, duplicate=True)]
    again = lifecycle.run_again(await desk.read(holder), desk.now)
    assert not await desk.change(again)
    await desk.succeed(await desk.run(entry.task))
    assert await desk.change(again)


async def test_what_waited_for_the_replaced_one_moves_on(desk: Desk) -> None:
    holder = await desk.accepted(unique_key="u", order_key="o")
    behind = await desk.accepted(order_key="o")
    child = await desk.accepted(after=(holder.id,))
    anyway = await desk.accepted(after=(holder.id,), run_anyway=True)
    (receipt,) = await desk.submit(desk.entry(unique_key="u", unique_mode="replace"))
    assert receipt.replaced is not None
    assert [(task.id, task.state) for task in receipt.unblocked] == [
        (behind.id, State.READY),
        (child.id, State.FAILED),
        (anyway.id, State.READY),
    ]
    assert [await desk.read(task) for task in receipt.unblocked] == list(receipt.unblocked)


async def test_the_successor_may_stand_behind_the_one_it_replaces(desk: Desk) -> None:
    holder = await desk.accepted(unique_key="u", order_key="o")
    entry = desk.entry(unique_key="u", order_key="o", unique_mode="replace")
    (receipt,) = await desk.submit(entry)
    assert receipt.replaced == await desk.read(holder)
    assert receipt.unblocked == ()
    assert await desk.read(entry.task) == entry.task
    assert (entry.task.state, entry.task.reason) == (State.READY, Reason.UNBLOCKED)


async def test_a_key_that_changes_hands_in_a_batch(desk: Desk) -> None:
    holder = await desk.accepted(unique_key="u")
    entries = [desk.entry(unique_key="u", unique_mode="replace") for _ in range(3)]
    child = desk.entry(after=(entries[0].task.id,))
    receipts = await desk.submit(*entries, child)
    assert [receipt.replaced and receipt.replaced.id for receipt in receipts] == [
        holder.id,
        entries[0].task.id,
        entries[1].task.id,
        None,
    ]
    assert [entry.task.state for entry in entries] == [State.CANCELLED, State.CANCELLED, State.READY]
    assert (child.task.state, child.task.reason) == (State.FAILED, Reason.PARENT_FAILED)
    for task in [*(entry.task for entry in entries), child.task]:
        assert await desk.read(task) == task
    assert (desk.store.unended, receipts[0].unblocked) == (1, ())
    assert await desk.submit(desk.entry(unique_key="u")) == [Receipt(entries[2].task.id, duplicate=True)]


async def test_a_leased_record_of_the_batch_runs_on(desk: Desk) -> None:
    leased, entry = desk.entry(unique_key="u"), desk.entry(unique_key="u", unique_mode="replace")
    lifecycle.claim(leased.task, 7, desk.now, TTL).onto(leased.task)
    assert await desk.submit(leased, entry) == [Receipt(leased.task.id), Receipt(entry.task.id)]
    assert (await desk.read(leased.task)).state is State.RUNNING
    await desk.succeed(leased.task)
    assert await desk.submit(desk.entry(unique_key="u")) == [Receipt(entry.task.id, duplicate=True)]


async def test_a_free_key_is_taken_in_every_mode(desk: Desk) -> None:
    for mode in ("return", "reject", "replace"):
        task = await desk.accepted(unique_key=mode, unique_mode=mode)
        assert task.spec.unique_mode == mode


async def test_a_task_that_fails_with_a_parent_at_once_replaces_nothing(desk: Desk) -> None:
    parent = await desk.running()
    await desk.apply(desk.failure(parent))
    holder = await desk.accepted(unique_key="u")
    entry = desk.entry(unique_key="u", unique_mode="replace", after=(parent.id,))
    assert await desk.submit(entry) == [Receipt(entry.task.id)]
    assert entry.task.state is State.FAILED
    assert await desk.submit(desk.entry(unique_key="u")) == [Receipt(holder.id, duplicate=True)]


async def test_one_that_comes_after_what_it_replaces(desk: Desk) -> None:
    holder = await desk.accepted(unique_key="u")
    failing = desk.entry(unique_key="u", unique_mode="replace", after=(holder.id,))
    (receipt,) = await desk.submit(failing)
    assert receipt.replaced is not None
    assert failing.task.state is State.FAILED
    assert await desk.accepted(unique_key="u")
