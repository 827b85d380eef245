from __future__ import annotations

import os

import pytest
from desk import TTL, Desk

from rota.contract.store import Entry, Receipt
from rota.model import lifecycle
from rota.model.errors import Unavailable
from rota.model.retry import SECOND, RetryPolicy
from rota.model.task import Lane, Reason, Spec, State


async def test_an_accepted_task_is_read_back_whole(desk: Desk) -> None:
    parent = await desk.ended()
    spec = Spec(
        Lane("发邮件", "g", 3, "worker-1", "键"),
        b'{"a": "\\u0000"}',
        priority=-9,
        retry=RetryPolicy(3, 5, 1.5, 100, 0.5, ("OSError",), ("ValueError",)),
        timeout=7,
        result_ttl=8,
        unique_key="唯一",
        order_key="o",
        created_at=desk.now - 1,
        fire_at=desk.now - 2,
        labels=(("k", "v"), ("表", "值")),
        unique_mode="reject",
        concurrency_limit=7,
        after=(parent.id,),
        run_anyway=True,
        batch="批",
        trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    entry = Entry(lifecycle.accept(os.urandom(16), spec, desk.now, None, desk.now + 5))
    assert await desk.submit(entry) == [Receipt(entry.task.id)]
    assert await desk.read(entry.task) == entry.task
    assert entry.task.seq > 0


async def test_ordinals_rise_in_the_order_of_acceptance(desk: Desk) -> None:
    entries = [desk.entry() for _ in range(20)]
    await desk.submit(*entries[:10])
    await desk.submit(*entries[10:])
    seqs = [entry.task.seq for entry in entries]
    assert seqs == sorted(set(seqs))


async def test_callers_records_are_not_the_stores(desk: Desk) -> None:
    entry = desk.entry()
    await desk.submit(entry)
    entry.task.state = State.FAILED
    (await desk.read(entry.task)).state = State.CANCELLED
    assert (await desk.read(entry.task)).state is State.READY


async def test_an_empty_batch_is_no_work(desk: Desk) -> None:
    assert await desk.submit() == []
    assert (await desk.apply()).accepted == set()


async def test_large_batches_and_large_params_pass(desk: Desk) -> None:
    entries = [desk.entry(params=b'"%s"' % (b"x" * (i * 40))) for i in range(1_100)]
    entries.append(desk.entry(params=b'"%s"' % (b"y" * 1_000_000)))
    receipts = await desk.submit(*entries)
    assert not any(receipt.duplicate or receipt.refusal for receipt in receipts)
    found = await desk.store.get([entry.task.id for entry in entries])
    assert [found[entry.task.id] for entry in entries] == [entry.task for entry in entries]


async def test_a_repeated_submit_is_the_same_task(desk: Desk) -> None:
    entry = desk.entry()
    await desk.submit(entry)
    again = desk.entry(task_id=entry.task.id)
    other = desk.entry()
    assert await desk.submit(again, other) == [Receipt(entry.task.id, duplicate=True), Receipt(other.task.id)]
    assert desk.store.unended == 2


async def test_a_repeat_within_a_batch_is_the_same_task(desk: Desk) -> None:
    entry = desk.entry()
    receipts = await desk.submit(entry, desk.entry(task_id=entry.task.id))
    assert receipts == [Receipt(entry.task.id), Receipt(entry.task.id, duplicate=True)]
    assert desk.store.unended == 1


async def test_a_repeat_of_an_ended_task_is_the_same_task(desk: Desk) -> None:
    task = await desk.ended()
    (receipt,) = await desk.submit(desk.entry(task_id=task.id))
    assert receipt.duplicate
    assert (await desk.read(task)).state is State.SUCCEEDED


@pytest.mark.parametrize("other", [{"method": "sub"}, {"params": b"[2,1]"}])
async def test_an_id_with_another_body_is_refused(desk: Desk, other: dict[str, object]) -> None:
    task = await desk.accepted()
    (receipt,) = await desk.submit(desk.entry(task_id=task.id, **other))
    assert receipt.refusal is not None
    assert receipt.refusal.code == "id_reused"
    assert not receipt.duplicate
    assert await desk.read(task) == task


async def test_an_idempotency_key_names_its_first_task(desk: Desk) -> None:
    task = await desk.accepted(idempotency_key="k")
    repeat = desk.entry(idempotency_key="k")
    assert await desk.submit(repeat) == [Receipt(task.id, duplicate=True)]
    assert await desk.store.get([repeat.task.id]) == {}


async def test_an_idempotency_key_outlives_its_task(desk: Desk) -> None:
    task = await desk.ended(idempotency_key="k", result_ttl=1)
    desk.clock.advance(1)
    assert await desk.store.purge(10) == 1
    assert await desk.submit(desk.entry(idempotency_key="k")) == [Receipt(task.id, duplicate=True)]


async def test_an_idempotency_key_with_another_body_is_refused(desk: Desk) -> None:
    await desk.accepted(idempotency_key="k", fingerprint=b"one")
    (receipt,) = await desk.submit(desk.entry(idempotency_key="k", fingerprint=b"two"))
    assert receipt.refusal is not None
    assert receipt.refusal.code == "idempotency_key_reused"


async def test_an_idempotency_key_is_free_after_a_day(desk: Desk) -> None:
    await desk.accepted(idempotency_key="k", fingerprint=b"one")
    desk.clock.advance(24 * 3600 + 1)
    fresh = desk.entry(idempotency_key="k", fingerprint=b"two")
    assert await desk.submit(fresh) == [Receipt(fresh.task.id)]
    assert await desk.submit(desk.entry(idempotency_key="k", fingerprint=b"two")) == [
        Receipt(fresh.task.id, duplicate=True)
    ]


async def test_an_idempotency_key_within_a_batch(desk: Desk) -> None:
    first, second = desk.entry(idempotency_key="k"), desk.entry(idempotency_key="k")
    third = desk.entry(idempotency_key="k", fingerprint=b"other")
    receipts = await desk.submit(first, second, third)
    assert receipts[:2] == [Receipt(first.task.id), Receipt(first.task.id, duplicate=True)]
    assert receipts[2].refusal is not None


async def test_a_unique_key_is_held_until_its_task_ends(desk: Desk) -> None:
    holder = await desk.running(unique_key="u")
    assert await desk.submit(desk.entry(unique_key="u")) == [Receipt(holder.id, duplicate=True)]
    await desk.succeed(holder)
    follower = desk.entry(unique_key="u")
    assert await desk.submit(follower) == [Receipt(follower.task.id)]


async def test_a_unique_key_within_a_batch(desk: Desk) -> None:
    first, second = desk.entry(unique_key="u"), desk.entry(unique_key="u")
    assert await desk.submit(first, second) == [Receipt(first.task.id), Receipt(first.task.id, duplicate=True)]


async def test_a_retry_keeps_the_unique_key(desk: Desk) -> None:
    task = await desk.running(unique_key="u", retry=RetryPolicy(retries=1))
    assert await desk.change(desk.failure(task))
    assert (await desk.read(task)).state is State.SCHEDULED
    assert await desk.submit(desk.entry(unique_key="u")) == [Receipt(task.id, duplicate=True)]


async def test_one_refusal_refuses_an_atomic_batch(desk: Desk) -> None:
    task = await desk.accepted()
    good, bad = desk.entry(unique_key="u", idempotency_key="k"), desk.entry(task_id=task.id, params=b"0")
    receipts = await desk.submit(good, bad, atomic=True)
    assert [receipt.refusal and receipt.refusal.code for receipt in receipts] == ["batch_refused", "id_reused"]
    assert desk.store.unended == 1
    again = desk.entry(unique_key="u", idempotency_key="k", fingerprint=b"other")
    assert await desk.submit(again) == [Receipt(again.task.id)]


async def test_duplicates_do_not_refuse_an_atomic_batch(desk: Desk) -> None:
    task = await desk.accepted()
    fresh = desk.entry()
    receipts = await desk.submit(desk.entry(task_id=task.id), fresh, atomic=True)
    assert receipts == [Receipt(task.id, duplicate=True), Receipt(fresh.task.id)]


async def test_a_refusal_leaves_the_rest_of_a_plain_batch(desk: Desk) -> None:
    task = await desk.accepted()
    fresh = desk.entry()
    receipts = await desk.submit(desk.entry(task_id=task.id, params=b"0"), fresh)
    assert receipts[1] == Receipt(fresh.task.id)
    assert (await desk.read(fresh.task)).state is State.READY


async def test_tasks_of_an_order_key_wait_for_each_other(desk: Desk) -> None:
    first, second, third = (desk.entry(order_key="o") for _ in range(3))
    await desk.submit(first, second)
    await desk.submit(third)
    assert [entry.task.state for entry in (first, second, third)] == [State.READY, State.WAITING, State.WAITING]
    assert (await desk.read(second.task)).reason is Reason.ORDERED
    assert await desk.read(third.task) == third.task


async def test_a_leased_record_is_kept_as_running(desk: Desk) -> None:
    entry = desk.entry()
    lifecycle.claim(entry.task, 7, desk.now, TTL).onto(entry.task)
    await desk.submit(entry)
    task = await desk.read(entry.task)
    assert (task.state, task.attempt, task.worker, task.due_at) == (State.RUNNING, 1, 7, desk.now + TTL)
    assert (await desk.succeed(task)).accepted == {task.seq}


async def test_a_leased_record_that_must_wait_loses_its_lease(desk: Desk) -> None:
    await desk.accepted(order_key="o")
    entry = desk.entry(order_key="o")
    lifecycle.claim(entry.task, 7, desk.now, TTL).onto(entry.task)
    await desk.submit(entry)
    task = await desk.read(entry.task)
    assert task == entry.task
    assert (task.state, task.attempt, task.worker, task.due_at) == (State.WAITING, 0, None, None)


async def test_delayed_and_expiring_tasks_keep_their_instants(desk: Desk) -> None:
    task = await desk.accepted(delay=5, expires=9)
    assert (task.state, task.due_at, task.expire_at) == (
        State.SCHEDULED,
        desk.now + 5 * SECOND,
        desk.now + 9 * SECOND,
    )


async def test_a_closed_store_says_so(desk: Desk) -> None:
    await desk.store.close()
    await desk.store.close()
    for verb in (desk.submit(desk.entry()), desk.apply(), desk.store.get([b"x" * 16]), desk.store.next_due()):
        with pytest.raises(Unavailable) as caught:
            await verb
        assert caught.value.code == "store_unavailable"


async def test_an_id_counts_before_a_key(desk: Desk) -> None:
    task = await desk.accepted()
    fresh, repeat = desk.entry(unique_key="u"), desk.entry(task_id=task.id, unique_key="u")
    assert await desk.submit(fresh, repeat) == [Receipt(fresh.task.id), Receipt(task.id, duplicate=True)]
