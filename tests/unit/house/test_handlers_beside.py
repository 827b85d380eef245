"""Handlers beside a node: the worker in its process."""

import asyncio
import threading
from typing import Any

from uuid_utils import uuid7

from rota.house.handlers import HandlersBeside
from rota.house.local import LocalNode, local_node
from rota.model.method import Options
from rota.model.submission import Submission
from rota.model.task import Reason, State, Task
from rota.worker.runtime import Worker


class Deaf:
    """Offers a handler that cannot be stopped, and one that answers."""

    def __init__(self) -> None:
        self.hears = threading.Event()

    def add_to(self, worker: Worker) -> None:
        worker.register_method("deaf", lambda value: self.hears.wait(60))
        worker.register_method("answer", lambda value: value)


class Waiter:
    def __init__(self) -> None:
        self.tasks: dict[bytes, Task] = {}
        self.news = asyncio.Event()

    def ended(self, tasks: Any) -> None:
        self.tasks.update({task.id: task for task in tasks})
        self.news.set()

    async def all(self, ids: list[bytes]) -> list[Task]:
        async with asyncio.timeout(30):
            while not set(ids) <= set(self.tasks):
                self.news.clear()
                await self.news.wait()
        return [self.tasks[each] for each in ids]


async def submit(node: LocalNode, waiter: Waiter, method: str, count: int, **options: Any) -> list[bytes]:
    batch = [Submission(uuid7().bytes, method, b"7", Options(**options)) for _ in range(count)]
    for receipt in await node.engine.submit(batch, waiter=waiter):
        assert receipt.refusal is None
    return [each.id for each in batch]


async def test_a_worker_whose_handlers_cannot_be_stopped_is_replaced() -> None:
    app, waiter, node = Deaf(), Waiter(), local_node()
    await node.start()
    beside = HandlersBeside([app])
    await beside.open(node.dial)
    try:
        deaf = await waiter.all(await submit(node, waiter, "deaf", 4, timeout=100_000))
        assert {(task.state, task.reason) for task in deaf} == {(State.FAILED, Reason.TIMED_OUT)}
        (answer,) = await waiter.all(await submit(node, waiter, "answer", 1))
        assert (answer.state, answer.outcome) == (State.SUCCEEDED, b"7")
        assert answer.worker != deaf[0].worker, "another worker, while the threads of the first still wait"
        assert not app.hears.is_set()
    finally:
        app.hears.set()
        await beside.close()
        await node.stop()
