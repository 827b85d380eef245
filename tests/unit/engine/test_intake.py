"""What a submission may say, and what follows from it: unique modes, debounce, order, tasks after tasks, batches."""

from __future__ import annotations

import pytest
import uuid_utils
from engine_kit import Rig, Waiting

from rota.engine.fingerprint import fingerprint
from rota.model.failure import Failure
from rota.model.method import Method, Options
from rota.model.submission import Submission
from rota.model.task import Reason, State

SECOND = 1_000_000
YEAR = 366 * 24 * 3600 * SECOND


@pytest.mark.parametrize(
    ("options", "path", "code"),
    [
        (Options(unique_key="k", unique_mode="steal"), "unique_mode", "unknown_mode"),
        (Options(debounce=SECOND), "debounce", "needs_unique_key"),
        (Options(debounce=SECOND, unique_key="k", delay=1), "debounce", "both_given"),
        (Options(debounce=SECOND, unique_key="k", run_at=1), "debounce", "both_given"),
        (Options(debounce=SECOND, unique_key="k", unique_mode="reject"), "unique_mode", "both_given"),
        (Options(debounce=0, unique_key="k"), "debounce", "out_of_range"),
        (Options(concurrency_limit=2), "concurrency_limit", "needs_concurrency_key"),
        (Options(concurrency_limit=0, concurrency_key="k"), "concurrency_limit", "out_of_range"),
        (Options(concurrency_key=""), "concurrency_key", "invalid_key"),
        (Options(concurrency_key="x" * 257), "concurrency_key", "invalid_key"),
        (Options(unique_key="a\nb"), "unique_key", "invalid_key"),
        (Options(delay=1, run_at=1), "delay", "both_given"),
        (Options(priority=1_000_000), "priority", "out_of_range"),
        (Options(timeout=0), "timeout", "out_of_range"),
        (Options(retries=-1), "retries", "out_of_range"),
    ],
)
async def test_options_that_make_no_sense_are_refused_with_their_path(
    rig: Rig, options: Options, path: str, code: str
) -> None:
    (receipt,) = await rig.receipts(options=options)
    assert [(fault.path, fault.code) for fault in receipt.refusal.errors] == [(f"tasks[0].options.{path}", code)]


@pytest.mark.parametrize(
    ("rest", "path", "code"),
    [
        ({"labels": tuple((f"l{n}", "") for n in range(33))}, "labels", "too_many_labels"),
        ({"labels": (("a", "1"), ("a", "2"))}, "labels", "duplicate_label"),
        ({"labels": (("a", "x" * 257),)}, "labels.a", "too_long"),
        ({"labels": (("a", "x\ud800"),)}, "labels.a", "invalid_label"),
        ({"labels": (("", "x"),)}, "labels", "invalid_name"),
        ({"after": (b"short",)}, "after", "invalid_id"),
        ({"after": (b"x" * 16, b"x" * 16)}, "after", "duplicate_parent"),
        ({"after": tuple(n.to_bytes(16, "big") for n in range(1001))}, "after", "too_many_parents"),
        ({"on_parent_failure": "shrug"}, "on_parent_failure", "unknown_mode"),
        ({"batch": ""}, "batch", "invalid_name"),
        ({"batch": "x" * 129}, "batch", "invalid_name"),
        ({"version": 0}, "version", "out_of_range"),
        ({"version": 2**40}, "version", "out_of_range"),
        ({"target": "x" * 300}, "target", "invalid_key"),
    ],
)
async def test_what_else_makes_no_sense_is_refused_too(rig: Rig, rest: dict[str, object], path: str, code: str) -> None:
    (receipt,) = await rig.receipts(**rest)
    assert [(fault.path, fault.code) for fault in receipt.refusal.errors] == [(f"tasks[0].{path}", code)]


async def test_the_limits_themselves_are_let_in(rig: Rig) -> None:
    labels = tuple((f"l{n}", "x" * 256) for n in range(32))
    options = Options(concurrency_key="k" * 256, concurrency_limit=1_000_000, run_at=rig.clock.now() + 10 * YEAR)
    (receipt,) = await rig.receipts(options=options, labels=labels, batch="b" * 128, version=2**31 - 1)
    assert receipt.refusal is None
    task = await rig.task(receipt.task_id)
    assert (task.spec.labels, task.spec.batch, task.spec.lane.key) == (labels, "b" * 128, "k" * 256)


async def test_a_task_cannot_come_after_itself(rig: Rig) -> None:
    own = uuid_utils.uuid7().bytes
    (receipt,) = await rig.engine.submit([Submission(own, "m", after=(own,))])
    assert receipt.refusal is not None
    assert receipt.refusal.code == "after_itself"


async def test_a_run_at_in_the_past_means_now_and_too_far_ahead_is_refused(rig: Rig) -> None:
    worker = await rig.worker()
    now = rig.clock.now()
    (past,) = await rig.receipts(options=Options(run_at=now - 3600 * SECOND, expires=10 * SECOND))
    assert [ref[0] for ref in await worker.gets(1)] == [past.task_id]
    assert (await rig.task(past.task_id)).expire_at == now + 10 * SECOND
    (far,) = await rig.receipts(options=Options(run_at=now + 10 * YEAR + 1))
    assert far.refusal is not None
    assert far.refusal.code == "out_of_range"


async def test_a_trace_that_is_none_is_forgotten(rig: Rig) -> None:
    good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    ids = [*await rig.submit(trace=good), *await rig.submit(trace="x" * 129), *await rig.submit(trace="a\nb")]
    assert [(await rig.task(task_id)).spec.trace for task_id in ids] == [good, "", ""]


# --- unique keys


async def test_a_task_that_replaces_another_ends_it_and_whoever_waits_is_told(rig: Rig) -> None:
    waiter = Waiting()
    (first,) = await rig.submit(options=Options(unique_key="k"), waiter=waiter)
    (receipt,) = await rig.receipts(options=Options(unique_key="k", unique_mode="replace"))
    assert not receipt.duplicate
    assert waiter.tasks == {first: State.CANCELLED}
    assert (await rig.task(first)).reason is Reason.REPLACED
    assert ("task", first, State.CANCELLED) in rig.herald.heard
    worker = await rig.worker()
    assert [ref[0] for ref in await worker.gets(1)] == [receipt.task_id]


async def test_what_waited_behind_a_replaced_task_goes_on(rig: Rig) -> None:
    worker = await rig.worker()
    (first,) = await rig.submit(options=Options(unique_key="k", order_key="o", delay=3600 * SECOND))
    (behind,) = await rig.submit(options=Options(order_key="o"))
    await rig.settled()
    assert worker.tasks == []
    await rig.submit(options=Options(unique_key="k", unique_mode="replace", delay=3600 * SECOND))
    assert (await rig.task(first)).state is State.CANCELLED
    assert [ref[0] for ref in await worker.gets(1)] == [behind]


async def test_a_key_that_is_held_refuses_where_the_mode_says_so(rig: Rig) -> None:
    await rig.submit(options=Options(unique_key="k"))
    (receipt,) = await rig.receipts(options=Options(unique_key="k", unique_mode="reject"))
    assert receipt.refusal is not None
    assert receipt.refusal.code == "unique_key_taken"


async def test_debounce_starts_once_so_long_after_the_last_submit(rig: Rig) -> None:
    worker = await rig.worker()
    ids = []
    for _ in range(4):
        ids += await rig.submit(options=Options(unique_key="k", debounce=5 * SECOND))
        await rig.advance(3)
    await rig.settled()
    assert worker.tasks == []
    await rig.advance(2)
    assert [ref[0] for ref in await worker.gets(1)] == ids[-1:]
    states = [(await rig.task(task_id)).state for task_id in ids]
    assert states == [State.CANCELLED] * 3 + [State.RUNNING]


async def test_a_declared_debounce_gives_way_to_a_said_delay_and_the_other_way_round(rig: Rig) -> None:
    await rig.worker(Method("d", defaults=Options(debounce=5 * SECOND, unique_key="k")))
    await rig.worker(Method("t", defaults=Options(delay=5 * SECOND)))
    now = rig.clock.now()
    (said,) = await rig.submit("d", options=Options(delay=9 * SECOND))
    (other,) = await rig.submit("t", options=Options(debounce=7 * SECOND, unique_key="u"))
    (declared,) = await rig.submit("d", options=Options(unique_key="v"))
    assert [(await rig.task(each)).due_at for each in (said, other, declared)] == [
        now + 9 * SECOND,
        now + 7 * SECOND,
        now + 5 * SECOND,
    ]


# --- tasks after tasks


async def test_a_chain_runs_in_order_and_a_fan_in_waits_for_all(rig: Rig) -> None:
    worker = await rig.worker(slots=8)
    left, right = await rig.submit(count=2)
    (both,) = await rig.submit(after=(left, right))
    refs = {ref[0]: ref for ref in await worker.gets(2)}
    await worker.report(refs[left], ran=9 * SECOND)
    await rig.settled()
    assert worker.tasks == []
    await worker.report(refs[right], ran=9 * SECOND)
    assert await worker.gets(1) == [(both, 1)]


async def test_a_parent_that_fails_takes_its_descendants_with_it_and_all_waiters_hear(rig: Rig) -> None:
    worker, waiter = await rig.worker(), Waiting()
    (parent,) = await rig.submit()
    (child,) = await rig.submit(after=(parent,), waiter=waiter)
    (grandchild,) = await rig.submit(after=(child,), waiter=waiter)
    (brave,) = await rig.submit(after=(parent,), on_parent_failure="run")
    await worker.fails((await worker.gets(1))[0])
    assert await waiter.hears(2) == {child: State.FAILED, grandchild: State.FAILED}
    task = await rig.task(child)
    assert task.reason is Reason.PARENT_FAILED
    assert str(uuid_utils.UUID(bytes=parent)) in Failure.unpack(task.outcome).message
    assert await worker.gets(1) == [(brave, 1)]
    assert ("task", grandchild, State.FAILED) in rig.herald.heard
    assert (await rig.engine.figures()).failed == 3


async def test_a_task_after_one_that_has_failed_is_failed_at_once_and_its_waiter_hears(rig: Rig) -> None:
    worker, waiter = await rig.worker(), Waiting()
    (parent,) = await rig.submit()
    await worker.fails((await worker.gets(1))[0])
    (child,) = await rig.submit(after=(parent,), waiter=waiter)
    assert waiter.tasks == {child: State.FAILED}
    await rig.settled()
    assert worker.tasks == []
    (outcome,) = await rig.engine.retry([child])
    assert outcome.state == "ready"
    assert await worker.gets(1) == [(child, 1)]


async def test_an_unknown_parent_refuses_the_task(rig: Rig) -> None:
    (receipt,) = await rig.receipts(after=(b"x" * 16,))
    assert receipt.refusal is not None
    assert receipt.refusal.code == "parent_not_found"


async def test_a_task_after_others_with_a_time_waits_for_both(rig: Rig) -> None:
    worker = await rig.worker()
    (parent,) = await rig.submit()
    (child,) = await rig.submit(after=(parent,), options=Options(delay=60 * SECOND))
    await worker.report((await worker.gets(1))[0])
    assert (await rig.task(child)).state is State.SCHEDULED
    await rig.advance(61)
    assert await worker.gets(1) == [(child, 1)]


async def test_tasks_after_tasks_of_the_same_batch(rig: Rig) -> None:
    worker = await rig.worker()
    first, second = uuid_utils.uuid7().bytes, uuid_utils.uuid7().bytes
    await rig.engine.submit([Submission(first, "m"), Submission(second, "m", after=(first,))])
    assert [ref[0] for ref in await worker.gets(1)] == [first]
    await rig.settled()
    assert worker.tasks == []
    await worker.report((first, 1))
    assert await worker.gets(1) == [(second, 1)]


async def test_keyed_and_unique_tasks_of_one_batch_are_as_good_as_one_after_the_other(rig: Rig) -> None:
    """The express way leases before the store decides; what the store decides otherwise leaves no place taken."""
    worker = await rig.worker(slots=8)
    options = Options(unique_key="u", concurrency_key="k")
    receipts = await rig.receipts(count=3, options=options)
    assert [receipt.duplicate for receipt in receipts] == [False, True, True]
    ((task_id, attempt),) = await worker.gets(1)
    await worker.report((task_id, attempt), ran=9 * SECOND)
    (again,) = await rig.submit(options=options)
    assert await worker.gets(1) == [(again, 1)]


# --- idempotency


def test_the_fingerprint_of_an_older_body_stays_what_it_was() -> None:
    """As the first release made it: a key that was answered before an upgrade is known after it."""
    body = Submission(b"i" * 16, "m", b'{"a":1}', Options(priority=3, delay=7))
    assert fingerprint(body).hex() == "8602482c3cc322e23baff9b4c4d48cba"


def test_the_fingerprint_tells_bodies_apart() -> None:
    bodies = [
        Submission(b"i" * 16, "m"),
        Submission(b"i" * 16, "n"),
        Submission(b"i" * 16, "m", b"1"),
        Submission(b"i" * 16, "m", options=Options(priority=1)),
        Submission(b"i" * 16, "m", options=Options(concurrency_key="1")),
        Submission(b"i" * 16, "m", options=Options(debounce=1)),
        Submission(b"i" * 16, "m", after=(b"p" * 16,)),
        Submission(b"i" * 16, "m", after=(b"p" * 16,), on_parent_failure="run"),
        Submission(b"i" * 16, "m", batch="b"),
    ]
    assert len({fingerprint(body) for body in bodies}) == len(bodies)
    assert fingerprint(bodies[0]) == fingerprint(Submission(b"other" + b"i" * 11, "m"))
