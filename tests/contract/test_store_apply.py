from __future__ import annotations

from dataclasses import replace

from desk import KEEP, RETRIED, TTL, Desk

from rota.model import lifecycle
from rota.model.change import Move
from rota.model.retry import SECOND
from rota.model.task import AttemptRecord, Reason, State


async def test_a_claim_leases_a_ready_task(desk: Desk) -> None:
    task = await desk.running(worker=4)
    assert (task.state, task.reason, task.attempt, task.worker) == (State.RUNNING, Reason.LEASED, 1, 4)
    assert (task.claimed_at, task.due_at, task.started_at) == (desk.now, desk.now + TTL, None)


async def test_of_two_claims_one_wins(desk: Desk) -> None:
    task = await desk.accepted()
    assert await desk.change(lifecycle.claim(task, 1, desk.now, TTL))
    assert not await desk.change(lifecycle.claim(task, 2, desk.now, TTL))
    assert (await desk.read(task)).worker == 1


async def test_the_accepted_of_a_mixed_batch_are_exact(desk: Desk) -> None:
    tasks = [await desk.accepted() for _ in range(9)]
    for task in tasks[::2]:
        assert await desk.change(lifecycle.claim(task, 1, desk.now, TTL))
    applied = await desk.apply(*(lifecycle.claim(task, 2, desk.now, TTL) for task in tasks))
    assert applied.accepted == {task.seq for task in tasks[1::2]}
    assert [(await desk.read(task)).worker for task in tasks] == [1, 2, 1, 2, 1, 2, 1, 2, 1]
    assert (await desk.store.counts())[State.RUNNING] == 9


async def test_all_kinds_of_change_in_one_batch(desk: Desk) -> None:
    ready, fresh, old, done, lost = [await desk.accepted() for _ in range(5)]
    fresh, old, done = [await desk.run(task) for task in (fresh, old, done)]
    lost = await desk.run(lost, started=True)
    desk.clock.advance(1)
    applied = await desk.apply(
        lifecycle.claim(ready, 2, desk.now, TTL),
        lifecycle.start(fresh, desk.now),
        lifecycle.renew(old, desk.now, TTL),
        desk.success(done),
        lifecycle.release(lost, desk.now, Reason.DRAINED, KEEP),
        lifecycle.claim(replace(ready, seq=999_999), 2, desk.now, TTL),
    )
    assert applied.accepted == {task.seq for task in (ready, fresh, old, done, lost)}
    states = [(await desk.read(task)).state for task in (ready, fresh, old, done, lost)]
    assert states == [State.RUNNING, State.RUNNING, State.RUNNING, State.SUCCEEDED, State.READY]
    assert (await desk.read(fresh)).started_at == desk.now
    assert (await desk.read(old)).due_at == desk.now + TTL


async def test_a_start_and_a_renewal_need_the_holder(desk: Desk) -> None:
    task = await desk.running(worker=1)
    other = replace(task, worker=2)
    older = replace(task, attempt=0)
    for stale in (other, older):
        assert not await desk.change(lifecycle.start(stale, desk.now))
        assert not await desk.change(lifecycle.renew(stale, desk.now, 2 * TTL))
        assert not await desk.change(desk.success(stale))
    assert await desk.read(task) == task


async def test_a_finish_keeps_its_outcome(desk: Desk) -> None:
    task = await desk.running(started=True)
    desk.clock.advance(2)
    assert (await desk.succeed(task, b'{"sum": 3}')).accepted == {task.seq}
    ended = await desk.read(task)
    assert (ended.state, ended.reason, ended.outcome) == (State.SUCCEEDED, Reason.RETURNED, b'{"sum": 3}')
    assert (ended.started_at, ended.ended_at) == (desk.now - 2 * SECOND, desk.now)
    assert ended.due_at == KEEP.until(desk.now, State.SUCCEEDED, ended.spec)
    assert desk.store.unended == 0


async def test_a_large_outcome_is_read_back(desk: Desk) -> None:
    task = await desk.running()
    result = b'"%s"' % (b"z" * 500_000)
    await desk.succeed(task, result)
    assert (await desk.read(task)).outcome == result


async def test_a_task_finishes_once(desk: Desk) -> None:
    task = await desk.running()
    first, second = desk.success(task, b"1"), desk.success(task, b"2")
    assert await desk.change(first)
    assert not await desk.change(second)
    assert not await desk.change(first)
    assert (await desk.read(task)).outcome == b"1"


async def test_a_failed_try_is_kept_and_waits_for_its_retry(desk: Desk) -> None:
    task = await desk.running(worker=3, started=True, retry=RETRIED)
    assert await desk.change(desk.failure(task))
    waiting = await desk.read(task)
    assert (waiting.state, waiting.reason, waiting.failures) == (State.SCHEDULED, Reason.RETRY, 1)
    assert waiting.due_at == desk.now + RETRIED.delay
    (past,) = await desk.store.attempts(task.seq)
    assert (past.attempt, past.worker, past.reason, past.late) == (1, 3, Reason.RAISED, None)
    assert past.outcome is not None


async def test_a_retry_is_promoted_only_when_its_time_has_come(desk: Desk) -> None:
    task = await desk.running(retry=RETRIED)
    await desk.change(desk.failure(task))
    waiting = await desk.read(task)
    assert not await desk.change(lifecycle.promote(waiting, desk.now))
    desk.clock.advance(1)
    assert await desk.change(lifecycle.promote(waiting, desk.now))
    ready = await desk.read(task)
    assert (ready.state, ready.reason, ready.due_at) == (State.READY, Reason.DUE, None)


async def test_past_attempts_of_refused_changes_are_not_kept(desk: Desk) -> None:
    task = await desk.running(started=True, retry=RETRIED)
    change = desk.failure(task)
    await desk.succeed(task)
    assert not await desk.change(change)
    assert await desk.store.attempts(task.seq) == []


async def test_only_a_lapsed_lease_is_rescued(desk: Desk) -> None:
    task = await desk.running(started=True)
    rescue = lifecycle.rescue(task, desk.now, KEEP)
    assert not await desk.change(rescue)
    desk.clock.advance(31)
    assert await desk.change(rescue)
    rescued = await desk.read(task)
    assert (rescued.state, rescued.reason, rescued.rescues, rescued.worker) == (
        State.READY,
        Reason.LEASE_LOST,
        1,
        None,
    )


async def test_a_lease_renewed_after_the_look_is_not_rescued(desk: Desk) -> None:
    task = await desk.running(started=True)
    desk.clock.advance(31)
    (seen,) = await desk.store.due(State.RUNNING, desk.now, None, 10)
    assert await desk.change(lifecycle.renew(task, desk.now, TTL))
    assert not await desk.change(lifecycle.rescue(seen, desk.now, KEEP))
    assert (await desk.read(task)).state is State.RUNNING


async def test_a_finish_between_the_reapers_look_and_its_write_stands(desk: Desk) -> None:
    task = await desk.running(started=True)
    desk.clock.advance(31)
    (seen,) = await desk.store.due(State.RUNNING, desk.now, None, 10)
    assert (await desk.succeed(task)).accepted
    assert not await desk.change(lifecycle.rescue(seen, desk.now, KEEP))
    ended = await desk.read(task)
    assert (ended.state, ended.rescues) == (State.SUCCEEDED, 0)


async def test_a_task_claimed_again_in_the_reapers_gap_is_untouched(desk: Desk) -> None:
    task = await desk.running(started=True)
    desk.clock.advance(31)
    (seen,) = await desk.store.due(State.RUNNING, desk.now, None, 10)
    assert await desk.change(lifecycle.release(task, desk.now, Reason.DRAINED, KEEP))
    fresh = await desk.run(await desk.read(task), worker=1)
    desk.clock.advance(31)
    assert not await desk.change(lifecycle.rescue(seen, desk.now, KEEP))
    assert await desk.read(task) == fresh


async def test_a_zombies_finish_is_refused(desk: Desk) -> None:
    zombie = await desk.running(worker=1, started=True)
    desk.clock.advance(31)
    assert await desk.change(lifecycle.rescue(zombie, desk.now, KEEP))
    fresh = await desk.run(await desk.read(zombie), worker=2)
    assert not await desk.change(desk.success(zombie, b"old"))
    assert (await desk.succeed(fresh, b"new")).accepted
    assert not await desk.change(desk.success(zombie, b"old"))
    assert (await desk.read(fresh)).outcome == b"new"


async def test_the_same_worker_as_a_zombie_of_itself_is_refused(desk: Desk) -> None:
    zombie = await desk.running(worker=1, started=True)
    desk.clock.advance(31)
    await desk.change(lifecycle.rescue(zombie, desk.now, KEEP))
    fresh = await desk.run(await desk.read(zombie), worker=1)
    assert not await desk.change(desk.success(zombie))
    assert await desk.read(fresh) == fresh


async def test_a_wish_to_cancel_is_written_on_a_running_task(desk: Desk) -> None:
    task = await desk.running(started=True)
    wish = lifecycle.cancel(task, "enough", desk.now, KEEP)
    assert wish is not None
    assert await desk.change(wish)
    asked = await desk.read(task)
    assert (asked.state, asked.reason, asked.due_at) == (State.RUNNING, Reason.CANCEL_ASKED, task.due_at)
    assert await desk.change(lifecycle.stop(asked, Reason.CANCELLED_BY_CALLER, "", None, desk.now, KEEP))
    assert (await desk.read(task)).state is State.CANCELLED


async def test_a_cancel_from_an_older_look_does_not_stop_a_claimed_task(desk: Desk) -> None:
    seen = await desk.accepted()
    task = await desk.run(seen)
    late = lifecycle.cancel(seen, "", desk.now, KEEP)
    assert late is not None
    assert not await desk.change(late)
    assert await desk.read(task) == task


async def test_a_task_expires_only_after_its_instant_and_unstarted(desk: Desk) -> None:
    task, claimed = await desk.accepted(expires=5), await desk.accepted(expires=5)
    assert not await desk.change(lifecycle.expire(task, desk.now, KEEP))
    desk.clock.advance(5)
    late = lifecycle.expire(claimed, desk.now, KEEP)
    await desk.run(claimed)
    assert (await desk.apply(lifecycle.expire(task, desk.now, KEEP), late)).accepted == {task.seq}
    assert (await desk.read(task)).state is State.EXPIRED


async def test_the_end_of_a_task_lets_the_next_of_its_order_key_go(desk: Desk) -> None:
    first, second, third = [desk.entry(order_key="o") for _ in range(3)]
    await desk.submit(first, second, third)
    applied = await desk.succeed(await desk.run(await desk.read(first.task)))
    (unblocked,) = applied.unblocked
    assert (unblocked.id, unblocked.state, unblocked.reason) == (second.task.id, State.READY, Reason.UNBLOCKED)
    assert unblocked == await desk.read(second.task)
    assert (await desk.read(third.task)).state is State.WAITING


async def test_a_retry_does_not_let_the_next_of_its_order_key_go(desk: Desk) -> None:
    first, second = desk.entry(order_key="o", retry=RETRIED), desk.entry(order_key="o")
    await desk.submit(first, second)
    applied = await desk.apply(desk.failure(await desk.run(await desk.read(first.task))))
    assert applied.accepted
    assert applied.unblocked == []


async def test_a_stale_finish_frees_no_keys(desk: Desk) -> None:
    first, second = desk.entry(order_key="o", unique_key="u"), desk.entry(order_key="o")
    await desk.submit(first, second)
    zombie = await desk.run(await desk.read(first.task), started=True)
    desk.clock.advance(31)
    await desk.change(lifecycle.rescue(zombie, desk.now, KEEP))
    await desk.run(await desk.read(zombie), worker=2)
    applied = await desk.succeed(zombie)
    assert (applied.accepted, applied.unblocked) == (set(), [])
    (receipt,) = await desk.submit(desk.entry(unique_key="u"))
    assert receipt.duplicate


async def test_cancelling_a_waiting_task_passes_over_it(desk: Desk) -> None:
    first, second, third = [desk.entry(order_key="o") for _ in range(3)]
    await desk.submit(first, second, third)
    cancel = lifecycle.cancel(await desk.read(second.task), "", desk.now, KEEP)
    assert cancel is not None
    applied = await desk.apply(cancel)
    assert (len(applied.accepted), applied.unblocked) == (1, [])
    applied = await desk.succeed(await desk.run(await desk.read(first.task)))
    assert [task.id for task in applied.unblocked] == [third.task.id]


async def test_holder_and_next_ending_in_one_batch_let_the_third_go(desk: Desk) -> None:
    first, second, third = [desk.entry(order_key="o") for _ in range(3)]
    await desk.submit(first, second, third)
    cancels = [lifecycle.cancel(await desk.read(entry.task), "", desk.now, KEEP) for entry in (first, second)]
    applied = await desk.apply(*(cancel for cancel in cancels if cancel))
    assert len(applied.accepted) == 2
    assert [task.id for task in applied.unblocked] == [third.task.id]


async def test_an_unblocked_task_whose_time_is_ahead_is_scheduled(desk: Desk) -> None:
    await desk.submit(first := desk.entry(order_key="o"), second := desk.entry(order_key="o", delay=60))
    (unblocked,) = (await desk.succeed(await desk.run(await desk.read(first.task)))).unblocked
    assert (unblocked.state, unblocked.due_at) == (State.SCHEDULED, desk.now + 60 * SECOND)
    assert await desk.read(second.task) == unblocked


async def test_order_keys_do_not_mix(desk: Desk) -> None:
    entries = [desk.entry(order_key=key) for key in ("a", "b", "a", "b")]
    await desk.submit(*entries)
    runs = [await desk.run(await desk.read(entry.task)) for entry in entries[:2]]
    applied = await desk.apply(*(desk.success(task) for task in runs))
    assert [task.id for task in applied.unblocked] == [entry.task.id for entry in entries[2:]]


async def test_an_ended_task_runs_again_with_fresh_budgets(desk: Desk) -> None:
    task = await desk.ended(started=True)
    assert await desk.change(lifecycle.run_again(task, desk.now))
    again = await desk.read(task)
    assert (again.state, again.reason, again.attempt, again.outcome) == (State.READY, Reason.RUN_AGAIN, 1, None)
    (past,) = await desk.store.attempts(task.seq)
    assert (past.attempt, past.reason, past.outcome) == (1, Reason.RETURNED, b"3")
    assert desk.store.unended == 1


async def test_a_revived_task_takes_its_unique_key_again(desk: Desk) -> None:
    task = await desk.ended(unique_key="u")
    assert await desk.change(lifecycle.run_again(task, desk.now))
    (receipt,) = await desk.submit(desk.entry(unique_key="u"))
    assert (receipt.task_id, receipt.duplicate) == (task.id, True)


async def test_a_task_whose_unique_key_is_held_is_not_revived(desk: Desk) -> None:
    task = await desk.ended(unique_key="u")
    holder = await desk.accepted(unique_key="u")
    assert not await desk.change(lifecycle.run_again(task, desk.now))
    assert await desk.read(task) == task
    assert await desk.store.attempts(task.seq) == []
    await desk.succeed(await desk.run(holder))
    assert await desk.change(lifecycle.run_again(task, desk.now))


async def test_a_key_freed_by_a_batch_may_be_taken_by_it(desk: Desk) -> None:
    task = await desk.ended(unique_key="u")
    holder = await desk.running(unique_key="u")
    applied = await desk.apply(lifecycle.run_again(task, desk.now), desk.success(holder))
    assert applied.accepted == {task.seq, holder.seq}
    assert (await desk.submit(desk.entry(unique_key="u")))[0].task_id == task.id


async def test_of_two_revived_for_one_key_the_first_wins(desk: Desk) -> None:
    first, second = await desk.ended(unique_key="u"), await desk.ended(unique_key="u")
    applied = await desk.apply(lifecycle.run_again(second, desk.now), lifecycle.run_again(first, desk.now))
    assert applied.accepted == {second.seq}


async def test_a_revived_task_waits_behind_the_holder_of_its_order_key(desk: Desk) -> None:
    task = await desk.ended(order_key="o")
    holder = await desk.running(order_key="o")
    assert await desk.change(lifecycle.run_again(task, desk.now))
    assert (await desk.read(task)).state is State.WAITING
    assert [freed.id for freed in (await desk.succeed(holder)).unblocked] == [task.id]


async def test_a_revived_task_holds_a_free_order_key(desk: Desk) -> None:
    task = await desk.ended(order_key="o")
    assert await desk.change(lifecycle.run_again(task, desk.now))
    follower = await desk.accepted(order_key="o")
    assert (await desk.read(task)).state is State.READY
    assert follower.state is State.WAITING


async def test_an_attempts_record_keeps_the_note_that_came_before_it(desk: Desk) -> None:
    task = await desk.running(started=True, retry=RETRIED)
    await desk.store.note_late(task.seq, 1, "late")
    await desk.change(desk.failure(task))
    (past,) = await desk.store.attempts(task.seq)
    assert (past.reason, past.late) == (Reason.RAISED, "late")


async def test_a_move_sets_every_column_it_names(desk: Desk) -> None:
    task = await desk.running(started=True)
    past = AttemptRecord(task.seq, 1, 1, 2, 3, 4, Reason.TIMED_OUT, b"x")
    move = Move(
        task.seq,
        State.RUNNING,
        1,
        1,
        State.FAILED,
        Reason.ABANDONED,
        11,
        12,
        13,
        14,
        15,
        16,
        17,
        18,
        b"out",
        past,
        expire_at=19,
    )
    assert await desk.change(move)
    move.onto(task)
    assert await desk.read(task) == task
    assert await desk.store.attempts(task.seq) == [past]


async def test_a_revived_task_has_no_expiry_any_more(desk: Desk) -> None:
    task = await desk.accepted(expires=1)
    desk.clock.advance(2)
    assert await desk.change(lifecycle.expire(task, desk.now, KEEP))
    assert await desk.change(lifecycle.run_again(await desk.read(task), desk.now))
    assert (await desk.read(task)).expire_at is None
    assert await desk.store.expiring(desk.now + SECOND, None, 10) == []
