"""Row 60: streams over gRPC that are opened and cancelled, over and over. The node's memory and handles stay where they were.

ROTA_GRPC_STREAMS says how many; `make evidence` takes 100,000. The first part of them is warming up: arenas fill, buffers
find their size. What comes after is measured against what the same number of them did before it.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import psutil
import pytest
from grpc_client import GrpcClient, new_task
from processes import House, house

from rota.wire.v1 import link_pb2 as pb

STREAMS = int(os.environ.get("ROTA_GRPC_STREAMS", "30000"))
AT_ONCE = 50
BYTES_A_STREAM = 60
"""Of growth: of 100,000 streams one array of the library's lost with each (96 bytes and more) would be over it."""
SLACK = 6_000_000
"""Bytes that memory moves about by chance: how full the allocator's arenas are differs from run to run, and on a busy
machine more calls are open at once. A few hundred bytes lost with each stream are more than that in a short run; the
fine leak is the long run's to find."""


def grpc_node(where: House, *flags: str) -> str:
    """Starts a node; the address of its gRPC door."""
    node = where.start_node("--grpc", "on", "--grpc-port", "0", *flags)
    return json.loads(node.line())["grpc_address"]


async def link(client: GrpcClient, _: bytes) -> None:
    """Greeted, and then gone without a word."""
    stream = client.link()
    try:
        await stream.hello()
    except grpc.aio.AioRpcError as error:  # a busy machine may take longer than the node waits for a Hello
        if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
            raise
    stream.call.cancel()


async def follow(client: GrpcClient, task_id: bytes) -> None:
    """A line has come, and the next is waited for."""
    stream = client.stream("Logs", pb.ReadLogs(id=task_id, follow=True))
    await stream.read()
    stream.cancel()


async def wait(client: GrpcClient, task_id: bytes) -> None:
    """One of two has ended, and the other is waited for."""
    stream = client.stream("Wait", pb.Wait(ids=[task_id, b"\0" * 16]))
    await stream.read()
    stream.cancel()


async def times(count: int, once: Callable[[], Awaitable[None]]) -> None:
    left = iter(range(count))

    async def some() -> None:
        for _ in left:
            await once()

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some())


async def settled(process: psutil.Process, most_handles: int) -> tuple[int, int]:
    """Resident bytes and open handles, once the node has put away what was cancelled."""
    async with asyncio.timeout(20):
        while (handles := process.num_fds()) > most_handles:
            await asyncio.sleep(0.05)
    return process.memory_info().rss, handles


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", [link, follow, wait])
async def test_cancelled_streams_leave_no_memory_and_no_handles(
    tmp_path: Path, kind: Callable[[GrpcClient, bytes], Awaitable[None]], capsys: pytest.CaptureFixture[str]
) -> None:
    with house(tmp_path) as where:
        client = GrpcClient(await asyncio.to_thread(grpc_node, where))
        worker = client.link()
        await worker.hello()
        await worker.register("w", "held")
        task = new_task("held")
        await client.ask("Submit", pb.Submit(tasks=[task]))
        await worker.next("assign")
        lines = [pb.LogLine(text="a line", level=20)]
        await worker.send(report=pb.Report(entries=[pb.Report.Entry(id=task.id, attempt=1, lines=lines)]))
        assert where.node is not None
        node = psutil.Process(where.node.pid)
        beating = asyncio.create_task(beat(worker))
        handles = node.num_fds() + 2
        figures = []
        for share in (0.2, 0.2, 0.2, 0.2, 0.2):
            await times(int(STREAMS * share), lambda: kind(client, task.id))
            figures.append((await settled(node, handles))[0])
        beating.cancel()
        stats = await client.ask("Stats", pb.ReadStats())
        assert (stats.workers, stats.clients) == (1, 0)
        await client.close()
    later = int(STREAMS * 0.6)
    growth = figures[-1] - figures[1]
    with capsys.disabled():
        shown = " ".join(f"{each / 1e6:.1f}" for each in figures)
        print(f"\n{kind.__name__}: {STREAMS} streams, RSS {shown} MB, {growth / later:.0f} bytes a stream")
    assert growth <= BYTES_A_STREAM * later + SLACK


async def beat(worker: Any) -> None:
    while True:
        await asyncio.sleep(3)
        await worker.send(heartbeat=pb.Heartbeat())
