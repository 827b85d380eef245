"""Entries whose sender knows of some groups only: of a task elsewhere they learn nothing, and do nothing to it."""

from __future__ import annotations

import os
from uuid import UUID

import pytest
from desk import Desk

from rota.contract.store import Entry, Receipt
from rota.model.task import State, Task

MINE = frozenset({"a", "c"})
ELSEWHERE = ["b", None]
MODES = ["return", "reject", "replace"]


def bound(entry: Entry) -> Entry:
    entry.bound = MINE
    return entry


def refused(receipt: Receipt, code: str, task: Task) -> None:
    """And the other task is not named."""
    assert receipt.refusal is not None
    assert receipt.refusal.code == code
    assert not receipt.duplicate
    assert str(UUID(bytes=task.id)) not in receipt.refusal.detail
    assert (receipt.replaced, receipt.unblocked) == (None, ())


@pytest.mark.parametrize("group", ELSEWHERE)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("running", [False, True])
async def test_a_key_that_is_held_elsewhere_is_taken_in_every_mode(
    desk: Desk, group: str | None, mode: str, running: bool
) -> None:
    holder = await (desk.running if running else desk.accepted)(group=group, unique_key="u")
    (receipt,) = await desk.submit(bound(desk.entry(group="a", unique_key="u", unique_mode=mode)))
    refused(receipt, "unique_key_taken", holder)
    assert receipt.task_id != holder.id
    assert await desk.read(holder) == holder
    assert desk.store.unended == 1


@pytest.mark.parametrize("held_by", sorted(MINE))
async def test_a_key_that_is_held_in_a_group_of_ones_own_is_as_ever(desk: Desk, held_by: str) -> None:
    holder = await desk.accepted(group=held_by, unique_key="u")
    entries = [bound(desk.entry(group="a", unique_key="u", unique_mode=mode)) for mode in MODES]
    same, refusal, newer = await desk.submit(*entries)
    assert same == Receipt(holder.id, duplicate=True)
    assert refusal.refusal is not None
    assert str(UUID(bytes=holder.id)) in refusal.refusal.detail
    assert newer.replaced is not None
    assert newer.replaced.id == holder.id


@pytest.mark.parametrize("mode", MODES)
async def test_a_key_that_another_of_the_same_batch_took(desk: Desk, mode: str) -> None:
    first = desk.entry(group="b", unique_key="u")
    taken, other = await desk.submit(first, bound(desk.entry(group="a", unique_key="u", unique_mode=mode)))
    assert taken.refusal is None
    refused(other, "unique_key_taken", first.task)


async def test_a_key_is_free_again_once_its_holder_elsewhere_has_ended(desk: Desk) -> None:
    await desk.succeed(await desk.running(group="b", unique_key="u"))
    entry = bound(desk.entry(group="a", unique_key="u", unique_mode="reject"))
    assert await desk.submit(entry) == [Receipt(entry.task.id)]


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("group", ELSEWHERE)
async def test_the_id_of_a_task_elsewhere_is_reused_though_the_body_is_the_same(
    desk: Desk, group: str | None, ended: bool
) -> None:
    task = await (desk.ended if ended else desk.accepted)(group=group)
    (receipt,) = await desk.submit(bound(desk.entry(group="a", task_id=task.id)))
    refused(receipt, "id_reused", task)
    (own,) = await desk.submit(desk.entry(group="a", task_id=task.id))
    assert own == Receipt(task.id, duplicate=True), "to who is not bound"


@pytest.mark.parametrize("ended", [False, True])
async def test_an_idempotency_key_that_a_task_elsewhere_answered(desk: Desk, ended: bool) -> None:
    task = await (desk.ended if ended else desk.accepted)(group="b", idempotency_key="k")
    (receipt,) = await desk.submit(bound(desk.entry(group="a", idempotency_key="k")))
    refused(receipt, "idempotency_key_reused", task)
    assert await desk.submit(desk.entry(group="a", idempotency_key="k")) == [Receipt(task.id, duplicate=True)]


async def test_ones_own_ids_and_idempotency_keys_are_as_ever(desk: Desk) -> None:
    task = await desk.accepted(group="c", idempotency_key="k")
    repeats = [desk.entry(group="c", task_id=task.id), desk.entry(group="c", idempotency_key="k")]
    assert await desk.submit(*map(bound, repeats)) == [Receipt(task.id, duplicate=True)] * 2


@pytest.mark.parametrize("group", ELSEWHERE)
@pytest.mark.parametrize("ended", [False, True])
async def test_a_parent_elsewhere_is_as_one_that_was_never_there(desk: Desk, group: str | None, ended: bool) -> None:
    own = await desk.accepted(group="c")
    elsewhere = await (desk.ended if ended else desk.accepted)(group=group)
    never = os.urandom(16)
    said = []
    for parent in (elsewhere.id, never):
        (receipt,) = await desk.submit(bound(desk.entry(group="a", after=(own.id, parent))))
        assert receipt.refusal is not None
        said.append((receipt.refusal.code, receipt.refusal.detail.replace(str(UUID(bytes=parent)), "ID")))
    assert said[0] == said[1]
    assert said[0][0] == "parent_not_found"
    entry = bound(desk.entry(group="a", after=(own.id,)))
    assert await desk.submit(entry) == [Receipt(entry.task.id)]
    assert entry.task.state is State.WAITING


async def test_a_parent_of_the_same_batch(desk: Desk) -> None:
    parent = bound(desk.entry(group="a"))
    child = bound(desk.entry(group="c", after=(parent.task.id,)))
    assert [r.refusal for r in await desk.submit(parent, child)] == [None, None]
    assert (await desk.read(child.task)).state is State.WAITING


async def test_who_comes_after_an_own_task_by_the_id_of_its_repeat(desk: Desk) -> None:
    """The repeat stands for the holder of the key, which is in another group of the sender's."""
    holder = await desk.accepted(group="c", unique_key="u")
    repeat = bound(desk.entry(group="a", unique_key="u"))
    child = bound(desk.entry(group="a", after=(repeat.task.id,)))
    assert await desk.submit(repeat, child) == [Receipt(holder.id, duplicate=True), Receipt(child.task.id)]
    await desk.succeed(await desk.run(holder))
    assert (await desk.read(child.task)).state is State.READY


async def test_a_batch_of_all_or_nothing_is_nothing(desk: Desk) -> None:
    await desk.accepted(group="b", unique_key="u")
    entries = [bound(desk.entry(group="a")), bound(desk.entry(group="a", unique_key="u", unique_mode="replace"))]
    receipts = await desk.submit(*entries, atomic=True)
    assert [r.refusal and r.refusal.code for r in receipts] == ["batch_refused", "unique_key_taken"]
    assert desk.store.unended == 1
