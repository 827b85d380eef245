"""What takes a store that is away, a slow caller, or a node on its way: the API behind the real listener."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from doors_kit import Node, StartNode

from rota.life.clock import SystemClock
from rota.model.errors import Unavailable
from rota.transport import http_deadlines
from rota.transport.gate import Gate, Limits
from rota.transport.http_app import HttpApp
from rota.transport.http_server import HttpServer

BODY = b'{"method":"m"}'
Start = Callable[..., Awaitable["Door"]]


class Door:
    def __init__(self, node: Node, server: HttpServer) -> None:
        self.node, self.server = node, server

    async def ask(self, head: str, body: bytes = b"") -> tuple[int, dict[str, str], Any]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            said = f"{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{said}Content-Type: application/json\r\n\r\n".encode() + body)
            async with asyncio.timeout(10):
                answer = await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        top, _, rest = answer.partition(b"\r\n\r\n")
        status, *fields = top.decode().split("\r\n")
        headers = dict(field.lower().split(": ", 1) for field in fields)
        return int(status.split()[1]), headers, json.loads(rest) if rest else None


@pytest.fixture
async def start(start_node: StartNode) -> AsyncIterator[Start]:
    doors: list[Door] = []

    async def started(**limits: Any) -> Door:
        node = await start_node()
        app = HttpApp(node.lobby, lambda: node.ready, host="127.0.0.1")
        gate = Gate(Limits(**limits), SystemClock().monotonic)
        server = HttpServer(app, "127.0.0.1", 0, max_frame=4 << 20, gate=gate)
        await server.start()
        doors.append(Door(node, server))
        return doors[-1]

    yield started
    for door in doors:
        await door.server.stop()


@pytest.mark.parametrize("path", ["/tasks", "/execute"])
@pytest.mark.parametrize("code", ["store_unavailable", "store_full", "outcome_unknown"])
async def test_32_a_store_that_is_away_is_told(
    start: Start, monkeypatch: pytest.MonkeyPatch, path: str, code: str
) -> None:
    door = await start()

    async def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("the store cannot be written now", code=code)

    monkeypatch.setattr(door.node.store, "submit", away)
    status, headers, problem = await door.ask(f"POST /api/v1{path} HTTP/1.1", BODY)

    assert (status, problem["code"]) == (507 if code == "store_full" else 503, code)
    assert headers["retry-after"] == "1"
    monkeypatch.undo()
    assert (await door.ask(f"POST /api/v1{path} HTTP/1.1", BODY))[0] == 202


@pytest.mark.parametrize("path", ["/tasks", "/execute"])
async def test_a_fault_inside_says_nothing_of_itself(
    start: Start, monkeypatch: pytest.MonkeyPatch, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    door = await start()

    async def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a secret of the house")

    monkeypatch.setattr(door.node.store, "submit", broken)
    status, headers, problem = await door.ask(f"POST /api/v1{path} HTTP/1.1", BODY)

    assert (status, problem["code"]) == (500, "internal")
    assert "secret" not in json.dumps(problem)
    assert headers["x-request-id"] == problem["request_id"]
    assert "a secret of the house" in caplog.text


@pytest.mark.parametrize("reason", ["starting", "draining"])
@pytest.mark.parametrize("asked", ["POST /api/v1/tasks", "POST /api/v1/execute", "GET /api/v1/tasks"])
async def test_a_node_on_its_way_takes_nothing(start: Start, reason: str, asked: str) -> None:
    door = await start()
    door.node.ready = reason
    status, headers, problem = await door.ask(f"{asked} HTTP/1.1", BODY if "POST" in asked else b"")
    assert (status, problem["code"], headers["retry-after"]) == (503, reason, "1")


async def sent_slowly(door: Door, pieces: int, pause: float, size: int) -> bytes:
    """A body in pieces; what comes back until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.server.port)
    body = b'{"method":"m","params":"' + b"x" * (pieces * size) + b'"}'
    writer.write(
        b"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    try:
        for start in range(0, len(body), size):
            writer.write(body[start : start + size])
            await writer.drain()
            await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_a_body_that_dribbles_is_cut_off(start: Start) -> None:
    assert await sent_slowly(await start(idle_timeout=0.3), pieces=40, pause=0.05, size=10) == b""


async def test_a_large_body_may_take_longer_while_it_comes_at_a_pace(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_deadlines, "MIN_BODY_RATE", 1_000)
    answer = await sent_slowly(await start(idle_timeout=0.3), pieces=20, pause=0.05, size=4_000)
    assert answer.startswith(b"HTTP/1.1 202 ")


async def test_requests_one_after_another_share_a_connection(start: Start) -> None:
    """Also where one of them is refused."""
    door = await start(handshake_timeout=0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.server.port)
    head = b"POST /api/v1/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for body, status in ((BODY, b"202"), (b"{}", b"422"), (b"?", b"400"), (BODY, b"202")):
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert answer[9:12] == status
        length = int(answer.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        await asyncio.sleep(0.2)
    writer.close()
    await writer.wait_closed()


async def test_pipelined_requests_are_answered_in_order(start: Start) -> None:
    door = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", door.server.port)
    head = b"POST /api/v1/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    bodies = [b'{"method":"m","id":"01a1ffcb-863b-7300-a76b-%012d"}' % number for number in range(20)]
    writer.write(b"".join(head + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies))
    got = b""
    while got.count(b'"warning"') < 20:
        part = await asyncio.wait_for(reader.read(65_536), 5)
        assert part, got[-1_000:]
        got += part
    places = [got.index(b'{"id":"01a1ffcb-863b-7300-a76b-%012d"' % number) for number in range(20)]
    writer.close()
    await writer.wait_closed()

    assert places == sorted(places)
    assert len(await door.node.store.get([bytes.fromhex(f"01a1ffcb863b7300a76b{n:012d}") for n in range(20)])) == 20


async def test_requests_are_counted_by_their_route(start: Start) -> None:
    door = await start()
    await door.ask("POST /api/v1/execute HTTP/1.1", BODY)
    await door.ask("GET /api/v1/tasks/01a1ffcb-863b-7300-a76b-2ea581288935 HTTP/1.1")
    await door.ask("GET /api/v1/made-up HTTP/1.1")
    _, _, stats = await door.ask("GET /api/v1/stats HTTP/1.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", door.server.port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    metrics = (await reader.read()).decode()
    writer.close()

    assert stats["submitted"] == 1
    assert 'rota_http_requests_total{route="/api/v1/execute",status="2xx"} 1.0' in metrics
    assert 'rota_http_requests_total{route="/api/v1/tasks/{id}",status="4xx"} 1.0' in metrics
    assert "made-up" not in metrics
