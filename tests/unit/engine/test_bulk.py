"""One call on many tasks: cancel, run again, delete by query."""

from __future__ import annotations

import asyncio

import pytest
from engine_kit import Rig

from rota.contract.store import Query
from rota.engine import bulk
from rota.model.errors import InvalidInput, NotFound
from rota.model.method import Options
from rota.model.task import State

SECOND = 1_000_000


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PAGE", 10)


async def test_all_failed_tasks_of_a_method_are_run_again(rig: Rig) -> None:
    worker = await rig.worker(slots=64)
    await rig.submit(count=25)
    for ref in await worker.gets(25):
        await worker.fails(ref)
    outcome = await rig.engine.bulk("retry", Query(states=(State.FAILED,), method="m"))
    assert (outcome.action, outcome.matched, outcome.done, outcome.refused, outcome.more) == (
        "retry",
        25,
        25,
        {},
        False,
    )
    assert len(outcome.sample) == 25
    assert {attempt for _, attempt in await worker.gets(25)} == {2}


async def test_run_again_means_what_failed_unless_states_are_named(rig: Rig) -> None:
    worker = await rig.worker(slots=8)
    await rig.submit(count=3)
    refs = await worker.gets(3)
    await worker.fails(refs[0])
    await worker.report(refs[1], ran=9 * SECOND)
    await worker.report(refs[2], ran=9 * SECOND)
    assert (await rig.engine.bulk("retry", Query(method="m"))).done == 1
    assert await worker.gets(1) == [(refs[0][0], 2)]
    assert (await rig.engine.bulk("retry", Query(states=(State.SUCCEEDED,), method="m"))).done == 2


async def test_a_dry_run_says_what_would_be_done_and_does_nothing(rig: Rig) -> None:
    ids = await rig.submit(count=12)
    outcome = await rig.engine.bulk("cancel", Query(method="m"), dry_run=True)
    assert (outcome.matched, outcome.done, set(outcome.sample)) == (12, 12, set(ids))
    assert {task.state for task in (await rig.store.get(ids)).values()} == {State.READY}
    wrong = await rig.engine.bulk("retry", Query(states=(State.READY,)), dry_run=True)
    assert (wrong.matched, wrong.done, wrong.refused) == (12, 0, {"not_finished": 12})


async def test_an_action_means_the_tasks_that_it_can_mean(rig: Rig) -> None:
    worker = await rig.worker(slots=2)
    await rig.submit(count=4)
    refs = await worker.gets(2)
    await worker.report(refs[0], ran=9 * SECOND)
    running = [refs[1], *(await worker.gets(1))]
    outcome = await rig.engine.bulk("cancel", Query(method="m"))
    assert (outcome.matched, outcome.done) == (3, 3)
    assert sorted(worker.cancelled) == sorted(running)
    gone = await rig.engine.bulk("delete", Query(method="m"))
    assert (gone.matched, gone.done) == (2, 2)
    assert (await rig.engine.figures()).tasks[State.RUNNING] == 2


async def test_the_limit_of_a_call_is_kept_and_more_is_said(rig: Rig) -> None:
    await rig.submit(count=30)
    outcome = await rig.engine.bulk("cancel", Query(method="m"), limit=23)
    assert (outcome.matched, outcome.done, outcome.more) == (23, 23, True)
    outcome = await rig.engine.bulk("cancel", Query(method="m"), limit=23)
    assert (outcome.matched, outcome.done, outcome.more) == (7, 7, False)


async def test_a_call_touches_what_the_query_meets_and_nothing_else(rig: Rig) -> None:
    await rig.submit("a", count=15, labels=(("city", "Bern"),), batch="b1")
    await rig.submit("a", count=5, labels=(("city", "Basel"),), batch="b2")
    assert (await rig.engine.bulk("cancel", Query(label=("city", "Bern")))).done == 15
    assert (await rig.engine.bulk("cancel", Query(batch="b2"))).done == 5


async def test_one_bad_task_does_not_stop_the_rest(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = await rig.submit(count=12)
    cancel = rig.engine._calls.cancel

    async def brittle(some: list[bytes], note: str) -> object:
        if ids[3] in some:
            raise RuntimeError("a fault in this one")
        return await cancel(some, note)

    monkeypatch.setattr(rig.engine._calls, "cancel", brittle)
    outcome = await rig.engine.bulk("cancel", Query(method="m"))
    assert (outcome.matched, outcome.done, outcome.refused) == (12, 11, {"error": 1})


async def test_the_loop_turns_between_pages(rig: Rig) -> None:
    await rig.submit(count=50)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.ensure_future(others())
    await rig.engine.bulk("cancel", Query(method="m"))
    other.cancel()
    assert turns >= 5


@pytest.mark.parametrize(
    ("action", "query", "limit", "code"),
    [
        ("explode", Query(method="m"), 10, "unknown_action"),
        ("cancel", Query(), 10, "no_criterion"),
        ("cancel", Query(method="m"), 0, "out_of_range"),
        ("cancel", Query(method="m"), 100_001, "out_of_range"),
    ],
)
async def test_a_call_without_bounds_or_sense_is_refused(
    rig: Rig, action: str, query: Query, limit: int, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await rig.engine.bulk(action, query, limit=limit)
    assert refused.value.code == code


async def test_delete_removes_ended_tasks_with_their_history_and_no_others(rig: Rig) -> None:
    worker = await rig.worker(slots=1)
    done, runs = await rig.submit(count=2)
    (ref,) = await worker.gets(1)
    await worker.report(ref, ran=9 * SECOND)
    await worker.gets(1)
    outcomes = await rig.engine.delete([done, runs, b"x" * 16])
    assert [outcome.state for outcome in outcomes] == ["deleted", "running", ""]
    assert [getattr(outcome.refusal, "code", None) for outcome in outcomes] == [None, "not_finished", "task_not_found"]
    assert await rig.engine.get([done]) == {}
    with pytest.raises(NotFound):
        await rig.engine.read_logs(done, 0, 10)


async def test_a_batch_is_counted_and_an_unknown_one_is_not_found(rig: Rig) -> None:
    worker = await rig.worker(slots=1)
    await rig.submit(count=3, batch="nightly", options=Options(group=None))
    (ref,) = await worker.gets(1)
    await worker.report(ref, ran=9 * SECOND)
    await rig.settled()
    counts = await rig.engine.batch("nightly")
    states = {state: count for state, count in counts.states.items() if count}
    assert states == {State.SUCCEEDED: 1, State.RUNNING: 1, State.READY: 1}
    with pytest.raises(NotFound) as refused:
        await rig.engine.batch("daily")
    assert refused.value.code == "batch_not_found"
