"""An engine over the reference store, with scripted workers and a clock in hand."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
import uuid_utils

from rota.contract.store import Receipt
from rota.coordination.local import LocalIndex
from rota.engine.engine import Engine
from rota.engine.sessions import WorkerSession
from rota.engine.settings import EngineSettings
from rota.life.clock import ManualClock
from rota.model.control import Control
from rota.model.failure import Failure
from rota.model.method import NO_OPTIONS, Method, Options
from rota.model.report import Held, Refused, Report, Verdict
from rota.model.submission import Submission
from rota.model.task import State, Task
from rota.model.worker import Facts, WorkerRecord
from rota.observe.logs import LogBook
from rota.storage.memory import MemoryStore

SECOND = 1_000_000


class ScriptedWorker:
    """A WorkerDoor that remembers what it was told; the test decides what it reports."""

    def __init__(self, engine: Engine, facts: Facts, methods: Sequence[Method], key: bytes) -> None:
        self.engine, self.facts, self.methods, self.key = engine, facts, methods, key
        self.tasks: list[tuple[bytes, int]] = []
        self.announced: set[bytes] = set()
        self.cancelled: list[tuple[bytes, int]] = []
        self.recalled = 0
        self.closed: int | None = None
        self.told_to_end = ""
        self.news = asyncio.Event()
        self.session: WorkerSession
        self.lost: list[tuple[bytes, int]] = []
        self.confined = False

    def assign(self, tasks: Sequence[Task], announce: frozenset[int]) -> None:
        self.tasks += [(task.id, task.attempt) for task in tasks]
        self.announced |= {task.id for task in tasks if task.seq in announce}
        self.news.set()

    def cancel(self, refs: Sequence[tuple[bytes, int]], reason: str) -> None:
        self.cancelled += refs
        self.news.set()

    def recall(self, count: int) -> None:
        self.recalled += count
        self.news.set()

    def drain(self, reconnect_to: Sequence[str]) -> None: ...

    def shut_down(self, reason: str) -> None:
        self.told_to_end = reason

    def close(self, code: int, reason: str) -> None:
        self.closed = code

    async def connect(self, held: Sequence[Held] = (), draining: bool = False) -> list[tuple[bytes, int]]:
        self.session, lost = await self.engine.connect(
            self.facts, self.methods, held, self.key, draining, self, self.confined
        )
        return lost

    async def gets(self, count: int) -> list[tuple[bytes, int]]:
        """Waits until it has been given so many tasks in all since the last call; takes them."""
        async with asyncio.timeout(5):
            while len(self.tasks) < count:
                self.news.clear()
                await self.news.wait()
        taken, self.tasks = self.tasks, []
        return taken

    async def report(
        self, ref: tuple[bytes, int], verdict: Verdict = Verdict.SUCCEEDED, **rest: object
    ) -> list[Refused]:
        rest.setdefault("result", b"1" if verdict is Verdict.SUCCEEDED else b"")
        return await self.session.finished([Report(ref[0], ref[1], verdict, **rest)])

    async def fails(self, ref: tuple[bytes, int], error: str = "ValueError") -> list[Refused]:
        return await self.report(ref, Verdict.RAISED, failure=Failure((error, "Exception"), "boom"))

    def starts(self, *refs: tuple[bytes, int]) -> None:
        self.session.started([Held(task_id, attempt, 1) for task_id, attempt in refs])


class Hearing:
    """A Herald that writes down what it is told, as it stands then."""

    def __init__(self) -> None:
        self.listening = True
        self.heard: list[tuple[object, ...]] = []

    def tasks(self, tasks: Sequence[Task]) -> None:
        self.heard += [("task", task.id, task.state) for task in tasks]

    def removed(self, ids: Sequence[bytes]) -> None:
        self.heard += [("removed", task_id) for task_id in ids]

    def worker(self, kind: str, worker: WorkerRecord) -> None:
        self.heard.append((kind, worker.facts.id))

    def control(self, control: Control) -> None:
        self.heard.append(("control", control.scope, control.name))

    def node(self, kind: str, detail: str = "") -> None:
        self.heard.append(("node", kind))


class Waiting:
    """A WaiterDoor."""

    def __init__(self) -> None:
        self.tasks: dict[bytes, State] = {}
        self.calls = 0
        self.news = asyncio.Event()

    def ended(self, tasks: Sequence[Task]) -> None:
        self.calls += 1
        for task in tasks:
            assert task.id not in self.tasks, "told twice"
            self.tasks[task.id] = task.state
        self.news.set()

    async def hears(self, count: int) -> dict[bytes, State]:
        async with asyncio.timeout(5):
            while len(self.tasks) < count:
                self.news.clear()
                await self.news.wait()
        return self.tasks


class Rig:
    def __init__(self, store: MemoryStore, clock: ManualClock, settings: EngineSettings) -> None:
        self.store, self.clock = store, clock
        self.index = LocalIndex(store)
        self.journal = LogBook(store)
        self.herald = Hearing()
        self.engine = Engine(store, self.index, self.journal, settings, lambda: 0.0, self.herald)
        self._settings = settings
        self._numbers = itertools.count(1)

    def restarted(self) -> Rig:
        """A second engine over the same store, as after a crash."""
        return Rig(self.store, self.clock, self._settings)

    async def begins(self) -> None:
        """For a restarted one: what a node does when it opens."""
        await self.index.open()
        await self.engine.start()

    async def worker(
        self,
        *methods: str | Method,
        slots: int = 4,
        groups: tuple[str, ...] = (),
        worker_id: str | None = None,
        key: bytes = b"k",
        weight: int = 1,
        held: Sequence[Held] = (),
        connects: bool = True,
    ) -> ScriptedWorker:
        offered = [Method(m) if isinstance(m, str) else m for m in methods or ("m",)]
        facts = Facts(worker_id or f"w{next(self._numbers)}", groups=groups, slots=slots, weight=weight)
        worker = ScriptedWorker(self.engine, facts, offered, key)
        if connects:
            worker.lost = await worker.connect(held)
        return worker

    async def submit(self, method: str = "m", count: int = 1, **rest: object) -> list[bytes]:
        return [receipt.task_id for receipt in await self.receipts(method, count, **rest)]

    async def receipts(
        self,
        method: str = "m",
        count: int = 1,
        options: Options = NO_OPTIONS,
        waiter: Waiting | None = None,
        atomic: bool = False,
        **rest: object,
    ) -> list[Receipt]:
        batch = [Submission(uuid_utils.uuid7().bytes, method, options=options, **rest) for _ in range(count)]
        return await self.engine.submit(batch, waiter=waiter, atomic=atomic)

    async def settled(self) -> None:
        """Lets everything happen that can happen without the clock or anybody's word."""
        for _ in range(50):
            await asyncio.sleep(0)

    async def task(self, task_id: bytes) -> Task:
        return (await self.store.get([task_id]))[task_id]

    async def until(self, true: Callable[[], Awaitable[bool]]) -> None:
        """Lets the loop turn until something holds; bounded by turns, not by time."""
        for _ in range(2_000):
            if await true():
                return
            await asyncio.sleep(0)
        raise AssertionError("it never came true")

    async def advance(self, seconds: float) -> None:
        """Moves the clock, and lets the caretaker go round."""
        self.clock.advance(seconds)
        done = self.clock.now()
        self.engine.look_at_the_clock()
        caretaker = self.engine._caretaker

        async def went_round() -> bool:
            return caretaker.last_success >= done

        await self.until(went_round)


@pytest.fixture
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    marker = request.node.get_closest_marker("engine")
    settings = EngineSettings(**marker.kwargs) if marker else EngineSettings()
    clock = ManualClock()
    rig = Rig(MemoryStore(clock), clock, settings)
    await rig.store.open()
    await rig.engine.start()
    yield rig
    await rig.engine.stop()
    await rig.journal.stop()
    await rig.store.close()
