"""What is written behind is written once, in order, in batches, and not lost on the way."""

import asyncio

import pytest

from rota.life.write_behind import Latest, Newest, WriteBehind
from rota.model.errors import Unavailable

WITHIN = 5
AWAY = Unavailable("the store is away", code="store_unavailable")


class Shelf:
    """Takes batches. `door` shut: a write waits before it. `faults`: what the next writes raise."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.faults: list[Exception] = []
        self.door, self.entered, self.wrote = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.door.set()

    async def write(self, batch: list[int]) -> None:
        self.entered.set()
        await self.door.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.batches.append(batch)
        self.wrote.set()


class Behind:
    """A write-behind of numbers that only a flush or the close sets off, unless `every` says otherwise."""

    def __init__(self, *, most: int = 100, every: float = 60.0, after_a_fault: float = 60.0) -> None:
        self.shelf, self.waiting = Shelf(), Newest[int](most)
        self.behind = WriteBehind(self.waiting, self.shelf.write, every=every, after_a_fault=after_a_fault)

    def add(self, *numbers: int) -> None:
        self.waiting.add(numbers)
        self.behind.soon()


async def test_what_is_added_within_a_moment_is_written_in_one_go() -> None:
    made = Behind(every=0.01)
    made.add(1)
    made.add(2, 3)
    await asyncio.wait_for(made.shelf.wrote.wait(), WITHIN)
    assert made.shelf.batches == [[1, 2, 3]]


async def test_what_comes_during_a_write_is_the_next_batch() -> None:
    made = Behind(every=0.0)
    made.shelf.door.clear()
    made.add(1)
    await asyncio.wait_for(made.shelf.entered.wait(), WITHIN)
    made.add(2)
    made.add(3)
    made.shelf.door.set()
    await made.behind.close()
    assert made.shelf.batches == [[1], [2, 3]]


async def test_a_flush_waits_for_what_is_on_its_way_too() -> None:
    made = Behind()
    made.shelf.door.clear()
    made.add(1)
    flushes = [asyncio.create_task(made.behind.flush()) for _ in range(3)]
    await made.shelf.entered.wait()
    made.add(2)
    flushes.append(asyncio.create_task(made.behind.flush()))
    made.shelf.door.set()
    assert await asyncio.gather(*flushes) == [True] * 4
    assert made.shelf.batches == [[1], [2]]


async def test_nothing_to_write_is_not_written() -> None:
    made = Behind(every=0.0)
    made.behind.soon()
    assert await made.behind.flush()
    await made.behind.close()
    await made.behind.close()
    assert made.shelf.batches == []


async def test_what_could_not_be_written_stands_before_what_came_since_and_is_tried_again() -> None:
    made = Behind(after_a_fault=0.01)
    made.shelf.faults = [AWAY]
    made.add(1)
    assert not await made.behind.flush()
    made.add(2)
    await asyncio.wait_for(made.shelf.wrote.wait(), WITHIN)
    assert made.shelf.batches == [[1, 2]]


async def test_the_close_writes_what_is_added_meanwhile() -> None:
    made = Behind()
    made.shelf.door.clear()
    made.add(1)
    closing = asyncio.create_task(made.behind.close())
    await made.shelf.entered.wait()
    made.add(2)
    made.shelf.door.set()
    await closing
    assert made.shelf.batches == [[1], [2]]


async def test_the_close_gives_up_while_it_is_away_and_leaves_no_timer() -> None:
    made = Behind(after_a_fault=0.0)
    made.shelf.faults = [AWAY] * 5
    made.add(1, 2)
    await made.behind.close()
    assert made.waiting.take() == [1, 2]
    assert len(made.shelf.faults) == 4, "one try"
    assert made.behind._timer is None


async def test_who_waits_may_be_cancelled_and_the_write_goes_on() -> None:
    made = Behind()
    made.shelf.door.clear()
    made.add(1)
    waiting = asyncio.create_task(made.behind.close())
    await made.shelf.entered.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    made.shelf.door.set()
    await made.behind.close()
    assert made.shelf.batches == [[1]]


async def test_a_write_that_is_cancelled_itself_leaves_its_batch_behind() -> None:
    made = Behind()
    made.shelf.door.clear()
    made.add(1)
    waiting = asyncio.create_task(made.behind.flush())
    await made.shelf.entered.wait()
    assert made.behind._writing is not None
    made.behind._writing.cancel()
    await asyncio.wait([waiting])
    made.shelf.door.set()
    await made.behind.close()
    assert made.shelf.batches == [[1]]


async def test_a_batch_that_cannot_be_written_at_all_does_not_hold_up_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = Behind()
    made.shelf.faults = [ZeroDivisionError()]
    made.add(1)
    assert await made.behind.flush()
    made.add(2)
    await made.behind.close()
    assert made.shelf.batches == [[2]]
    assert "left out" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_what_waits_is_bounded_also_when_a_batch_comes_back() -> None:
    made = Behind(most=3)
    made.shelf.faults = [AWAY]
    made.shelf.door.clear()
    made.add(1, 2, 3, 4)
    assert made.waiting.lost == 1
    flush = asyncio.create_task(made.behind.flush())
    await made.shelf.entered.wait()
    made.add(5, 6)
    made.shelf.door.set()
    await flush
    await made.behind.close()
    assert made.shelf.batches == [[4, 5, 6]]
    assert made.waiting.lost == 3


def test_the_latest_of_each_key_is_kept_whatever_comes_back() -> None:
    marks = Latest[str, int]()
    marks.set("a", 1)
    marks.set("b", 1)
    batch = marks.take()
    marks.set("b", 2)
    marks.put_back(batch)
    assert marks.items == {"a": 1, "b": 2}
    assert len(marks) == 2
