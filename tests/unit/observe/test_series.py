"""The series: what a step becomes in a longer one, and what is left of it after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from rota.life.clock import ManualClock
from rota.model.errors import Unavailable
from rota.model.series import Point
from rota.observe.series import DAY, MINUTE, SECOND, STEP, Series, merge
from rota.storage.memory import MemoryStore

BEGIN = 1_767_225_600 * SECOND
"""A multiple of an hour."""


def points(count: int, begin: int = BEGIN) -> list[Point]:
    return [
        Point(
            begin + n * STEP, STEP, submitted=n, finished=1, ready=n, workers=2, wait_p50=n, wait_p99=10 * n, run_p99=5
        )
        for n in range(count)
    ]


def test_a_longer_step_adds_counts_takes_the_last_depth_and_the_highest_percentile() -> None:
    minute, rest = merge(points(8), MINUTE)
    assert minute == Point(
        BEGIN, MINUTE, submitted=15, finished=6, ready=5, workers=2, wait_p50=5, wait_p99=50, run_p99=5
    )
    assert (rest.at, rest.step, rest.submitted) == (BEGIN + MINUTE, 2 * STEP, 13)


def test_steps_begin_at_their_multiples_and_empty_ones_are_left_out() -> None:
    made = merge([*points(2, BEGIN + 50 * SECOND), *points(1, BEGIN + 10 * MINUTE)], MINUTE)
    assert [point.at for point in made] == [BEGIN + 50 * SECOND, BEGIN + MINUTE, BEGIN + 10 * MINUTE]


def test_points_that_are_coarser_than_the_step_stay_as_they_are() -> None:
    coarse = [Point(BEGIN, MINUTE, submitted=3), Point(BEGIN + MINUTE, MINUTE, submitted=4)]
    assert merge(coarse, STEP) == coarse


class Counting:
    """Makes points of up to so many steps, that count them."""

    def __init__(self, most: int) -> None:
        self._left = most
        self.over = asyncio.Event()

    async def sample(self, at: int, step: int) -> Point:
        if not self._left:
            self.over.set()
            await asyncio.Event().wait()
        self._left -= 1
        return Point(at, step, submitted=1, ready=7)


class Watched(MemoryStore):
    """A store that can be away, with a clock in the test's hand."""

    def __init__(self) -> None:
        self.clock = ManualClock(BEGIN + 35 * SECOND)
        super().__init__(self.clock)
        self.away = False
        self.written: list[Point] = []

    async def add_points(self, points: Sequence[Point], forget_before: int) -> None:
        if self.away:
            raise Unavailable("away", code="store_unavailable")
        await super().add_points(points, forget_before)
        self.written += points


@pytest.fixture
async def store(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Who sleeps moves its clock, and takes no time."""
    made = Watched()

    async def sleep(seconds: float) -> None:
        made.clock.advance(seconds)
        await real(0)

    real = asyncio.sleep
    monkeypatch.setattr("rota.observe.series.asyncio.sleep", sleep)
    await made.open()
    return made


async def run(store: Watched, steps: int) -> tuple[Series, list[Point]]:
    """Lets so many steps pass; answers what was told of them."""
    told: list[Point] = []
    counting = Counting(steps)
    series = Series(store, counting.sample, told.append)
    await series.start()
    async with asyncio.timeout(5):
        await counting.over.wait()
    return series, told


async def test_a_point_every_ten_seconds_and_one_a_minute_in_the_store(store: Watched) -> None:
    series, told = await run(store, 10)
    await series.stop()
    assert [(point.at - BEGIN) // SECOND for point in told[:4]] == [35, 40, 50, 60]
    assert [point.step // SECOND for point in told[:3]] == [5, 10, 10]
    assert store.written == [
        Point(BEGIN + 35 * SECOND, 25 * SECOND, submitted=3, ready=7),
        Point(BEGIN + MINUTE, MINUTE, submitted=6, ready=7),
        Point(BEGIN + 2 * MINUTE, STEP, submitted=1, ready=7),
    ]
    assert series.points(BEGIN, STEP) == told


async def test_after_a_restart_the_day_is_there_by_minutes(store: Watched) -> None:
    before, _ = await run(store, 20)
    await before.stop()
    after, told = await run(store, 3)
    await after.stop()
    whole = after.points(0, MINUTE)
    assert sum(point.submitted for point in whole) == 23
    assert [point.at for point in whole] == sorted({point.at for point in whole})
    assert after.points(told[0].at, STEP)[-3:] == told


async def test_minutes_that_the_store_did_not_take_are_written_when_it_is_back(store: Watched) -> None:
    store.away = True
    series, _ = await run(store, 20)
    assert not store.written
    store.away = False
    await series.stop()
    assert [point.submitted for point in store.written] == [3, 6, 6, 5]


async def test_only_a_day_is_kept(store: Watched) -> None:
    old, kept = Point(store.now() - DAY - MINUTE, MINUTE), Point(store.now() - DAY // 2, MINUTE)
    await store.add_points([old, kept], 0)
    series, told = await run(store, 8)
    await series.stop()
    assert old not in await store.points(0)
    assert series.points(0, STEP) == [kept, *told]
