"""F31 and F36 at the HTTP API, with a real node: slow and endless bodies, streams that nobody reads or that never say who
they are, and no descriptors left while streams hold them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from abused import BUSY, Honest, honest, log_of, start_with_few_files, troubles, until_logged
from attacker import UPGRADE, until_cut
from processes import House, house
from rest import Rest
from vitals import MIB, Cost, vitals

from rota.observe.events import MOST_READERS
from rota.transport.bodies import ROOM
from rota.transport.http.route import MAX_BATCH_BODY

SECRET = "Vq8-long-random-words-that-nobody-guesses-71"
BEARER = f"Authorization: Bearer {SECRET}\r\n".encode()
JSON = b"Content-Type: application/json\r\n"
POST = b"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n" + BEARER + JSON
EXECUTE = b"POST /api/v1/execute?wait=now HTTP/1.1\r\nHost: localhost\r\n" + BEARER + JSON
EVENTS = b"GET /api/v1/events?topics=task HTTP/1.1\r\nHost: localhost\r\n\r\n"
LIVE = UPGRADE.replace(b"/api/v1/link", b"/api/v1/live")
SPARE_MB = 48.0
"""What a node may grow by beside what it keeps for its callers."""


@pytest.fixture
def where(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        yield made


@contextlib.asynccontextmanager
async def rest_at_work(where: House, token: str | None = None) -> AsyncIterator[list[int]]:
    """Somebody else submits over HTTP, on a connection that was there before. Answers the statuses."""
    reader, writer = await asyncio.open_connection("127.0.0.1", where.port)
    body = b'{"method":"add","params":{"a":1,"b":2},"wait":20}'
    head = b"POST /api/v1/execute HTTP/1.1\r\nHost: localhost\r\n" + JSON
    head += f"Authorization: Bearer {token}\r\n".encode() if token else b""
    statuses: list[int] = []
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            writer.write(head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            async with asyncio.timeout(20):
                said = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(said.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            statuses.append(int(said.split()[1]))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.05)

    task = asyncio.create_task(work())
    try:
        yield statuses
    finally:
        stop.set()
        await task
        writer.close()
    assert set(statuses) == {200}


# --- F31: slow


SLOW = {
    "a task byte by byte": (POST + b"Content-Length: 100000\r\n\r\n", b" "),
    "an execute byte by byte": (EXECUTE + b"Content-Length: 100000\r\n\r\n", b"{"),
    "a body that never begins": (POST + b"Content-Length: 10\r\n\r\n", b""),
    "chunks byte by byte": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "the size of a chunk byte by byte": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "a chunk's extension byte by byte": (POST + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
    "half a head": (POST[:40], b""),
    "a head byte by byte": (POST, b"X-Slow: and slower\r\n"),
    "an upgrade to live, byte by byte": (LIVE, b"X-Slow: and slower\r\n"),
    "a live that never says who it is": (LIVE + b"\r\n", b""),
    "a stream of events without a token": (EVENTS, b""),
}


async def test_slow_callers_are_cut_in_time_and_others_do_not_notice(where: House) -> None:
    flags = ("--handshake-timeout", "1s", "--idle-timeout", "1s")
    node = await asyncio.to_thread(where.start_node, *flags, env={"ROTA_TOKEN": SECRET})
    async with honest(where, SECRET) as caller, caller.at_work(), rest_at_work(where, SECRET):
        before, cost = vitals(node.pid), Cost(node.pid)
        status, *cuts = await asyncio.gather(
            sent_at_a_pace(where.port),
            *(until_cut(where.port, first, drip) for first, drip in SLOW.values() for _ in range(10)),
        )
        assert len(cuts) == 10 * len(SLOW), "each of them was cut"
        assert status == 202, "it took three times the idle timeout"
        assert cost.share < BUSY
        await as_many_files_as(node.pid, before.descriptors)
        assert vitals(node.pid).rss_mb - before.rss_mb < SPARE_MB
    assert troubles(where) == []


async def sent_at_a_pace(port: int) -> int:
    """A large body by somebody with a slow line: 128 KiB a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b'{"method":"nobody"}'.ljust(400 * 1024)
    writer.write(POST + b"Content-Length: %d\r\n\r\n" % len(body))
    for start in range(0, len(body), 32 * 1024):
        writer.write(body[start : start + 32 * 1024])
        await writer.drain()
        await asyncio.sleep(0.25)
    async with asyncio.timeout(20):
        answer = await reader.readuntil(b"\r\n")
    writer.close()
    return int(answer.split()[1])


async def as_many_files_as(pid: int, before: int, within: float = 20.0) -> None:
    async with asyncio.timeout(within):
        while vitals(pid).descriptors > before + 3:
            await asyncio.sleep(0.05)


# --- F31: large


async def test_half_sent_bodies_take_no_more_room_than_there_is(where: House) -> None:
    """Far more of them than fit; then a whole one is taken, since those before it have gone."""
    node = await asyncio.to_thread(where.start_node)
    rest = Rest(where.url)
    async with honest(where) as caller, caller.at_work(), rest_at_work(where):
        before = vitals(node.pid)
        for _ in range(2):
            crowd = [await asyncio.to_thread(half_sent, where.port) for _ in range(2 * ROOM // MAX_BATCH_BODY)]
            assert ROOM / MIB / 2 < vitals(node.pid).rss_mb - before.rss_mb < ROOM / MIB + SPARE_MB
            for sock in crowd:
                sock.close()
            await as_many_files_as(node.pid, before.descriptors)
        cost = Cost(node.pid)
        whole = b'{"method":"nobody"}'.ljust(MAX_BATCH_BODY)
        assert (await asyncio.to_thread(rest.post, "/tasks", whole)).status == 202
        await asyncio.sleep(1)
        assert cost.share < BUSY
    assert caller.longest < 5
    assert troubles(where) == []


def half_sent(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    head = b"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n" + JSON
    with contextlib.suppress(ConnectionError):
        sock.sendall(head + b"Content-Length: %d\r\n\r\n" % MAX_BATCH_BODY + b" " * (MAX_BATCH_BODY - MIB))
    return sock


@pytest.mark.parametrize("path", [b"/api/v1/tasks", b"/api/v1/execute", b"/api/v1/groups/g/pause", b"/nowhere"])
async def test_many_endless_bodies_at_once_end_at_the_limit(where: House, path: bytes) -> None:
    node = await asyncio.to_thread(where.start_node)
    async with honest(where) as caller, caller.at_work(), rest_at_work(where):
        before = vitals(node.pid).rss_mb
        sent = await asyncio.gather(*(asyncio.to_thread(endless, where.port, path) for _ in range(8)))
        await calls(caller, 5)
        assert max(sent) < 40 * MIB
        assert vitals(node.pid).rss_mb - before < 8 * MAX_BATCH_BODY / MIB + SPARE_MB
    assert caller.longest < 5
    assert troubles(where) == []


def endless(port: int, path: bytes) -> int:
    sent, chunk = 0, b"10000\r\n" + b" " * 65_536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + JSON)
        sock.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while sent < 200 * MIB:
                sock.sendall(chunk)
                sent += len(chunk)
    return sent


# --- F31: streams that nobody reads


class Stream:
    """Of events. Reads nothing until it is asked to."""

    def __init__(self, port: int, ask: bytes = EVENTS) -> None:
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.sock.settimeout(20)
        self.sock.connect(("127.0.0.1", port))
        self.sock.sendall(ask)

    def status(self) -> int:
        return int(self.sock.recv(12).split()[1])

    def hears_of(self, word: bytes) -> bool:
        """Reads on until it does, or the stream ends."""
        got = b""
        while word not in got:
            piece = self.sock.recv(65_536)
            if not piece:
                return False
            got = (got + piece)[-200_000:]
        return True


@pytest.mark.parametrize("ask", [EVENTS, LIVE + b"\r\n"], ids=["events", "live"])
async def test_streams_that_nobody_reads_are_so_many_and_cost_little(where: House, ask: bytes) -> None:
    node = await asyncio.to_thread(where.start_node)
    async with honest(where) as caller, caller.at_work(), rest_at_work(where):
        before, cost = vitals(node.pid), Cost(node.pid)
        streams = [await asyncio.to_thread(Stream, where.port, ask) for _ in range(MOST_READERS)]
        if ask is EVENTS:
            one_more = await asyncio.to_thread(Stream, where.port)
            assert await asyncio.to_thread(one_more.status) in (429, 503)
        await calls(caller, 60)
        assert cost.share < BUSY
        assert vitals(node.pid).rss_mb - before.rss_mb < SPARE_MB
        for stream in streams:
            stream.sock.close()
        await as_many_files_as(node.pid, before.descriptors)
        again = await asyncio.to_thread(Stream, where.port)
        assert await asyncio.to_thread(again.hears_of, b'"succeeded"')
        again.sock.close()
    assert troubles(where) == []


@pytest.mark.evidence
async def test_who_neither_reads_nor_answers_pings_is_cut_off(where: House) -> None:
    node = await asyncio.to_thread(where.start_node)
    async with honest(where) as caller, caller.at_work():
        before = vitals(node.pid).descriptors
        streams = [await asyncio.to_thread(Stream, where.port, LIVE + b"\r\n") for _ in range(50)]
        async with asyncio.timeout(10):
            while vitals(node.pid).descriptors < before + 50:
                await asyncio.sleep(0.05)
        await as_many_files_as(node.pid, before, within=80)
        for stream in streams:
            stream.sock.close()


async def calls(caller: Honest, count: int) -> None:
    until = caller.calls + count
    async with asyncio.timeout(30):
        while caller.calls < until:
            await asyncio.sleep(0.02)


# --- F36


async def test_streams_that_hold_descriptors_leave_room_and_go_on(where: House) -> None:
    process = await asyncio.to_thread(start_with_few_files, where, 256)
    async with honest(where) as caller, caller.at_work(), rest_at_work(where):
        cost = Cost(process.pid)
        streams = [await asyncio.to_thread(Stream, where.port) for _ in range(120)]
        crowd = [socket.create_connection(("127.0.0.1", where.port), timeout=20) for _ in range(200)]
        answers = [await asyncio.to_thread(sock.recv, 1_000) for sock in crowd[100:]]
        assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in answers)
        assert all(answer.endswith(b"}") and b"too_many_connections" in answer for answer in answers)
        assert process.num_fds() < 256
        await calls(caller, 40)
        assert cost.share < BUSY
        heard = await asyncio.gather(*(asyncio.to_thread(s.hears_of, b'"succeeded"') for s in streams[::30]))
        assert all(heard)
        for sock in crowd:
            sock.close()
        await until_rest_answers(where)
        for stream in streams:
            stream.sock.close()
    assert log_of(where).count("is refused") == 1


async def test_without_a_descriptor_left_streams_go_on_and_the_api_comes_back(where: House) -> None:
    process = await asyncio.to_thread(start_with_few_files, where, 256)
    async with honest(where) as caller, caller.at_work(), rest_at_work(where) as statuses:
        stream = await asyncio.to_thread(Stream, where.port)
        assert await asyncio.to_thread(stream.hears_of, b'"succeeded"')
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (process.num_fds(), 256))
        crowd = [socket.create_connection(("127.0.0.1", where.port), timeout=20) for _ in range(50)]
        await until_logged(where, "no connection can be taken")
        answered, cost = len(statuses), Cost(process.pid)
        await calls(caller, 20)
        for _ in range(5):
            assert await asyncio.to_thread(stream.hears_of, b'"succeeded"')
        assert len(statuses) > answered, "connections that are there are served"
        assert cost.share < BUSY, "the listener does not spin"
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (256, 256))
        await until_rest_answers(where)
        for sock in (*crowd, stream.sock):
            sock.close()
    assert psutil.pid_exists(process.pid)
    assert log_of(where).count("no connection can be taken") == 1


async def until_rest_answers(where: House) -> None:
    rest = Rest(where.url)
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OSError):
                reply = await asyncio.to_thread(rest.post, "/execute", {"method": "add", "params": [1, 2], "wait": 20})
                if reply.status == 200:
                    assert json.loads(reply.body)["result"] == 3
                    return
            await asyncio.sleep(0.1)
