"""The worker at a real node (in memory, in this process): the whole way of a task."""

import asyncio
import threading
from typing import Any

from uuid_utils import uuid7

from rota.house.local import LocalNode, local_node
from rota.model.method import Options
from rota.model.submission import Submission
from rota.model.task import Reason, State, Task
from rota.worker.context import Context
from rota.worker.runtime import Worker


async def begin(*register: Any, **options: Any) -> tuple[LocalNode, Worker]:
    node = local_node()
    await node.start()
    return node, await join(node, *register, **options)


async def join(node: LocalNode, *register: Any, **options: Any) -> Worker:
    worker = Worker("local:", dial=node.dial, **options)
    for name, fn in register:
        worker.register_method(name, fn)
    await worker.astart()
    async with asyncio.timeout(10):
        while not worker.connected:
            await asyncio.sleep(0)
    return worker


class Waiter:
    def __init__(self) -> None:
        self.tasks: dict[bytes, Task] = {}
        self.bell = asyncio.Event()

    def ended(self, tasks: Any) -> None:
        self.tasks.update({task.id: task for task in tasks})
        self.bell.set()

    async def all(self, count: int) -> list[Task]:
        async with asyncio.timeout(20):
            while len(self.tasks) < count:
                self.bell.clear()
                await self.bell.wait()
        return list(self.tasks.values())


async def submit(node: LocalNode, waiter: Waiter, method: str, *params: bytes, **options: Any) -> list[bytes]:
    batch = [Submission(uuid7().bytes, method, each, Options(**options)) for each in params]
    for receipt in await node.engine.submit(batch, waiter=waiter):
        assert receipt.refusal is None
    return [each.id for each in batch]


async def test_thousands_of_tasks_each_end_once_with_their_own_result() -> None:
    async def double(value: int) -> int:
        return value * 2

    def triple(value: int) -> int:
        return value * 3

    node, worker = await begin(("double", double), ("triple", triple))
    waiter = Waiter()
    doubled = await submit(node, waiter, "double", *(str(n).encode() for n in range(1000)))
    tripled = await submit(node, waiter, "triple", *(str(n).encode() for n in range(1000)))
    await waiter.all(2000)
    assert [waiter.tasks[i].outcome for i in doubled] == [str(n * 2).encode() for n in range(1000)]
    assert [waiter.tasks[i].outcome for i in tripled] == [str(n * 3).encode() for n in range(1000)]
    assert {task.attempt for task in waiter.tasks.values()} == {1}
    await worker.astop()
    await node.stop()


async def test_failures_are_tried_again_and_end_with_their_error() -> None:
    tries: list[int] = []

    def flaky(ctx: Context, value: Any) -> str:
        tries.append(ctx.failures)
        if ctx.failures < 2:
            raise OSError("not yet")
        return "at last"

    node, worker = await begin(("flaky", flaky))
    waiter = Waiter()
    (task_id,) = await submit(node, waiter, "flaky", b"null", retries=2, retry_delay=1000)
    await waiter.all(1)
    assert (waiter.tasks[task_id].state, tries) == (State.SUCCEEDED, [0, 1, 2])
    await worker.astop()
    await node.stop()


async def test_a_cancel_of_a_running_task_stops_its_handler() -> None:
    begun = asyncio.Event()

    async def slow(value: Any) -> None:
        begun.set()
        await asyncio.sleep(60)

    node, worker = await begin(("slow", slow))
    waiter = Waiter()
    ids = await submit(node, waiter, "slow", b"1")
    await asyncio.wait_for(begun.wait(), 5)
    await node.engine.cancel(ids, "enough")
    (task,) = await waiter.all(1)
    assert task.state is State.CANCELLED
    await worker.astop()
    await node.stop()


async def test_a_drained_workers_tasks_run_elsewhere_and_spend_nothing() -> None:
    begun = asyncio.Event()
    first = True

    async def slow(value: int) -> int:
        nonlocal first
        if first:
            first = False
            begun.set()
            await asyncio.sleep(60)
        return value

    node, worker = await begin(("slow", slow), slots=1)
    waiter = Waiter()
    await submit(node, waiter, "slow", b"1", b"2", b"3")
    await asyncio.wait_for(begun.wait(), 5)
    other = await join(node, ("slow", slow), slots=1)
    await worker.astop(0.05)
    tasks = await waiter.all(3)
    assert {task.state for task in tasks} == {State.SUCCEEDED}
    assert {(task.failures, task.rescues) for task in tasks} == {(0, 0)}
    await other.astop()
    await node.stop()


async def test_a_worker_whose_link_breaks_comes_back_and_finishes_what_it_holds() -> None:
    gate, begun = asyncio.Event(), asyncio.Event()

    async def wait(value: int) -> int:
        begun.set()
        await gate.wait()
        return value

    node, worker = await begin(("wait", wait))
    waiter = Waiter()
    (task_id,) = await submit(node, waiter, "wait", b"7")
    await asyncio.wait_for(begun.wait(), 5)
    worker._connection._link.close(1006, "broken")  # type: ignore[union-attr]
    async with asyncio.timeout(5):
        while worker.connected:
            await asyncio.sleep(0)
        gate.set()
    await waiter.all(1)
    task = waiter.tasks[task_id]
    assert (task.state, task.outcome, task.attempt) == (State.SUCCEEDED, b"7", 1)
    await worker.astop()
    await node.stop()


async def test_logs_and_progress_can_be_read_at_the_node() -> None:
    def chatty(ctx: Context, value: Any) -> None:
        ctx.log.info("hello from %s", threading.current_thread().name[:4])
        ctx.progress(1.0, "done")

    node, worker = await begin(("chatty", chatty))
    waiter = Waiter()
    (task_id,) = await submit(node, waiter, "chatty", b"null")
    (task,) = await waiter.all(1)
    async with asyncio.timeout(5):
        while not (await node.engine.read_logs(task_id, 0, 10))[0]:
            await asyncio.sleep(0)
    lines, _ = await node.engine.read_logs(task_id, 0, 10)
    assert [line.text for line in lines] == ["hello from rota"]
    assert task.reason is Reason.RETURNED
    await worker.astop()
    await node.stop()
