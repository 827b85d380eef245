"""The driver's check: a run in which a task did not run just once, or gave the wrong result, has no figure."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import work
from benchmarks.driver import WAKING, Driver
from benchmarks.work import RUNS_VARIABLE, Work, new_table

Pair = tuple[int, int]


class Here:
    """Runs each task where it is submitted, by `run`."""

    packages = ("rota",)

    def __init__(self, run: Callable[[int, int], Any]) -> None:
        self._run = run

    async def open(self) -> None: ...

    async def submit_bulk(self, pairs: Sequence[Pair]) -> Sequence[Any]:
        return [self._run(a, b) for a, b in pairs]

    submit_serial = submit_bulk

    async def submit_in_flight(self, pairs: Sequence[Pair], flight: int) -> Sequence[Any]:
        return await self.submit_bulk(pairs)

    async def stored(self, handles: Sequence[Any]) -> None: ...

    async def results(self, handles: Sequence[Any]) -> Sequence[Any]:
        return handles

    async def round_trips(self, pairs: Sequence[Pair]) -> tuple[list[float], list[Any]]:
        return [1.0] * len(pairs), [self._run(a, b) for a, b in pairs]

    async def close(self) -> None: ...


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_table(tmp_path / "runs", 1_000)
    monkeypatch.setenv(RUNS_VARIABLE, str(tmp_path / "runs"))
    monkeypatch.setattr(work, "add", Work().add)


def once(a: int, b: int) -> int:
    return work.add(a, b)


def twice(a: int, b: int) -> int:
    work.add(a, b)
    return work.add(a, b)


def never(a: int, b: int) -> int:
    return a + b


def falsely(a: int, b: int) -> int:
    return work.add(a, b) + (a == 7)


@pytest.mark.parametrize(
    ("run", "wrong"),
    [
        (once, ""),
        (twice, "of 10 tasks 0 never ran and 10 ran more than once"),
        (never, "of 10 tasks 10 never ran and 0 ran more than once"),
        (falsely, "1 of 10 tasks have a wrong result: 7 + 50 gave 58"),
    ],
)
async def test_what_was_submitted_is_checked(run: Callable[[int, int], Any], wrong: str) -> None:
    driver = Driver(Here(run))
    await driver.submit("bulk", first=0, count=4)
    await driver.submit("serial", first=4, count=3)
    await driver.submit("in_flight", first=7, count=3, flight=2)
    await driver.stored()
    assert (await driver.check())["wrong"] == wrong


async def test_what_is_missing_is_told() -> None:
    class Forgetful(Here):
        async def results(self, handles: Sequence[Any]) -> Sequence[Any]:
            return handles[1:]

    driver = Driver(Forgetful(once))
    await driver.submit("bulk", first=0, count=3)
    assert (await driver.check())["wrong"] == "3 tasks have 2 results"


async def test_the_work_end_to_end_is_checked_without_the_waking_tasks() -> None:
    driver = Driver(Here(twice))
    assert (await driver.end_to_end(first=0, count=5))["seconds"] > 0
    assert (await driver.check())["wrong"].startswith("of 5 tasks")
    assert work.open_table()[WAKING] == 2


async def test_round_trips_are_checked_too() -> None:
    answer = await Driver(Here(falsely)).round_trips(first=0, count=8)
    assert len(answer["milliseconds"]) == 8
    assert answer["wrong"].startswith("1 of 8")
