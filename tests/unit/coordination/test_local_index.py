"""The window of ready tasks: bounded, in order, and never twice the same task."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.coordination import local
from rota.coordination.local import LocalIndex
from rota.model.task import Lane, Reason, Spec, State, Task

LANE = Lane("m")


def ready(seq: int, line: int, attempt: int = 0, size: int = 4) -> Task:
    return Task(seq.to_bytes(16, "big"), Spec(LANE, b"x" * size), State.READY, Reason.SUBMITTED, line, seq, attempt)


class Shelf:
    """The store's side: what is ready, and what a read gave while something happened."""

    def __init__(self) -> None:
        self.tasks: dict[int, Task] = {}
        self.during = lambda: None

    async def line(self, lane: Lane, after: tuple[int, int] | None, limit: int, max_bytes: int) -> list[Task]:
        rows = sorted(self.tasks.values(), key=lambda task: (task.line, task.seq))
        found = [task for task in rows if after is None or (task.line, task.seq) > after][:limit]
        self.during()
        return found

    async def ready_lanes(self) -> list[Lane]:
        return [LANE] if self.tasks else []


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WINDOW_TASKS", 20)
    monkeypatch.setattr(local, "REFILL_TASKS", 10)


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
