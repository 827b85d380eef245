"""F27: params, results, log lines and batches at a limit, at one less, one more, and a hundred times as much.

Through the client and the worker as people use them, and by hand through a link of which nothing holds back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import uuid_utils
import websockets.asyncio.client as ws
from attacker import UPGRADE
from processes import House, house
from raw_worker import RawWorker
from websockets.exceptions import ConnectionClosed

from rota import AsyncClient, Client
from rota.model.errors import InvalidInput, TaskFailed
from rota.wire.v1 import link_pb2 as pb

LIMIT = 64 * 1024
MAX_LINE = 16 * 1024
FITS, EXCEEDS = (LIMIT - 1, LIMIT), (LIMIT + 1, 100 * LIMIT)
SPARE = 24 << 20
"""Bytes by which a node may grow meanwhile: far less than what is sent to it."""


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("sizes")) as made:
        made.start_node("--max-payload", "64KiB")
        made.start_worker(app="sizes:app")
        yield made


@pytest.fixture
async def client(where: House) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(where.url) as made:
        await made.stats()
        yield made


@contextlib.contextmanager
def lean(where: House) -> Iterator[None]:
    """The node does not grow by what is refused."""
    process = psutil.Process(where.node.pid)
    before = process.memory_info().rss
    yield
    grown = process.memory_info().rss - before
    assert grown < SPARE, f"{grown / 2**20:.0f} MiB"


def text_of(size: int) -> str:
    """Whose JSON, as params of `takes`, is so large."""
    return "p" * (size - len(json.dumps({"text": ""}, separators=(",", ":"))))


# --- params


@pytest.mark.parametrize("size", FITS)
async def test_params_up_to_the_limit_are_taken(client: AsyncClient, size: int) -> None:
    text = text_of(size)
    assert await client.execute("takes", {"text": text}, wait_timeout=20) == len(text)


@pytest.mark.parametrize("size", EXCEEDS)
async def test_the_client_refuses_larger_params_at_the_call(where: House, client: AsyncClient, size: int) -> None:
    params = {"text": text_of(size)}
    calls: list[Callable[[], Any]] = [
        lambda: client.submit("takes", params),
        lambda: client.execute("takes", params),
        lambda: client.submit_many([("takes", params)]),
    ]
    with lean(where):
        for call in calls:
            with pytest.raises(InvalidInput, match=f"{size} bytes; the limit is {LIMIT}") as error:
                await call()
            assert error.value.code == "payload_too_large"
        await asyncio.to_thread(refused_in_sync, where.url, params)


def refused_in_sync(url: str, params: object) -> None:
    with Client(url) as client:
        client.stats()
        for call in (client.submit, client.execute):
            with pytest.raises(InvalidInput, match=f"the limit is {LIMIT}"):
                call("takes", params)


@pytest.mark.parametrize("size", [LIMIT + 1, 50 * LIMIT])
async def test_the_node_refuses_larger_params_of_whoever_ignores_it(where: House, size: int) -> None:
    worker = RawWorker(where.url)
    await worker.start()
    with lean(where):
        for _ in range(20):
            new = pb.NewTask(id=uuid_utils.uuid7().bytes, method="takes", params=b"1" * size)
            answer = await worker.ask(pb.Frame(submit=pb.Submit(tasks=[new])))
            (exception,) = answer.submitted.exceptions
            assert exception.refusal.code == "payload_too_large"
            assert exception.refusal.errors[0].path == "tasks[0].params"
            assert str(LIMIT) in exception.refusal.detail
    assert worker.ups == 1
    await worker.stop()


async def test_a_frame_a_hundred_times_too_large_ends_the_link_before_it_is_read(where: House) -> None:
    uri = f"ws://127.0.0.1:{where.port}/api/v1/link"
    with lean(where):
        for _ in range(3):
            async with ws.connect(uri, compression=None, max_size=None, proxy=None) as link:
                await link.send(pb.Frame(hello=pb.Hello(versions=[1])).SerializeToString())
                await link.recv()
                with contextlib.suppress(ConnectionClosed):
                    await link.send(b"x" * (100 * LIMIT))
                await link.wait_closed()
                assert link.close_code == 1009


@pytest.mark.parametrize("head", ["a frame of 400 MiB", "a body of 400 MiB", "a body without end"])
async def test_what_is_announced_is_not_waited_for(where: House, head: str) -> None:
    start = {
        "a frame of 400 MiB": UPGRADE + b"\r\n",
        "a body of 400 MiB": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 419430400\r\n\r\n",
        "a body without end": b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    }[head]
    more = b"10000\r\n" + b"x" * 65_536 + b"\r\n" if "without end" in head else b"x" * 65_536
    with lean(where):
        for _ in range(5):
            assert await asyncio.to_thread(pushed, where.port, start, "frame" in head, more) < 16 << 20


def pushed(port: int, start: bytes, upgrades: bool, more: bytes) -> int:
    """Sends without an end, and tells how many bytes left before the node cut it."""
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(start)
        if upgrades:
            assert b" 101 " in sock.recv(4_096)
            sock.sendall(b"\x82\xff" + struct.pack("!Q", 400 << 20) + b"\0\0\0\0")
        with contextlib.suppress(ConnectionError):
            while sent < 400 << 20:
                sent += sock.send(more)
    return sent


async def test_params_of_a_first_call_are_held_to_the_nodes_limit_and_no_other(where: House) -> None:
    """The node's limit is known only once a link is up."""
    async with AsyncClient(where.url) as client:
        with pytest.raises(InvalidInput) as error:
            await client.submit("takes", {"text": text_of(LIMIT + 1)})
        assert error.value.code == "payload_too_large"


# --- results


@pytest.mark.parametrize("method", ["returns", "returns_in_thread"])
@pytest.mark.parametrize("size", FITS)
async def test_results_up_to_the_limit_are_kept(client: AsyncClient, method: str, size: int) -> None:
    assert len(await client.execute(method, {"size": size}, wait_timeout=20)) == size - 2


@pytest.mark.parametrize("method", ["returns", "returns_in_thread"])
@pytest.mark.parametrize("size", EXCEEDS)
async def test_a_larger_result_fails_the_task_at_once_and_for_good(
    where: House, client: AsyncClient, method: str, size: int
) -> None:
    with lean(where):
        receipt = await client.submit(method, {"size": size})
        outcome = await client.wait(receipt.id, timeout=20)
        with pytest.raises(TaskFailed, match=f"the limit is {LIMIT}"):
            outcome.value()
    view = await client.get(receipt.id)
    assert (view.state, view.reason, view.attempt) == ("failed", "result_too_large", 1), "no try was spent on it again"


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT, LIMIT + 1, 50 * LIMIT])
async def test_the_node_judges_results_of_whoever_ignores_it(where: House, client: AsyncClient, size: int) -> None:
    worker = RawWorker(where.url)
    await worker.start()
    await worker.register("raw")
    receipt = await client.submit("raw", None, retries=3)
    (task,) = await worker.assigned(1)
    await worker.ask(worker.finish_frame(task, result=b'"' + b"r" * (size - 2) + b'"'))
    view = await client.get(receipt.id)
    expected = ("succeeded", "returned", 1) if size <= LIMIT else ("failed", "result_too_large", 1)
    assert (view.state, view.reason, view.attempt) == expected
    assert worker.ups == 1
    await worker.stop()


# --- log lines


async def lines_of(client: AsyncClient, task_id: object) -> list[str]:
    return [line.text async for line in client.logs(task_id)]


@pytest.mark.parametrize("size", [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 100 * MAX_LINE])
async def test_a_log_line_over_the_limit_is_cut_with_a_mark(where: House, client: AsyncClient, size: int) -> None:
    receipt = await client.submit("says", {"size": size})
    assert (await client.wait(receipt.id, timeout=20)).value() == size
    with lean(where):
        async with asyncio.timeout(20):
            while not (lines := await lines_of(client, receipt.id)):
                await asyncio.sleep(0.05)
    assert lines == ["l" * size if size <= MAX_LINE else "l" * MAX_LINE + " … (line cut)"]


@pytest.mark.parametrize("size", [MAX_LINE, MAX_LINE + 1, 100 * MAX_LINE])
async def test_the_node_cuts_lines_of_whoever_does_not(where: House, client: AsyncClient, size: int) -> None:
    worker = RawWorker(where.url)
    await worker.start()
    await worker.register("raw")
    receipt = await client.submit("raw", None)
    (task,) = await worker.assigned(1)
    entry = pb.Report.Entry(id=task.id, attempt=1, lines=[pb.LogLine(at=1, level=20, text="l" * size)])
    await worker.ask(pb.Frame(report=pb.Report(entries=[entry])))
    await worker.ask(worker.finish_frame(task))
    (line,) = await lines_of(client, receipt.id)
    assert line == "l" * MAX_LINE + (" … (line cut)" if size > MAX_LINE else "")
    await worker.stop()


# --- batches


@pytest.mark.parametrize("count", [999, 1_000, 1_001, 20_000])
async def test_the_client_splits_batches_by_itself(client: AsyncClient, count: int) -> None:
    receipts = await client.submit_many([("nobody", number) for number in range(count)])
    assert len({receipt.id for receipt in receipts}) == count


@pytest.mark.parametrize("count", [999, 1_000, 1_001, 100_000])
async def test_the_node_refuses_larger_batches_of_whoever_does_not(where: House, count: int) -> None:
    worker = RawWorker(where.url)
    await worker.start()
    tasks = [pb.NewTask(id=uuid_utils.uuid7().bytes, method="nobody") for _ in range(count)]
    answer = await worker.ask(pb.Frame(submit=pb.Submit(tasks=tasks)))
    if count <= 1_000:
        assert answer.HasField("submitted")
        assert not any(exception.HasField("refusal") for exception in answer.submitted.exceptions)
    else:
        assert answer.failure.code == "batch_size"
        assert "1 to 1000" in answer.failure.detail
    assert worker.ups == 1
    await worker.stop()


async def test_a_node_that_takes_more_gets_more_at_the_first_call(tmp_path: Path) -> None:
    """The client must not hold callers to a limit of its own before it knows the node's."""
    with house(tmp_path) as roomy:
        await asyncio.to_thread(roomy.start_node, "--max-payload", "3MiB")
        async with AsyncClient(roomy.url) as client:
            receipt = await client.submit("nobody", "p" * (2 << 20))
            assert (await client.get(receipt.id)).state == "ready"
