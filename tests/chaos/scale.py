"""What a queue of a million costs: memory and disk a task, the time to a claim, the time to start again.

    python tests/chaos/scale.py [--tasks 1000000] [--lanes 1] [--claims 2000] [--json]

Two nodes, one with few tasks and one with many, and workers with one slot that are nothing but frames, so that their time
is the node's. A claim is timed from the report that frees the slot to the next task, in turns at the one node and the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parent.parent / "rig"))

from processes import House, house
from vitals import MIB, vitals

from rota import AsyncClient
from rota.client.connection import Connection
from rota.wire.v1 import link_pb2 as pb

FEW = 1_000
PARAMS = {"text": "x" * 188}
"""200 bytes of JSON."""
IN_FLIGHT = 8_000
ROUNDS = 10
UNHURRIED = 60_000_000
"""How long the raw worker says that its tasks ran: so it is given none ahead, and every task is one claim."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Milliseconds from a free slot to the next task."""

    p50: float
    p99: float
    most: float
    cpu: float
    """Of the node's processor time: what a busy machine does not change much."""


@dataclass(frozen=True, slots=True)
class Figures:
    tasks: int
    lanes: int
    submit_per_s: float
    empty_mb: float
    tenth_mb: float
    """With a tenth of the tasks: the window of the lane is full by then."""
    full_mb: float
    bytes_of_memory_a_task: float
    """All growth, from the empty node to all tasks queued: caches and windows too."""
    bytes_of_memory_a_further_task: float
    """From a tenth to all."""
    bytes_of_disk_a_task: float
    few: Claims
    many: Claims
    restart_s: float
    """From the start of the process, after a kill -9, to its saying that it is ready. The median of all."""
    restart_with_few_s: float
    first_task_s: float
    """Until a worker that comes as soon as it is ready has its first task."""
    restarted_mb: float


class OneSlot:
    """A worker with a slot that is never empty for longer than it takes the node."""

    def __init__(self, url: str, methods: list[str]) -> None:
        self._methods = methods
        self._up = asyncio.Event()
        self._news: asyncio.Queue[tuple[float, list[pb.Assignment]]] = asyncio.Queue()
        self._connection = Connection(
            [url],
            on_frame=self._frame,
            on_up=lambda _: self._up.set(),
            on_down=lambda _: None,
            on_final=lambda _: None,
        )
        self._requests = 0
        self._held: list[pb.Assignment] = []

    def _frame(self, frame: pb.Frame, size: int) -> None:
        self._connection.dealt_with(size)
        if frame.HasField("assign"):
            self._news.put_nowait((time.perf_counter(), list(frame.assign.tasks)))

    def _ask(self, frame: pb.Frame) -> None:
        self._requests += 1
        frame.request = self._requests
        assert self._connection.send(frame)

    async def start(self) -> None:
        """With its first task in hand."""
        self._connection.start()
        async with asyncio.timeout(30):
            await self._up.wait()
        facts = pb.WorkerFacts(id=uuid.uuid4().hex, name="one slot", slots=1, weight=1, language="test")
        methods = [pb.Method(name=name, version=1) for name in self._methods]
        self._ask(pb.Frame(register=pb.Register(facts=facts, methods=methods, session_key=b"k" * 16)))
        self._held = (await asyncio.wait_for(self._news.get(), 60))[1]

    async def claims(self, count: int) -> list[float]:
        """So many tasks, one after another: the milliseconds from each report to the next task."""
        took: list[float] = []
        for _ in range(count):
            results = [
                pb.Result(id=task.id, attempt=task.attempt, verdict=pb.SUCCEEDED, result=b"1", ran=UNHURRIED)
                for task in self._held
            ]
            freed = time.perf_counter()
            self._ask(pb.Frame(finish=pb.Finish(results=results)))
            at, self._held = await asyncio.wait_for(self._news.get(), 60)
            took.append((at - freed) * 1e3)
        return took

    async def stop(self) -> None:
        await self._connection.stop()


def claims_of(took: list[float], cpu_s: float) -> Claims:
    took = sorted(took)
    return Claims(took[len(took) // 2], took[int(len(took) * 0.99)], took[-1], cpu_s * 1e3 / len(took))


async def fill(client: AsyncClient, methods: list[str], tasks: int, since: int = 0) -> None:
    """Queues so many, to the methods in turn; no more than `IN_FLIGHT` are held here."""
    for start in range(since, since + tasks, IN_FLIGHT):
        end = min(start + IN_FLIGHT, since + tasks)
        receipts = await client.submit_many([(methods[n % len(methods)], PARAMS) for n in range(start, end)])
        assert all(receipt.refusal is None for receipt in receipts)


async def settled_mb(where: House) -> float:
    """The node's own memory once it has stopped changing, or after 5 seconds."""
    before = vitals(where.node.pid).rss_mb
    for _ in range(10):
        await asyncio.sleep(0.5)
        now = vitals(where.node.pid).rss_mb
        if abs(now - before) < 0.25:
            return now
        before = now
    return before


def disk_mb(where: House) -> float:
    """The file of the store. Its log is of a bounded length, whatever is queued."""
    return (where.folder / "data" / "rota.db").stat().st_size / MIB


async def compared(few: House, many: House, methods: list[str], claims: int) -> tuple[Claims, Claims]:
    """Claims at both nodes, in turns: what else the machine does meets both alike."""
    workers = [OneSlot(where.url, methods) for where in (few, many)]
    for worker in workers:
        await worker.start()
        await worker.claims(claims // ROUNDS)
    took: list[list[float]] = [[], []]
    pids = [where.node.pid for where in (few, many)]
    before = [vitals(pid).cpu_s for pid in pids]
    for _ in range(ROUNDS):
        for worker, found in zip(workers, took, strict=True):
            found += await worker.claims(claims // ROUNDS)
    spent = [vitals(pid).cpu_s - cpu_s for pid, cpu_s in zip(pids, before, strict=True)]
    for worker in workers:
        await worker.stop()
    with_few, with_many = map(claims_of, took, spent)
    return with_few, with_many


async def restarted(where: House, methods: list[str]) -> tuple[float, float]:
    """Seconds until the node is ready again after a kill -9, and until a worker has its first task."""
    where.node.kill()
    began = time.perf_counter()
    await asyncio.to_thread(where.start_node)
    ready = time.perf_counter() - began
    worker = OneSlot(where.url, methods)
    await worker.start()
    first = time.perf_counter() - began
    await worker.stop()
    return ready, first


async def measure(few: House, many: House, tasks: int, lanes: int, claims: int, restarts: int) -> Figures:
    methods = [f"queued.{n}" for n in range(lanes)]
    for where in (few, many):
        await asyncio.to_thread(where.start_node)
    async with AsyncClient(few.url, connect_timeout=60) as client:
        await fill(client, methods[:1], FEW + 3 * claims)
    async with AsyncClient(many.url, connect_timeout=60) as client:
        await fill(client, methods[:1], FEW)
        empty, disk_before = await settled_mb(many), disk_mb(many)
        began = time.perf_counter()
        await fill(client, methods, tasks // 10)
        took = time.perf_counter() - began
        tenth = await settled_mb(many)
        began = time.perf_counter()
        await fill(client, methods, tasks - tasks // 10, tasks // 10)
        took += time.perf_counter() - began
        full = await settled_mb(many)
    with_few, with_many = await compared(few, many, methods, claims)
    disk = disk_mb(many)
    restarts_with_few = [(await restarted(few, methods))[0] for _ in range(restarts)]
    with_many_queued = [await restarted(many, methods) for _ in range(restarts)]
    return Figures(
        tasks=tasks,
        lanes=lanes,
        submit_per_s=tasks / took,
        empty_mb=empty,
        tenth_mb=tenth,
        full_mb=full,
        bytes_of_memory_a_task=(full - empty) * MIB / tasks,
        bytes_of_memory_a_further_task=(full - tenth) * MIB / (tasks - tasks // 10),
        bytes_of_disk_a_task=(disk - disk_before) * MIB / tasks,
        few=with_few,
        many=with_many,
        restart_s=statistics.median(ready for ready, _ in with_many_queued),
        restart_with_few_s=statistics.median(restarts_with_few),
        first_task_s=statistics.median(first for _, first in with_many_queued),
        restarted_mb=await settled_mb(many),
    )


def scale(folder: Path, tasks: int, lanes: int = 1, claims: int = 2_000, restarts: int = 3) -> Figures:
    """Measures it in houses of its own."""
    for name in ("few", "many"):
        (folder / name).mkdir()
    with house(folder / "few") as few, house(folder / "many") as many:
        return asyncio.run(measure(few, many, tasks, lanes, claims, restarts))


def in_words(figures: Figures) -> Iterator[str]:
    for name, value in asdict(figures).items():
        shown = ", ".join(f"{k} {v:.2f}" for k, v in value.items()) if isinstance(value, dict) else f"{value:,.1f}"
        yield f"{name:32} {shown}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--claims", type=int, default=2_000)
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rota-scale-") as folder:
        figures = scale(Path(folder), said.tasks, said.lanes, said.claims)
    print(json.dumps(asdict(figures), indent=1) if said.json else "\n".join(in_words(figures)))


if __name__ == "__main__":
    main()
