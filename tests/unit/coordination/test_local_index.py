"""The window of ready tasks: bounded, in order, and never twice the same task."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.coordination import local
from rota.coordination.local import LocalIndex
from rota.model.task import Lane, Reason, Spec, State, Task
from rota.storage.records import within

LANE = Lane("m")


def ready(seq: int, line: int, attempt: int = 0, size: int = 4, lane: Lane = LANE) -> Task:
    return Task(seq.to_bytes(16, "big"), Spec(lane, b"x" * size), State.READY, Reason.SUBMITTED, line, seq, attempt)


class Shelf:
    """The store's side: what is ready, and what a read gave while something happened."""

    def __init__(self) -> None:
        self.tasks: dict[int, Task] = {}
        self.during = lambda: None
        self.reads = 0

    async def line(self, lane: Lane, after: tuple[int, int] | None, limit: int, max_bytes: int) -> list[Task]:
        rows = sorted(self.tasks.values(), key=lambda task: (task.line, task.seq))
        own = [task for task in rows if task.spec.lane == lane]
        found = within([task for task in own if after is None or (task.line, task.seq) > after][:limit], max_bytes)
        self.reads += 1
        self.during()
        return found

    async def ready_lanes(self) -> list[Lane]:
        return list({task.spec.lane: None for task in self.tasks.values()})


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WINDOW_TASKS", 20)


def test_a_task_pushed_again_is_given_once_and_in_its_newest_form() -> None:
    index = LocalIndex(Shelf())
    index.push([ready(1, 5), ready(2, 6), ready(1, 5, attempt=3)])
    assert [(task.seq, task.attempt) for task in index.take(LANE, 10)] == [(1, 3), (2, 0)]
    assert index.take(LANE, 10) == []
    assert index.empty(LANE)


@pytest.mark.usefixtures("small")
async def test_a_task_that_became_ready_during_a_read_is_not_lost() -> None:
    shelf = Shelf()
    index = LocalIndex(shelf)
    shelf.tasks = {seq: ready(seq, seq) for seq in range(3)}
    await index.open()
    late = ready(9, 9)
    shelf.during = lambda: index.push([late])
    await index.refill()
    assert [task.seq for task in index.take(LANE, 10)] == [0, 1, 2, 9]


@pytest.mark.usefixtures("small")
@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 200))
async def test_every_task_is_given_once_and_in_order_however_many_there_are(seed: int, count: int) -> None:
    chance = random.Random(seed)
    shelf = Shelf()
    index = LocalIndex(shelf)
    for seq in range(1, count + 1):
        shelf.tasks[seq] = ready(seq, chance.randrange(50))
        index.push([shelf.tasks[seq]])
        assert all(len(window.tasks) <= 20 for window in index._windows.values())
    given_out: list[tuple[int, int]] = []
    while shelf.tasks:
        taken = index.take(LANE, chance.randrange(1, 8))
        for task in taken:
            assert shelf.tasks.pop(task.seq) is task
        given_out += [(task.line, task.seq) for task in taken]
        if not taken:
            assert await index.refill(), "something is left, and is found"
    assert given_out == sorted(given_out)


# --- many lanes


def lane(number: int) -> Lane:
    return Lane(f"m{number}")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WINDOW_TASKS", 40)
    monkeypatch.setattr(local, "ALL_TASKS", 80)


async def drained(index: LocalIndex, shelf: Shelf, lanes: int) -> list[int]:
    """Takes everything, a task of each lane in turn; every one is given once."""
    given_out: list[int] = []
    while shelf.tasks:
        taken = [task for number in range(lanes) for task in index.take(lane(number), 1)]
        for task in taken:
            assert shelf.tasks.pop(task.seq) is task
            given_out.append(task.seq)
        if not taken:
            assert await index.refill(), "something is left, and is found"
    return given_out


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("lanes", [1, 3, 15, 60])
async def test_all_windows_together_are_bounded_and_nothing_is_lost(lanes: int) -> None:
    shelf = Shelf()
    index = LocalIndex(shelf)
    bound = max(80, lanes * local.LEAST_TASKS) * 3 // 2
    for seq in range(1_200):
        shelf.tasks[seq] = ready(seq, seq, lane=lane(seq // 5 % lanes))
        index.push([shelf.tasks[seq]])
        assert sum(len(window.tasks) for window in index._windows.values()) <= bound
    assert sorted(await drained(index, shelf, lanes)) == list(range(1_200))


@pytest.mark.usefixtures("few")
async def test_a_window_that_was_alone_gives_up_what_others_need() -> None:
    shelf = Shelf()
    index = LocalIndex(shelf)
    for seq in range(700):
        # Each lane is filled before the next one comes: the first has a whole window, the last what is left.
        shelf.tasks[seq] = ready(seq, seq, lane=lane(seq // 35))
        index.push([shelf.tasks[seq]])
    assert sum(len(window.tasks) for window in index._windows.values()) <= 120
    assert sorted(await drained(index, shelf, 20)) == list(range(700))


async def test_large_params_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "ALL_BYTES", 40_000)
    monkeypatch.setattr(local, "LEAST_BYTES", 2_000)
    shelf = Shelf()
    index = LocalIndex(shelf)
    for seq in range(200):
        shelf.tasks[seq] = ready(seq, seq, size=1_000, lane=lane(seq % 10))
        index.push([shelf.tasks[seq]])
        assert sum(window.bytes for window in index._windows.values()) <= 60_000
    assert sorted(await drained(index, shelf, 10)) == list(range(200))


async def test_a_lane_of_which_even_one_task_is_too_large_still_gets_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "ALL_BYTES", 1_000)
    monkeypatch.setattr(local, "LEAST_BYTES", 100)
    shelf = Shelf()
    index = LocalIndex(shelf)
    for seq in range(60):
        shelf.tasks[seq] = ready(seq, seq, size=5_000, lane=lane(seq % 6))
        index.push([shelf.tasks[seq]])
    assert {len(window.tasks) for window in index._windows.values()} == {1}
    assert sorted(await drained(index, shelf, 6)) == list(range(60))


@pytest.mark.usefixtures("small")
async def test_a_window_that_shrinks_during_a_read_loses_nothing() -> None:
    shelf = Shelf()
    index = LocalIndex(shelf)
    shelf.tasks = {seq: ready(seq, 1_000 + seq) for seq in range(14)}
    await index.open()
    await index.refill()
    assert len(index.take(LANE, 9)) == 9
    for seq in range(9):
        del shelf.tasks[seq]

    def earlier_ones() -> None:
        shelf.during = lambda: None
        for seq in range(100, 120):
            shelf.tasks[seq] = ready(seq, seq)
            index.push([shelf.tasks[seq]])

    shelf.during = earlier_ones
    await index.refill()
    given_out: list[int] = []
    while shelf.tasks:
        taken = index.take(LANE, 3)
        given_out += [task.seq for task in taken]
        for task in taken:
            del shelf.tasks[task.seq]
        if not taken:
            assert await index.refill(), "something is left, and is found"
    assert given_out == [*range(100, 120), *range(9, 14)]


async def test_the_first_lanes_are_given_before_the_last_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "LANES_A_REFILL", 8)
    shelf = Shelf()
    shelf.tasks = {seq: ready(seq, seq, lane=lane(seq)) for seq in range(20)}
    index = LocalIndex(shelf)
    await index.open()
    assert await index.refill()
    assert shelf.reads == 8
    assert len([task for number in range(20) for task in index.take(lane(number), 1)]) == 8
    assert await index.refill()
    assert await index.refill()
    assert shelf.reads == 20
    assert not await index.refill()


async def test_a_read_that_failed_is_tried_again() -> None:
    shelf = Shelf()
    shelf.tasks = {1: ready(1, 1), 2: ready(2, 2, lane=lane(7))}
    index = LocalIndex(shelf)
    await index.open()

    def fail() -> None:
        raise OSError("the store is away")

    shelf.during = fail
    with pytest.raises(OSError, match="away"):
        await index.refill()
    shelf.during = lambda: None
    assert await index.refill()
    assert [task.seq for task in [*index.take(LANE, 5), *index.take(lane(7), 5)]] == [1, 2]
    assert list(index.lanes()) == []
