"""Reports, leases, rescues, cancels: finished once, by the newest attempt."""

import pytest

from rota.life import failpoint
from rota.model import lifecycle
from rota.model.errors import Conflict, NotFound
from rota.model.failure import Failure
from rota.model.lifecycle import Retention
from rota.model.log import LogLine, Progress
from rota.model.method import Options
from rota.model.report import Held, Verdict
from rota.model.task import Reason, State
from rota.model.worker import Load

from engine_kit import Waiting  # isort: skip

SECOND = 1_000_000


async def test_a_waiter_is_told_once_of_each_task_and_in_batches(rig) -> None:
    worker, waiter = await rig.worker(slots=3), Waiting()
    ids = await rig.submit(count=3, waiter=waiter)
    await worker.session.finished([])
    refs = await worker.gets(3)
    from rota.model.report import Report

    await worker.session.finished([Report(*ref, Verdict.SUCCEEDED, b"1") for ref in refs])
    assert set(await waiter.hears(3)) == set(ids)
    assert waiter.calls == 1
    late = Waiting()
    assert await rig.engine.wait([*ids, b"?" * 16], late) == [b"?" * 16]
    assert len(late.tasks) == 3


@pytest.mark.parametrize(
    ("waited", "options", "patient"),
    [
        (False, Options(), True),
        (True, Options(), False),
        (False, Options(order_key="k"), False),
        (False, Options(unique_key="k"), False),
    ],
)
async def test_a_finish_is_written_at_once_where_somebody_waits_for_it(
    rig, monkeypatch, waited, options, patient
) -> None:
    worker = await rig.worker()
    await rig.submit(waiter=Waiting() if waited else None, options=options)
    (ref,) = await worker.gets(1)
    said, apply = [], rig.store.apply

    async def noting(changes, *, patient=False):
        said.append(patient)
        return await apply(changes, patient=patient)

    monkeypatch.setattr(rig.store, "apply", noting)
    assert await worker.report(ref) == []
    assert said == [patient]


@pytest.mark.engine(lease_ttl=50_000, prefetch=0)
@pytest.mark.parametrize("express", [True, False])
async def test_a_lease_that_is_never_renewed_lapses_and_its_worker_gets_nothing_until_it_is_heard_of(
    rig, express
) -> None:
    silent = None if not express else await rig.worker()
    (task_id,) = await rig.submit()
    silent = silent or await rig.worker()
    assert await silent.gets(1) == [(task_id, 1)]
    rig.clock.advance(0.1)
    other = await rig.worker(slots=1)
    assert await other.gets(1) == [(task_id, 2)]
    (behind,) = await rig.submit()
    assert await silent.gets(0) == []
    silent.session.heartbeat(Load())
    assert await silent.gets(1) == [(behind, 1)]


async def test_a_failed_try_comes_again_after_its_wait(rig) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit(options=Options(retries=1, retry_delay=5 * SECOND, retry_jitter=0.0))
    await worker.fails((await worker.gets(1))[0])
    task = await rig.task(task_id)
    assert (task.state, task.failures) == (State.SCHEDULED, 1)
    await rig.advance(5.1)
    (again,) = await worker.gets(1)
    assert again == (task_id, 2)
    await worker.fails(again)
    task = await rig.task(task_id)
    assert (task.state, task.failures) == (State.FAILED, 2)
    details = (await rig.engine.details([task]))[task.seq]
    assert [past.attempt for past in details.attempts] == [1]
    assert Failure.unpack(details.attempts[0].outcome).message == "boom"


async def test_the_same_report_sent_again_is_answered_alike_and_changes_nothing(rig) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit()
    (ref,) = await worker.gets(1)
    assert await worker.report(ref) == []
    before = await rig.task(task_id)
    assert await worker.report(ref) == []
    assert await rig.task(task_id) == before
    (refused,) = await worker.report(ref, result=b"2")
    assert refused.code == "conflict"
    assert await rig.task(task_id) == before


async def test_the_same_failure_sent_again_spends_the_budget_once(rig) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit(options=Options(retries=3))
    (ref,) = await worker.gets(1)
    assert await worker.fails(ref) == []
    assert await worker.fails(ref) == []
    assert (await rig.task(task_id)).failures == 1


async def test_a_report_on_an_unknown_task_is_refused(rig) -> None:
    worker = await rig.worker()
    (refused,) = await worker.report((b"x" * 16, 1))
    assert refused.code == "task_not_found"


async def test_a_zombie_is_refused_after_its_lease_was_rescued_and_its_result_is_noted(rig) -> None:
    zombie = await rig.worker()
    (task_id,) = await rig.submit()
    (ref,) = await zombie.gets(1)
    zombie.starts(ref)
    await rig.advance(31)
    zombie.session.heartbeat(Load())
    other = (await zombie.gets(1))[0]
    assert other == (task_id, 2)
    (refused,) = await zombie.report(ref)
    assert refused.code == "stale_attempt"
    assert await zombie.report(other, result=b"42") == []
    task = await rig.task(task_id)
    assert (task.state, task.outcome, task.rescues) == (State.SUCCEEDED, b"42", 1)
    (past,) = (await rig.engine.details([task]))[task.seq].attempts
    assert past.late == "succeeded after its lease was lost"


async def test_heartbeats_keep_a_lease_for_as_long_as_they_come(rig) -> None:
    from rota.model.worker import Load

    worker = await rig.worker()
    (task_id,) = await rig.submit()
    (ref,) = await worker.gets(1)
    worker.starts(ref)
    for _ in range(10):
        await rig.advance(10)
        worker.session.heartbeat(Load(cpu=0.5))
        now = rig.clock.now()

        async def renewed(now: int = now) -> bool:
            return (await rig.task(task_id)).due_at > now + 15 * SECOND

        await rig.until(renewed)
    assert await worker.report(ref) == []
    assert (await rig.task(task_id)).attempt == 1


async def test_a_killed_worker_gives_unstarted_tasks_back_at_once_and_started_ones_in_seconds(rig) -> None:
    worker = await rig.worker(slots=2)
    started, unstarted = await rig.submit(count=2)
    refs = await worker.gets(2)
    worker.starts(refs[0])
    other = await rig.worker(slots=2)
    await worker.session.closed(False, "connection reset")
    assert [ref[0] for ref in await other.gets(1)] == [unstarted]
    await rig.advance(4.9)
    assert other.tasks == []
    await rig.advance(0.2)
    assert await other.gets(1) == [(started, 2)]
    assert [(await rig.task(task_id)).rescues for task_id in (started, unstarted)] == [1, 0]


async def test_a_worker_that_comes_back_in_time_keeps_its_started_task(rig) -> None:
    worker = await rig.worker(worker_id="w")
    (task_id,) = await rig.submit()
    (ref,) = await worker.gets(1)
    worker.starts(ref)
    await worker.session.closed(False, "network")
    await rig.advance(3)
    assert await worker.connect(held=[Held(*ref, 1)]) == []
    await rig.advance(20)
    assert await worker.report(ref) == []
    assert (await rig.task(task_id)).rescues == 0


async def test_a_worker_that_comes_back_too_late_is_told_what_it_lost(rig) -> None:
    worker = await rig.worker(worker_id="w")
    await rig.submit()
    (ref,) = await worker.gets(1)
    worker.starts(ref)
    await worker.session.closed(False, "network")
    other = await rig.worker()
    await rig.advance(6)
    assert (await other.gets(1))[0][1] == 2
    assert await worker.connect(held=[Held(*ref, 1)]) == [ref]


async def test_a_draining_worker_gives_tasks_back_without_spending_anything(rig) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit(options=Options(retries=1))
    (ref,) = await worker.gets(1)
    worker.starts(ref)
    await worker.session.released([ref], "draining")
    task = await rig.task(task_id)
    assert (task.state, task.failures, task.rescues) == (State.READY, 0, 0) or task.attempt == 2


async def test_the_third_lost_worker_makes_a_task_poison_and_leaves_its_neighbours_alone(rig) -> None:
    (poison,) = await rig.submit("poison")
    (innocent,) = await rig.submit("m")
    for _ in range(3):
        worker = await rig.worker("poison", "m", slots=2)
        refs = await worker.gets(2)
        worker.starts(*[ref for ref in refs if ref[0] == poison])
        await worker.session.closed(False, "died")
        await rig.advance(6)
    assert (await rig.task(poison)).reason is Reason.POISONED
    task = await rig.task(innocent)
    assert (task.state, task.rescues, task.failures) == (State.READY, 0, 0)


async def test_a_crash_is_a_rescue_that_needs_no_lapse_and_the_third_is_poison(rig) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit(options=Options(retries=5))
    lost = Failure(("ProcessLost",), "killed by signal 11")
    for attempt in (1, 2, 3):
        (ref,) = await worker.gets(1)
        assert ref == (task_id, attempt), "it is given out again at once"
        assert await worker.report(ref, Verdict.CRASHED, failure=lost) == []
    task = await rig.task(task_id)
    assert (task.state, task.reason, task.rescues, task.failures) == (State.FAILED, Reason.POISONED, 3, 0)
    assert "killed by signal 11" in Failure.unpack(task.outcome).message
    assert (await rig.engine.figures()).rescued == 2, "the third is a failure"


async def test_a_crash_told_twice_is_one(rig) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit()
    (ref,) = await worker.gets(1)
    await worker.connect(held=[Held(*ref, 1)], draining=True)
    lost = Failure(("ProcessLost",), "exit code 9")
    for _ in range(2):
        assert await worker.report(ref, Verdict.CRASHED, failure=lost) == []
    task = await rig.task(task_id)
    assert (task.state, task.reason, task.rescues) == (State.READY, Reason.CRASHED, 1)
    other = await rig.worker()
    await other.gets(1)
    (refused,) = await worker.report(ref, Verdict.CRASHED, failure=lost)
    assert refused.code == "stale_attempt"
    assert (await rig.task(task_id)).rescues == 1


async def test_another_process_cannot_take_a_workers_id(rig) -> None:
    await rig.worker(worker_id="w", key=b"mine")
    with pytest.raises(Conflict) as refused:
        await rig.worker(worker_id="w", key=b"other")
    assert refused.value.code == "worker_id_taken"


async def test_cancelling_a_ready_task_ends_it_and_tells_those_who_wait(rig) -> None:
    waiter = Waiting()
    (task_id,) = await rig.submit(waiter=waiter)
    (outcome,) = await rig.engine.cancel([task_id], "changed my mind")
    assert (outcome.state, outcome.pending) == ("cancelled", False)
    assert waiter.tasks == {task_id: State.CANCELLED}
    (again,) = await rig.engine.cancel([task_id], "")
    assert again.refusal.code == "already_finished"


async def test_cancelling_a_running_task_asks_its_worker_and_ends_with_its_word(rig) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit(options=Options(retries=5))
    (ref,) = await worker.gets(1)
    (outcome,) = await rig.engine.cancel([task_id], "")
    assert (outcome.state, outcome.pending) == ("running", True)
    assert worker.cancelled == [ref]
    await worker.report(ref, Verdict.STOPPED)
    assert (await rig.task(task_id)).reason is Reason.CANCELLED_BY_CALLER


async def test_a_cancelled_task_that_fails_instead_of_stopping_is_not_retried(rig) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit(options=Options(retries=5))
    (ref,) = await worker.gets(1)
    await rig.engine.cancel([task_id], "")
    await worker.fails(ref)
    assert (await rig.task(task_id)).state is State.CANCELLED


async def test_a_cancelled_task_whose_worker_is_lost_ends_as_cancelled(rig) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit()
    (ref,) = await worker.gets(1)
    worker.starts(ref)
    await rig.engine.cancel([task_id], "")
    await worker.session.closed(False, "died")
    await rig.advance(6)
    assert (await rig.task(task_id)).state is State.CANCELLED


async def test_an_ended_task_can_be_run_again(rig) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit()
    await worker.fails((await worker.gets(1))[0])
    (outcome,) = await rig.engine.retry([task_id])
    assert outcome.state == "ready"
    (ref,) = await worker.gets(1)
    assert ref == (task_id, 2)
    (busy,) = await rig.engine.retry([task_id])
    assert busy.refusal.code == "not_finished"


async def test_calls_on_unknown_tasks_say_so(rig) -> None:
    (outcome,) = await rig.engine.cancel([b"x" * 16], "")
    assert isinstance(outcome.refusal, NotFound)


async def test_an_idempotent_submit_makes_one_task(rig) -> None:
    first = await rig.receipts(idempotency_key="order-7")
    second = await rig.receipts(idempotency_key="order-7")
    other = await rig.receipts(idempotency_key="order-7", params=b"2")
    assert second[0].duplicate
    assert second[0].task_id == first[0].task_id
    assert other[0].refusal.code == "idempotency_key_reused"


async def test_a_waiter_of_a_duplicate_is_told_of_the_task_that_stands_for_it(rig) -> None:
    worker, waiter = await rig.worker(), Waiting()
    (first,) = await rig.submit(idempotency_key="k")
    await rig.receipts(idempotency_key="k", waiter=waiter)
    await worker.report((await worker.gets(1))[0])
    assert list(await waiter.hears(1)) == [first]


async def test_log_lines_and_progress_can_be_read_and_followed(rig) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit()
    (ref,) = await worker.gets(1)
    rings: list[int] = []
    stop = await rig.engine.follow(task_id, lambda: rings.append(1))
    worker.session.report(*ref, [LogLine(1, 1, 20, "hello")], Progress(1, 1, 0.5, "half"))
    lines, ended = await rig.engine.read_logs(task_id, 0, 10)
    assert ([line.text for line in lines], ended) == (["hello"], False)
    task = await rig.task(task_id)
    assert (await rig.engine.details([task]))[task.seq].progress.share == 0.5
    assert rings
    await worker.report(ref)
    assert (await rig.engine.read_logs(task_id, lines[-1].number, 10)) == ([], True)
    stop()
    with pytest.raises(NotFound):
        await rig.engine.read_logs(b"x" * 16, 0, 10)


def at_once(work) -> object:
    """Drives a coroutine that has nothing to wait for: something happens between two lines of another."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it had to wait")


async def started_and_lapsed(rig):
    worker = await rig.worker()
    (task_id,) = await rig.submit()
    (ref,) = await worker.gets(1)
    worker.starts(ref)
    return task_id, await rig.task(task_id)


async def test_a_finish_between_the_reapers_read_and_its_write_stands(rig) -> None:
    """The bug that hurt others: the reaper reads a lapsed lease, the worker finishes, the reaper writes."""
    task_id, task = await started_and_lapsed(rig)
    finish = lifecycle.succeed(task, b"7", None, rig.clock.now(), Retention())
    passes: list[object] = []
    failpoint.arm("caretaker.between_read_and_write", lambda: passes.append(at_once(rig.store.apply([finish]))))
    try:
        await rig.advance(31)
    finally:
        failpoint.disarm()
    assert passes[0].accepted == {task.seq}
    task = await rig.task(task_id)
    assert (task.state, task.attempt, task.outcome, task.rescues) == (State.SUCCEEDED, 1, b"7", 0)


async def test_a_new_claim_between_the_reapers_read_and_its_write_stands(rig) -> None:
    task_id, task = await started_and_lapsed(rig)
    now = rig.clock.now() + 31 * SECOND

    def released_and_claimed_by_another() -> None:
        at_once(rig.store.apply([lifecycle.release(task, now, Reason.DRAINED, Retention())]))
        at_once(rig.store.apply([lifecycle.claim(task, 77, now, 30 * SECOND)]))
        failpoint.disarm()

    failpoint.arm("caretaker.between_read_and_write", released_and_claimed_by_another)
    try:
        await rig.advance(31)
    finally:
        failpoint.disarm()
    task = await rig.task(task_id)
    assert (task.state, task.attempt, task.worker, task.rescues) == (State.RUNNING, 2, 77, 0)


async def test_figures_count_what_went_through(rig) -> None:
    worker = await rig.worker()
    await rig.submit(count=2)
    refs = await worker.gets(2)
    await worker.report(refs[0])
    await worker.fails(refs[1])
    figures = await rig.engine.figures()
    assert (figures.submitted, figures.finished, figures.failed, figures.workers) == (2, 2, 1, 1)
    assert figures.tasks[State.SUCCEEDED] == 1
    (record,) = await rig.engine.workers()
    assert (record.facts.id, record.finished, record.in_hand) == (worker.facts.id, 2, 0)


async def test_the_note_of_a_cancel_is_kept_with_a_running_task_too(rig) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit()
    (ref,) = await worker.gets(1)
    await rig.engine.cancel([task_id], "customer left")
    await worker.report(ref, Verdict.STOPPED)
    assert Failure.unpack((await rig.task(task_id)).outcome).message == "customer left"


async def test_a_worker_that_did_not_come_back_after_a_restart_is_not_listed_as_present(rig) -> None:
    from rota.model.worker import Facts

    await rig.store.enlist(Facts("of-an-earlier-start"), ())
    assert await rig.engine.workers() == []
    (record,) = await rig.engine.workers(gone=True)
    assert record.gone_reason == "not heard of since the node started"


async def test_a_said_time_wins_over_a_declared_delay(rig) -> None:
    from rota.model.method import Method

    await rig.worker(Method("m", defaults=Options(delay=5 * SECOND)))
    (receipt,) = await rig.receipts(options=Options(run_at=rig.clock.now() + 9 * SECOND))
    assert receipt.refusal is None
    assert (await rig.task(receipt.task_id)).due_at == rig.clock.now() + 9 * SECOND


async def test_what_a_dead_node_leased_and_never_sent_is_given_anew_when_the_worker_comes_back(rig) -> None:
    worker = await rig.worker(worker_id="w")
    unsent, has = await rig.submit(count=2)
    await worker.gets(2)
    restarted = rig.restarted()
    await restarted.engine.start()
    again = await restarted.worker(worker_id="w", held=[Held(has, 1, 1)])
    assert again.lost == []
    assert await again.gets(1) == [(unsent, 2)]
    assert await again.report((has, 1)) == []
    await restarted.engine.stop()


async def test_an_expired_task_can_be_run_again(rig) -> None:
    (task_id,) = await rig.submit(options=Options(expires=10 * SECOND))
    await rig.advance(11)
    (outcome,) = await rig.engine.retry([task_id])
    assert outcome.state == "ready"
    await rig.advance(60)
    worker = await rig.worker()
    assert await worker.gets(1) == [(task_id, 1)]
