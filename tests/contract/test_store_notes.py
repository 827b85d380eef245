from __future__ import annotations

from desk import KEEP, Desk

from rota.model import lifecycle
from rota.model.log import LogLine, Progress
from rota.model.method import Method, Options
from rota.model.task import Reason
from rota.model.worker import Facts

FACTS = Facts("w-1", "one", host="h", pid=5, labels=(("zone", "a"),), groups=("g",), slots=3)
ADD = Method("add", 2, ("adds", "two numbers"), b"{}", Options(retries=3, retry_on=("OSError",)))


async def test_a_worker_keeps_its_number(desk: Desk) -> None:
    number = await desk.store.enlist(FACTS, [ADD])
    other = await desk.store.enlist(Facts("w-2"), [])
    assert number != other
    assert await desk.store.enlist(FACTS, []) == number


async def test_a_worker_is_listed_with_what_it_said(desk: Desk) -> None:
    number = await desk.store.enlist(FACTS, [ADD])
    other = await desk.store.enlist(Facts("w-2"), [])
    first, second = await desk.store.workers()
    assert (first.number, first.facts, first.methods) == (number, FACTS, (ADD,))
    assert (first.registered_at, first.seen_at, first.online) == (desk.now, desk.now, True)
    assert await desk.store.workers([other, 999]) == [second]


async def test_a_retired_worker_is_listed_for_a_day(desk: Desk) -> None:
    number = await desk.store.enlist(FACTS, [])
    await desk.store.retire(number, "closed")
    desk.clock.advance(24 * 3600 - 1)
    await desk.store.retire(number, "closed again")
    await desk.store.purge(10)
    (worker,) = await desk.store.workers()
    assert (worker.gone_at, worker.gone_reason) == (desk.now - (24 * 3600 - 1) * 1_000_000, "closed")
    desk.clock.advance(1)
    await desk.store.purge(10)
    assert await desk.store.workers() == []
    assert await desk.store.enlist(Facts("w-9"), []) != number


async def test_of_very_many_that_are_gone_the_newest_thousand_are_listed_for_the_day(desk: Desk) -> None:
    staying = await desk.store.enlist(Facts("here"), [])
    numbers = []
    for name in range(1_005):
        numbers.append(await desk.store.enlist(Facts(f"w{name}"), []))
        if name % 2:  # two at an instant
            desk.clock.advance(1)
        await desk.store.retire(numbers[-1], "crashed")
    await desk.store.purge(10)
    assert len(await desk.store.workers()) == 1_006, "an hour is theirs, however many they are"
    desk.clock.advance(3600)
    await desk.store.purge(10)
    assert {worker.number for worker in await desk.store.workers()} == {staying, *numbers[5:]}
    desk.clock.advance(24 * 3600)
    await desk.store.purge(10)
    assert [worker.number for worker in await desk.store.workers()] == [staying]


async def test_a_worker_that_comes_back_is_online_again(desk: Desk) -> None:
    number = await desk.store.enlist(FACTS, [])
    await desk.store.retire(number, "closed")
    desk.clock.advance(1)
    assert await desk.store.enlist(FACTS, [ADD]) == number
    (worker,) = await desk.store.workers()
    assert (worker.online, worker.gone_reason, worker.methods, worker.seen_at) == (True, "", (ADD,), desk.now)


async def test_methods_are_known_in_each_version_as_last_declared(desk: Desk) -> None:
    await desk.store.enlist(FACTS, [ADD, Method("add", 1), Method("sub")])
    newer = Method("add", 2, ("better",))
    await desk.store.enlist(Facts("w-2"), [newer])
    assert await desk.store.methods() == [Method("add", 1), newer, Method("sub")]


async def test_log_lines_are_read_from_after_a_number(desk: Desk) -> None:
    task, other = await desk.accepted(), await desk.accepted()
    lines = [LogLine(1, desk.now + i, 20, f"第{i}行\x00\n\x1b[0m") for i in range(5)]
    await desk.store.append_logs([(task.seq, lines[0]), (other.seq, lines[1]), (task.seq, lines[2])])
    await desk.store.append_logs([(task.seq, lines[3])])
    found = await desk.store.logs(task.seq, 0, 10)
    assert [(line.attempt, line.at, line.level, line.text) for line in found] == [
        (line.attempt, line.at, line.level, line.text) for line in (lines[0], lines[2], lines[3])
    ]
    assert [line.number for line in found] == sorted({line.number for line in found})
    assert await desk.store.logs(task.seq, found[0].number, 1) == [found[1]]


async def test_lines_and_marks_of_a_task_that_is_gone_are_dropped(desk: Desk) -> None:
    task = await desk.accepted()
    await desk.store.append_logs([(999, LogLine(1, 1, 20, "x")), (task.seq, LogLine(1, 1, 20, "y"))])
    await desk.store.set_progress([(999, Progress(1, 1, 0.5)), (task.seq, Progress(1, 1, 0.25, "a"))])
    await desk.store.note_late(999, 1, "z")
    assert await desk.store.logs(999, 0, 10) == []
    assert [line.text for line in await desk.store.logs(task.seq, 0, 10)] == ["y"]
    assert await desk.store.progress([999, task.seq]) == {task.seq: Progress(1, 1, 0.25, "a")}
    assert await desk.store.attempts(999) == []


async def test_the_latest_mark_is_kept(desk: Desk) -> None:
    task = await desk.accepted()
    await desk.store.set_progress([(task.seq, Progress(1, 1, 0.1)), (task.seq, Progress(1, 2, 0.2))])
    assert (await desk.store.progress([task.seq]))[task.seq].share == 0.2
    await desk.store.set_progress([(task.seq, Progress(1, 3, 1.0, "完"))])
    assert await desk.store.progress([task.seq]) == {task.seq: Progress(1, 3, 1.0, "完")}


async def test_a_late_result_is_noted_beside_its_attempt(desk: Desk) -> None:
    task = await desk.running(started=True)
    desk.clock.advance(31)
    await desk.change(lifecycle.rescue(task, desk.now, KEEP))
    await desk.store.note_late(task.seq, 1, "succeeded")
    (past,) = await desk.store.attempts(task.seq)
    assert (past.attempt, past.reason, past.late) == (1, Reason.LEASE_LOST, "succeeded")


async def test_a_late_result_of_an_attempt_without_a_record_is_noted_too(desk: Desk) -> None:
    task = await desk.running()
    desk.clock.advance(31)
    await desk.change(lifecycle.rescue(task, desk.now, KEEP))
    assert await desk.store.attempts(task.seq) == []
    await desk.store.note_late(task.seq, 1, "succeeded")
    (past,) = await desk.store.attempts(task.seq)
    assert (past.attempt, past.late) == (1, "succeeded")
