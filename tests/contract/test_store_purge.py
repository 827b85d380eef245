from __future__ import annotations

from desk import Desk

from rota.model import lifecycle
from rota.model.log import LogLine, Progress
from rota.model.task import State


async def test_ended_tasks_go_when_their_time_has_passed(desk: Desk) -> None:
    soon, later = await desk.ended(result_ttl=5_000_000), await desk.ended(result_ttl=9_000_000)
    unended = await desk.running()
    assert await desk.store.purge(10) == 0
    desk.clock.advance(5)
    assert await desk.store.purge(10) == 1
    assert list(await desk.store.get([soon.id, later.id, unended.id])) == [later.id, unended.id]
    assert (await desk.store.counts())[State.SUCCEEDED] == 1
    assert desk.store.unended == 1


async def test_what_hangs_on_a_task_goes_with_it(desk: Desk) -> None:
    task, kept = await desk.ended(result_ttl=0), await desk.ended()
    for seq in (task.seq, kept.seq):
        await desk.store.append_logs([(seq, LogLine(1, 1, 20, "x"))])
        await desk.store.set_progress([(seq, Progress(1, 1, 1.0))])
        await desk.store.note_late(seq, 1, "late")
    assert await desk.store.purge(10) == 1
    assert await desk.store.logs(task.seq, 0, 10) == []
    assert await desk.store.attempts(task.seq) == []
    assert list(await desk.store.progress([task.seq, kept.seq])) == [kept.seq]
    assert len(await desk.store.logs(kept.seq, 0, 10)) == len(await desk.store.attempts(kept.seq)) == 1


async def test_an_id_is_free_after_its_task_is_gone(desk: Desk) -> None:
    task = await desk.ended(result_ttl=0)
    await desk.store.purge(10)
    (receipt,) = await desk.submit(desk.entry(task_id=task.id, params=b"other"))
    assert (receipt.duplicate, receipt.refusal) == (False, None)


async def test_a_purge_keeps_to_its_limit(desk: Desk) -> None:
    for _ in range(5):
        await desk.ended(result_ttl=0)
    assert [await desk.store.purge(2) for _ in range(4)] == [2, 2, 1, 0]


async def test_a_purge_of_many(desk: Desk) -> None:
    entries = [desk.entry(result_ttl=0, idempotency_key=str(i)) for i in range(1_203)]
    await desk.submit(*entries)
    cancels = [lifecycle.cancel(entry.task, "", desk.now, lifecycle.Retention()) for entry in entries]
    assert len((await desk.apply(*(c for c in cancels if c))).accepted) == 1_203
    desk.clock.advance(24 * 3600 + 1)
    assert await desk.store.purge(1_201) == 1_201
    assert await desk.store.purge(1_201) == 2
    assert desk.store.unended == 0


async def test_succeeded_tasks_beyond_a_number_go_oldest_first(desk: Desk) -> None:
    tasks = []
    for _ in range(5):
        tasks.append(await desk.ended())
        desk.clock.advance(1)
    assert await desk.store.purge(2, keep_ended=2) == 2
    assert await desk.store.purge(10, keep_ended=2) == 1
    assert list(await desk.store.get([task.id for task in tasks])) == [task.id for task in tasks[3:]]
    assert await desk.store.purge(10, keep_ended=2) == 0


async def test_only_succeeded_tasks_count_as_too_many(desk: Desk) -> None:
    task = await desk.running()
    await desk.change(desk.failure(task))
    assert await desk.store.purge(10, keep_ended=0) == 0
    assert (await desk.read(task)).state is State.FAILED


async def test_past_time_and_beyond_a_number_in_one_purge(desk: Desk) -> None:
    old = await desk.ended(result_ttl=0)
    tasks = []
    for _ in range(3):
        desk.clock.advance(1)
        tasks.append(await desk.ended())
    assert await desk.store.purge(10, keep_ended=2) == 2
    assert list(await desk.store.get([task.id for task in (old, *tasks)])) == [task.id for task in tasks[1:]]
