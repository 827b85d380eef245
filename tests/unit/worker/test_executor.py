"""The executor: asyncio as handlers know it, slots, and threads that are used again."""

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from rota.life.clock import SystemClock
from rota.model.method import NO_OPTIONS, Method
from rota.model.report import Verdict
from rota.wire.v1 import link_pb2 as pb
from rota.worker.bell import Bell
from rota.worker.context import running
from rota.worker.executor import Executor
from rota.worker.handler import Handler, call_with_value, is_async
from rota.worker.logs import LogBook
from rota.worker.run import Run

CLOCK = SystemClock()
BOOK = LogBook(CLOCK.now, lambda: None)
VAR: contextvars.ContextVar[str] = contextvars.ContextVar("user")


class Bench:
    """An executor in the test's loop."""

    def __init__(self, slots: int = 4) -> None:
        self.loop = asyncio.get_running_loop()
        self.told = asyncio.Event()
        self.executor = Executor(slots, self.loop, CLOCK.now, Bell(self.loop, self.told.set).ring)
        self.number = 0

    def runs(self, fn: Any, *values: bytes, announce: bool = False) -> list[Run]:
        handler = Handler(Method("m", defaults=NO_OPTIONS), call_with_value(fn)[0], is_async=is_async(fn), place="")
        made = []
        for value in values:
            self.number += 1
            assignment = pb.Assignment(id=self.number.to_bytes(16, "big"), attempt=1, params=value, announce=announce)
            made.append(Run(assignment, handler, BOOK))
        return made

    async def ended(self, count: int) -> list[Run]:
        async with asyncio.timeout(10):
            while len(self.executor.done) < count:
                self.told.clear()
                if len(self.executor.done) < count:
                    await self.told.wait()
        return list(self.executor.done)

    async def run(self, fn: Any, *values: bytes) -> list[Run]:
        runs = self.runs(fn, *values)
        before = len(self.executor.done)
        self.executor.queue(runs)
        await self.ended(before + len(runs))
        return runs


async def test_each_handler_has_a_context_of_its_own() -> None:
    bench = Bench(slots=1)
    VAR.set("the test's")
    seen: list[Any] = []

    async def leaves_a_variable(value: int) -> None:
        seen.append(VAR.get(None))
        VAR.set(f"of {value}")
        if value % 2:
            await asyncio.sleep(0)

    def plainly(value: int) -> None:
        seen.append(VAR.get(None))
        VAR.set("plain")

    await bench.run(leaves_a_variable, b"1", b"2", b"3", b"4")
    await bench.run(plainly, b"1", b"2")
    assert seen[:4] == [None] * 4
    assert set(seen) == {None}


async def test_timeouts_task_groups_and_the_current_task_work_before_the_first_wait() -> None:
    bench = Bench()

    async def uses_everything(value: int) -> str:
        async with asyncio.timeout(5):
            pass
        assert asyncio.current_task() is not None
        async with asyncio.TaskGroup() as group:
            child = group.create_task(asyncio.sleep(0, "child"))
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(5)
        except TimeoutError:
            return child.result()
        return "no timeout"

    runs = await bench.run(uses_everything, b"1", b"2")
    assert [run.result for run in runs] == [b'"child"'] * 2


async def test_a_waiting_handler_has_a_task_to_itself() -> None:
    bench, gate = Bench(), asyncio.Event()
    tasks: list[Any] = []

    async def wait(value: int) -> None:
        await gate.wait()
        tasks.append(asyncio.current_task())

    runs = bench.runs(wait, b"1", b"2", b"3")
    bench.executor.queue(runs)
    while sum(run.task is not None for run in runs) < 3:
        await asyncio.sleep(0)
    assert len({run.task for run in runs}) == 3
    gate.set()
    await bench.ended(3)
    assert len(set(tasks)) == 3


async def test_a_cancellation_meets_its_own_handler_only() -> None:
    bench = Bench(slots=2)

    async def wait(value: int) -> int:
        await asyncio.sleep(value)
        return value

    slow, quick = bench.runs(wait, b"60", b"0")
    bench.executor.queue([slow, quick])
    await bench.ended(1)
    bench.executor.interrupt(slow)
    bench.executor.interrupt(slow)
    bench.executor.interrupt(quick)
    await bench.ended(2)
    assert slow.verdict is Verdict.RAISED
    assert slow.failure is not None
    assert slow.failure.error_type == "asyncio.exceptions.CancelledError"
    assert quick.verdict is Verdict.SUCCEEDED
    after = await bench.run(wait, b"0", b"0")
    assert {run.verdict for run in after} == {Verdict.SUCCEEDED}


async def test_a_handler_may_catch_cancellation_and_go_on_waiting() -> None:
    bench = Bench()
    told = 0

    async def stubborn(value: int) -> int:
        nonlocal told
        while told < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                told += 1
        await asyncio.sleep(0)
        return told

    (run,) = runs = bench.runs(stubborn, b"1")
    bench.executor.queue(runs)
    while run.task is None:
        await asyncio.sleep(0)
    for count in (1, 2):
        bench.executor.interrupt(run)
        while told < count:
            await asyncio.sleep(0)
    await bench.ended(1)
    assert run.result == b"2"


async def test_errors_thrown_into_a_wait_surface_in_the_handler() -> None:
    bench = Bench()

    async def fails_inside(value: int) -> str:
        future = asyncio.get_running_loop().create_future()
        future.get_loop().call_soon(future.set_exception, OSError("from the future"))
        try:
            await future
        except OSError as error:
            return str(error)
        return ""

    (run,) = await bench.run(fails_inside, b"1")
    assert run.result == b'"from the future"'


async def test_slots_bound_what_runs_at_once_and_a_withdrawn_run_never_runs() -> None:
    bench, gate = Bench(slots=2), threading.Event()
    begun: list[int] = []

    def wait(value: int) -> None:
        begun.append(value)
        gate.wait(10)

    runs = bench.runs(wait, b"1", b"2", b"3", b"4", b"5")
    bench.executor.queue(runs)
    assert bench.executor.reserve(1) == 0
    assert bench.executor.withdraw(runs[2])
    assert not bench.executor.withdraw(runs[0])
    assert bench.executor.take_back(1) == [runs[4]]
    gate.set()
    await bench.ended(3)
    assert sorted(begun) == [1, 2, 4]
    assert bench.executor.reserve(9) == 2


async def test_while_paused_nothing_is_started() -> None:
    bench = Bench(slots=1)
    bench.executor.paused = True

    async def note(value: int) -> int:
        return value

    runs = bench.runs(note, b"1", b"2")
    bench.executor.queue(runs)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not bench.executor.done
    bench.executor.resume()
    await bench.ended(2)


async def test_a_run_to_be_announced_waits_with_its_slot() -> None:
    bench = Bench(slots=1)

    async def note(value: int) -> int:
        return value

    plain, suspect, after = *bench.runs(note, b"1"), *bench.runs(note, b"2", announce=True), *bench.runs(note, b"3")
    bench.executor.queue([plain, suspect, after])
    await bench.ended(1)
    for _ in range(5):
        await asyncio.sleep(0)
    assert list(bench.executor.to_announce) == [suspect]
    assert len(bench.executor.done) == 1
    suspect.declared = True
    bench.executor.start([bench.executor.to_announce.popleft()])
    assert [run.result for run in await bench.ended(3)] == [b"1", b"2", b"3"]


async def test_async_and_def_handlers_share_one_line() -> None:
    bench = Bench(slots=1)
    order: list[int] = []

    async def light(value: int) -> None:
        order.append(value)

    def heavy(value: int) -> None:
        order.append(value)

    runs = [bench.runs((light, heavy)[n % 2], str(n).encode())[0] for n in range(200)]
    bench.executor.queue(runs)
    await bench.ended(200)
    assert order == list(range(200))


async def test_threads_are_used_again() -> None:
    bench = Bench(slots=4)
    names: set[str] = set()
    for _ in range(20):
        await bench.run(lambda value: names.add(str(threading.get_ident())), b"1", b"2", b"3")
    assert len(names) <= 4


async def test_many_handlers_of_one_turn_take_few_tasks_and_one_word() -> None:
    bench = Bench(slots=16)
    tasks: set[int] = set()
    words = 0

    def tell() -> None:
        nonlocal words
        words += 1
        bench.told.set()

    bench.executor.loop._turned = tell
    keep: list[Any] = []

    async def nothing(value: int) -> None:
        task = asyncio.current_task()
        if id(task) not in tasks:
            tasks.add(id(task))
            keep.append(task)

    await bench.run(nothing, *[b"1"] * 640)
    assert len(tasks) <= 11
    assert words <= 12


@pytest.fixture(autouse=True)
def _no_task_leaks_into_the_test() -> Iterator[None]:
    yield
    assert running.get(None) is None
