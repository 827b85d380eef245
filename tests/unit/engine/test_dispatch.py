"""Who gets what, when, and in which order."""

import asyncio

import pytest

from rota.engine.settings import EngineSettings
from rota.model.errors import InvalidInput, Overloaded
from rota.model.method import Method, Options
from rota.model.report import Held, Verdict
from rota.model.task import Reason, State

SECOND = 1_000_000


async def test_a_task_goes_to_a_waiting_worker_with_the_very_submit(rig) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit()
    assert worker.tasks == [(task_id, 1)]
    assert (await rig.task(task_id)).state is State.RUNNING


async def test_tasks_wait_for_a_worker_and_go_to_it_when_it_comes(rig) -> None:
    ids = await rig.submit(count=3)
    worker = await rig.worker()
    assert [task_id for task_id, _ in await worker.gets(3)] == ids


async def test_a_worker_never_has_more_than_its_slots_at_first(rig) -> None:
    worker = await rig.worker(slots=4)
    await rig.submit(count=10)
    assert len(await worker.gets(4)) == 4
    await asyncio.sleep(0)
    assert worker.tasks == []


async def test_a_finish_makes_room_for_the_next_one(rig) -> None:
    worker = await rig.worker(slots=1)
    ids = await rig.submit(count=2)
    (first,) = await worker.gets(1)
    await worker.report(first, ran=5 * SECOND)
    assert await worker.gets(1) == [(ids[1], 1)]


async def test_short_tasks_are_prefetched_and_long_ones_are_not(rig) -> None:
    worker = await rig.worker(slots=1)
    await rig.submit(count=50)
    (first,) = await worker.gets(1)
    await worker.report(first, ran=SECOND // 100)
    ahead = await worker.gets(11)
    assert len(ahead) == 11
    for ref in ahead:
        await worker.report(ref, ran=10 * SECOND)
    assert len(worker.tasks) <= 2


async def test_higher_priority_overtakes_and_age_beats_priority_in_the_end(rig) -> None:
    (old,) = await rig.submit()
    rig.clock.advance(90)
    (normal,) = await rig.submit()
    (high,) = await rig.submit(options=Options(priority=1))
    worker = await rig.worker()
    assert [task_id for task_id, _ in await worker.gets(3)] == [old, high, normal]


async def test_lanes_are_merged_in_the_order_of_their_lines(rig) -> None:
    order = []
    for method in ("a", "b", "a", "b"):
        order += await rig.submit(method)
        rig.clock.advance(1)
    worker = await rig.worker("a", "b", slots=4)
    assert [task_id for task_id, _ in await worker.gets(4)] == order


async def test_the_least_loaded_worker_is_given_the_next_task(rig) -> None:
    workers = [await rig.worker(slots=8) for _ in range(2)]
    await rig.submit(count=8)
    assert [len(worker.tasks) for worker in workers] == [4, 4]


async def test_weight_draws_more(rig) -> None:
    light, heavy = await rig.worker(slots=8), await rig.worker(slots=8, weight=3)
    await rig.submit(count=8)
    assert (len(light.tasks), len(heavy.tasks)) == (2, 6)


async def test_a_group_is_served_only_by_its_workers_and_no_group_by_all(rig) -> None:
    red, blue = await rig.worker(groups=("red",)), await rig.worker(groups=("blue",))
    await rig.submit(options=Options(group="blue"), count=2)
    assert (len(red.tasks), len(blue.tasks)) == (0, 2)
    await rig.submit(count=4)
    assert len(red.tasks) + len(blue.tasks) == 6
    assert len(red.tasks) >= 2


async def test_an_unpinned_task_goes_to_the_highest_live_version_and_a_pinned_one_to_its_own(rig) -> None:
    old, new = await rig.worker(Method("m", 1)), await rig.worker(Method("m", 2))
    await rig.submit(count=3)
    await rig.submit(count=2, version=1)
    assert (len(old.tasks), len(new.tasks)) == (2, 3)
    await new.session.closed(False, "gone")
    await rig.submit()
    assert len(await old.gets(3)) >= 3


async def test_a_targeted_task_waits_for_its_worker(rig) -> None:
    await rig.worker(worker_id="one")
    two = await rig.worker(worker_id="two")
    await rig.submit(target="two", count=2)
    assert len(two.tasks) == 2


async def test_declared_options_apply_where_the_submit_says_nothing(rig) -> None:
    await rig.worker(Method("m", defaults=Options(priority=3, retries=2, timeout=9 * SECOND)))
    (said,) = await rig.submit(options=Options(priority=-1))
    (unsaid,) = await rig.submit()
    assert (await rig.task(said)).spec.priority == -1
    assert (await rig.task(unsaid)).spec.priority == 3
    assert (await rig.task(unsaid)).spec.retry.retries == 2


async def test_tasks_of_one_order_key_run_one_at_a_time_in_order(rig) -> None:
    worker = await rig.worker()
    ids = await rig.submit(count=3, options=Options(order_key="k"))
    for expected in ids:
        ((task_id, attempt),) = await worker.gets(1)
        assert task_id == expected
        assert worker.tasks == []
        await worker.report((task_id, attempt))


async def test_a_unique_key_is_held_by_one_unended_task(rig) -> None:
    worker = await rig.worker()
    options = Options(unique_key="k")
    (first,) = await rig.receipts(options=options)
    (second,) = await rig.receipts(options=options)
    assert second.duplicate
    assert second.task_id == first.task_id
    await worker.report((await worker.gets(1))[0])
    (third,) = await rig.receipts(options=options)
    assert not third.duplicate


async def test_a_task_no_worker_ever_offered_is_kept_with_a_warning(rig) -> None:
    (receipt,) = await rig.receipts("nobody-does-this")
    assert receipt.warning == "no_worker_for_method"
    assert (await rig.task(receipt.task_id)).state is State.READY


async def test_a_bad_task_is_refused_with_its_path_and_the_others_are_kept(rig) -> None:
    good, bad = await rig.receipts(count=2, options=Options(priority=3)), None
    (bad,) = await rig.receipts(options=Options(priority=30, retries=-1))
    assert all(receipt.refusal is None for receipt in good)
    assert isinstance(bad.refusal, InvalidInput)
    assert [fault.path for fault in bad.refusal.errors] == ["tasks[0].options.priority", "tasks[0].options.retries"]


@pytest.mark.engine(max_queued=5)
async def test_beyond_the_high_water_mark_submits_are_refused(rig) -> None:
    await rig.submit(count=5)
    with pytest.raises(Overloaded) as refused:
        await rig.submit()
    assert refused.value.code == "queue_full"
    worker = await rig.worker()
    await worker.report((await worker.gets(4))[0])
    await rig.submit()


@pytest.mark.engine(max_payload=100)
async def test_a_payload_at_the_limit_passes_and_one_byte_more_does_not(rig) -> None:
    (fits,) = await rig.receipts(params=b"9" * 100)
    (does_not,) = await rig.receipts(params=b"9" * 101)
    assert fits.refusal is None
    assert does_not.refusal.code == "payload_too_large"


async def test_a_delayed_task_is_given_when_its_time_has_come_and_not_before(rig) -> None:
    worker = await rig.worker()
    await rig.submit(options=Options(delay=60 * SECOND))
    await rig.advance(59)
    assert worker.tasks == []
    await rig.advance(1.1)
    assert len(await worker.gets(1)) == 1


async def test_a_task_that_was_not_started_in_time_expires(rig) -> None:
    (task_id,) = await rig.submit(options=Options(expires=10 * SECOND))
    await rig.advance(11)
    assert (await rig.task(task_id)).state is State.EXPIRED
    worker = await rig.worker()
    await asyncio.sleep(0)
    assert worker.tasks == []


async def test_a_cancelled_task_in_the_window_is_never_given(rig) -> None:
    first, second = await rig.submit(count=2)
    await rig.engine.cancel([first], "no need")
    worker = await rig.worker()
    assert [task_id for task_id, _ in await worker.gets(1)] == [second]


async def test_unstarted_tasks_are_called_back_for_a_free_worker(rig) -> None:
    busy = await rig.worker(slots=1)
    await rig.submit()
    await busy.report((await busy.gets(1))[0], ran=SECOND // 1000)
    await rig.submit(count=10)
    refs = await busy.gets(10)
    busy.starts(refs[0])
    free = await rig.worker(slots=4)
    rig.clock.advance(1)
    async with asyncio.timeout(5):
        while not busy.recalled:
            busy.news.clear()
            await busy.news.wait()
    await busy.session.released(refs[-busy.recalled :], "recalled")
    given = await free.gets(busy.recalled)
    assert {attempt for _, attempt in given} == {2}
    assert not free.announced
    assert (await rig.task(given[0][0])).failures == 0


async def test_many_more_tasks_than_the_window_all_get_through_in_order(rig, monkeypatch) -> None:
    monkeypatch.setattr("rota.coordination.local.WINDOW_TASKS", 40)
    ids = []
    for _ in range(10):
        ids += await rig.submit(count=50)
        rig.clock.advance(0.001)
    worker = await rig.worker(slots=10)
    seen = []
    while len(seen) < 500:
        refs = await worker.gets(1)
        seen += [task_id for task_id, _ in refs]
        assert all(len(window.tasks) <= 60 for window in rig.index._windows.values())
        for ref in refs:
            await worker.report(ref, ran=10 * SECOND)
    assert seen == ids


async def test_more_than_fits_in_one_round_goes_out_in_several(rig, monkeypatch) -> None:
    monkeypatch.setattr("rota.engine.dispatch.MOST_A_ROUND", 20)
    ids = await rig.submit(count=50)
    worker = await rig.worker(slots=64)
    assert [task_id for task_id, _ in await worker.gets(50)] == ids


@pytest.mark.engine(prefetch=0)
async def test_settings_reach_the_dispatch(rig) -> None:
    assert rig.engine.settings == EngineSettings(prefetch=0)
    worker = await rig.worker(slots=1)
    await rig.submit(count=5)
    await worker.report((await worker.gets(1))[0], ran=1)
    assert len(await worker.gets(1)) == 1


async def test_a_draining_worker_is_given_nothing_more(rig) -> None:
    worker = await rig.worker()
    await worker.session.reregister(worker.facts, worker.methods, True)
    await rig.submit()
    await asyncio.sleep(0)
    assert worker.tasks == []
    other = await rig.worker()
    assert len(await other.gets(1)) == 1


async def test_the_same_worker_on_a_new_link_keeps_what_it_holds(rig) -> None:
    worker = await rig.worker(worker_id="w")
    (task_id,) = await rig.submit()
    (ref,) = await worker.gets(1)
    again = await rig.worker(worker_id="w", held=[Held(ref[0], ref[1], 1)])
    assert (worker.closed, again.lost) == (4409, [])
    assert await again.report(ref) == []
    assert (await rig.task(task_id)).state is State.SUCCEEDED


async def test_a_task_of_a_lost_worker_is_announced_before_it_starts_again(rig) -> None:
    worker = await rig.worker()
    await rig.submit()
    await worker.gets(1)
    await worker.session.closed(False, "reset")
    other = await rig.worker()
    ((task_id, attempt),) = await other.gets(1)
    assert attempt == 2
    assert other.announced == {task_id}
    assert (await rig.task(task_id)).reason is Reason.LEASED
    await other.report((task_id, attempt), Verdict.SUCCEEDED)


async def test_a_delayed_task_of_an_order_key_waits_for_both_its_turn_and_its_time(rig) -> None:
    worker = await rig.worker()
    (first,) = await rig.submit(options=Options(order_key="k"))
    (second,) = await rig.submit(options=Options(order_key="k", delay=60 * SECOND))
    (ref,) = await worker.gets(1)
    assert ref[0] == first
    assert (await rig.task(second)).state is State.WAITING
    await worker.report(ref)
    assert (await rig.task(second)).state is State.SCHEDULED
    await rig.advance(61)
    assert await worker.gets(1) == [(second, 1)]
