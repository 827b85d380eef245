from __future__ import annotations

import os
from dataclasses import replace

from desk import KEEP, RETRIED, Desk

from rota.contract.store import Query
from rota.model import lifecycle
from rota.model.retry import SECOND
from rota.model.task import Lane, State

ADD = Lane("add")


async def test_unknown_ids_are_left_out(desk: Desk) -> None:
    task = await desk.accepted()
    assert list(await desk.store.get([os.urandom(16), task.id, task.id])) == [task.id]


async def test_the_line_is_in_order_of_place_and_acceptance(desk: Desk) -> None:
    normal, high, later = desk.entry(), desk.entry(priority=1), desk.entry()
    desk.clock.advance(1)
    last = desk.entry(priority=0)
    await desk.submit(later, normal, high, last)
    tasks = await desk.store.line(ADD, None, 10, 10**6)
    assert [task.id for task in tasks] == [entry.task.id for entry in (high, later, normal, last)]


async def test_the_line_is_paged_from_after_a_place(desk: Desk) -> None:
    await desk.submit(*(desk.entry(priority=i % 3) for i in range(10)))
    whole = await desk.store.line(ADD, None, 100, 10**6)
    paged = []
    after = None
    while page := await desk.store.line(ADD, after, 3, 10**6):
        paged += page
        after = (page[-1].line, page[-1].seq)
    assert paged == whole


async def test_the_line_stops_at_a_number_of_bytes_with_one_at_least(desk: Desk) -> None:
    await desk.submit(*(desk.entry(params=b"x" * 1_000) for _ in range(10)))
    assert len(await desk.store.line(ADD, None, 100, 1)) == 1
    assert len(await desk.store.line(ADD, None, 100, 2_500)) == 3
    assert len(await desk.store.line(ADD, None, 2, 2_500)) == 2
    assert len(await desk.store.line(ADD, None, 100, 10_001)) == 10


async def test_the_line_stops_among_large_params_too(desk: Desk) -> None:
    await desk.submit(*(desk.entry(params=b"x" * 100_000) for _ in range(5)))
    assert len(await desk.store.line(ADD, None, 100, 250_000)) == 3


async def test_the_line_holds_ready_tasks_of_its_lane_only(desk: Desk) -> None:
    ready = await desk.accepted(group="g")
    await desk.accepted()
    await desk.accepted(group="g", delay=5)
    await desk.running(group="g")
    await desk.ended(group="g")
    assert await desk.store.line(Lane("add", "g"), None, 10, 10**6) == [ready]
    assert await desk.store.line(Lane("nobody"), None, 10, 10**6) == []


async def test_lanes_with_ready_tasks(desk: Desk) -> None:
    await desk.accepted(method="a")
    await desk.accepted(method="b", group="g")
    await desk.accepted(method="later", delay=5)
    await desk.running(method="busy")
    assert set(await desk.store.ready_lanes()) == {Lane("a"), Lane("b", "g")}


async def test_due_tasks_by_their_instant(desk: Desk) -> None:
    slow, fast = await desk.accepted(delay=9), await desk.accepted(delay=3)
    even = await desk.accepted(delay=3)
    await desk.accepted(delay=10)
    running = await desk.running()
    before = desk.now + 9 * SECOND
    assert await desk.store.due(State.SCHEDULED, before, None, 10) == [fast, even, slow]
    assert await desk.store.due(State.SCHEDULED, before, None, 1) == [fast]
    assert await desk.store.due(State.SCHEDULED, before, (fast.due_at or 0, fast.seq), 10) == [even, slow]
    assert await desk.store.due(State.RUNNING, desk.now + 30 * SECOND, None, 10) == [running]
    assert await desk.store.due(State.RUNNING, desk.now + 30 * SECOND - 1, None, 10) == []


async def test_expiring_tasks_are_the_unstarted_ones(desk: Desk) -> None:
    ready = await desk.accepted(expires=3)
    scheduled = await desk.accepted(expires=2, delay=1)
    await desk.accepted(order_key="o")
    waiting = await desk.accepted(expires=2, order_key="o")
    await desk.running(expires=1)
    before = desk.now + 3 * SECOND
    assert await desk.store.expiring(before, None, 10) == [scheduled, waiting, ready]
    assert await desk.store.expiring(before, (waiting.expire_at or 0, waiting.seq), 10) == [ready]
    assert await desk.store.expiring(before - 1, None, 10) == [scheduled, waiting]


async def test_the_next_due_instant_is_the_earliest_of_all(desk: Desk) -> None:
    assert await desk.store.next_due() is None
    await desk.running()
    assert await desk.store.next_due() == desk.now + 30 * SECOND
    await desk.accepted(delay=20)
    assert await desk.store.next_due() == desk.now + 20 * SECOND
    await desk.accepted(expires=10)
    assert await desk.store.next_due() == desk.now + 10 * SECOND
    task = await desk.running(expires=5)
    assert await desk.store.next_due() == desk.now + 10 * SECOND
    await desk.succeed(task)
    assert await desk.store.next_due() == desk.now + 10 * SECOND


async def test_tasks_are_found_newest_first(desk: Desk) -> None:
    tasks = [await desk.accepted() for _ in range(5)]
    assert await desk.store.find(Query(), None, 10) == tasks[::-1]
    assert await desk.store.find(Query(), tasks[3].seq, 2) == [tasks[2], tasks[1]]


async def test_tasks_are_found_by_what_is_known_of_them(desk: Desk) -> None:
    start = desk.now
    plain = await desk.accepted()
    desk.clock.advance(1)
    other = await desk.accepted(method="sub", group="g")
    desk.clock.advance(1)
    running = await desk.running(worker=7)
    ended = await desk.ended(worker=8)
    assert await _found(desk, Query(method="sub")) == [other.id]
    assert await _found(desk, Query(group="g")) == [other.id]
    assert await _found(desk, Query(method="add", group="g")) == []
    assert await _found(desk, Query(states=(State.RUNNING,))) == [running.id]
    assert await _found(desk, Query(states=(State.RUNNING, State.SUCCEEDED))) == [ended.id, running.id]
    assert await _found(desk, Query(states=(State.READY, State.SUCCEEDED))) == [ended.id, other.id, plain.id]
    assert await _found(desk, Query(worker=7)) == [running.id]
    assert await _found(desk, Query(states=(State.SUCCEEDED,), worker=7)) == []
    assert await _found(desk, Query(created_after=start)) == [ended.id, running.id, other.id]
    assert await _found(desk, Query(created_before=start + 1)) == [plain.id]


async def _found(desk: Desk, query: Query) -> list[bytes]:
    return [task.id for task in await desk.store.find(query, None, 10)]


async def test_a_page_of_a_rare_state(desk: Desk) -> None:
    tasks = [await desk.ended() for _ in range(5)]
    query = Query(states=(State.SUCCEEDED,))
    assert await desk.store.find(query, tasks[3].seq, 2) == [tasks[2], tasks[1]]


async def test_counts_follow_every_change(desk: Desk) -> None:
    await desk.accepted(order_key="o")
    await desk.accepted(order_key="o")
    await desk.accepted(delay=1)
    task = await desk.running(retry=RETRIED)
    await desk.ended()
    cancel = lifecycle.cancel(await desk.accepted(), "", desk.now, KEEP)
    assert cancel is not None
    assert await desk.change(cancel)
    assert await desk.change(desk.failure(task))
    counts = await desk.store.counts()
    assert dict(counts) == {
        State.WAITING: 1,
        State.SCHEDULED: 2,
        State.READY: 1,
        State.RUNNING: 0,
        State.SUCCEEDED: 1,
        State.FAILED: 0,
        State.CANCELLED: 1,
        State.EXPIRED: 0,
    }
    assert desk.store.unended == 4


async def test_reads_hand_out_copies(desk: Desk) -> None:
    task = await desk.accepted()
    (found,) = await desk.store.line(ADD, None, 1, 1)
    found.attempt = 99
    assert await desk.read(task) == replace(task, attempt=0)


async def test_states_are_told_of_known_ids_only(desk: Desk) -> None:
    ready, running, done = await desk.accepted(), await desk.running(), await desk.running()
    assert await desk.change(desk.success(done))
    states = await desk.store.states([ready.id, running.id, done.id, b"?" * 16, ready.id])
    assert states == {ready.id: State.READY, running.id: State.RUNNING, done.id: State.SUCCEEDED}
    assert await desk.store.states([]) == {}
