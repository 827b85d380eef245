"""Large bodies that are on their way in at once: there is room for so many, and who has a small one does not feel it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from doors_kit import StartNode

from rota.life.clock import SystemClock
from rota.transport import http_server
from rota.transport.bodies import SMALL, Bodies
from rota.transport.gate import Gate, Limits
from rota.transport.http_app import HttpApp
from rota.transport.http_server import HttpServer

SIZE = 4 * SMALL
ROOM = SIZE + SMALL
WHOLE = b'{"method":"nobody","params":"' + b"x" * (SIZE - 31) + b'"}'
WAITING = b'{"wait":60,' + WHOLE[1:]
FULL = b"HTTP/1.1 503 "

Sender = Callable[..., Awaitable["Talk"]]


class Talk:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> bytes:
        async with asyncio.timeout(10):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


class Counted(Bodies):
    taken = 0
    """In all."""

    def take(self, size: int) -> bool:
        self.taken += size
        return super().take(size)


@pytest.fixture
def bodies(monkeypatch: pytest.MonkeyPatch) -> Counted:
    made = Counted(ROOM)
    monkeypatch.setattr(http_server, "Bodies", lambda: made)
    return made


@pytest.fixture
async def sender(start_node: StartNode, bodies: Counted) -> AsyncIterator[Sender]:
    node = await start_node()
    gate = Gate(Limits(), SystemClock().monotonic)
    app = HttpApp(node.lobby, lambda: "", host="127.0.0.1")
    server = HttpServer(app, "127.0.0.1", 0, max_frame=4 << 20, gate=gate)
    await server.start()
    talks: list[Talk] = []

    async def send(body: bytes, path: str = "/tasks", of: int | None = None) -> Talk:
        """`of`: how much is announced, where that is more."""
        talk = Talk(*await asyncio.open_connection("127.0.0.1", server.port))
        talks.append(talk)
        head = f"POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        talk.writer.write(f"{head}Content-Length: {of or len(body)}\r\n\r\n".encode() + body)
        await talk.writer.drain()
        return talk

    yield send
    for talk in talks:
        await talk.close()
    await server.stop()


async def until(bodies: Counted, held: Callable[[int], bool]) -> None:
    async with asyncio.timeout(10):
        while not held(bodies.held):
            await asyncio.sleep(0.005)


async def test_what_has_no_room_is_turned_away_and_may_come_again(sender: Sender, bodies: Counted) -> None:
    half = await sender(WHOLE[:-1], of=len(WHOLE))
    await until(bodies, lambda held: held > SIZE - 2 * SMALL)
    refused = await (await sender(WHOLE)).answer()
    assert refused.startswith(FULL)
    assert b"\r\nretry-after: 1\r\n" in refused
    half.writer.write(WHOLE[-1:])
    assert (await half.answer()).startswith(b"HTTP/1.1 202 "), "who was there before goes on"
    await until(bodies, lambda held: not held)
    assert (await (await sender(WHOLE)).answer()).startswith(b"HTTP/1.1 202 ")


async def test_small_bodies_do_not_feel_it(sender: Sender, bodies: Counted) -> None:
    for _ in range(3):
        await sender(WHOLE[:-1], of=len(WHOLE))
    await until(bodies, lambda held: held > SIZE - 2 * SMALL)
    for path in ("/tasks", "/execute"):
        body = b'{"method":"nobody","params":"%s"}' % (b"x" * (SMALL - 100))
        assert (await (await sender(body, path)).answer()).startswith(b"HTTP/1.1 202 ")


async def test_room_comes_back_with_the_end_of_the_connection(sender: Sender, bodies: Counted) -> None:
    half = await sender(WHOLE[:-1], of=len(WHOLE))
    await until(bodies, lambda held: held > 0)
    await half.close()
    await until(bodies, lambda held: not held)


@pytest.mark.parametrize("body", [WHOLE[:-1] + b"?", b"[" * SIZE], ids=["no JSON", "too deep"])
async def test_room_comes_back_with_a_refusal(sender: Sender, bodies: Counted, body: bytes) -> None:
    for _ in range(4):
        assert (await (await sender(body)).answer()).startswith(b"HTTP/1.1 400 ")
        await until(bodies, lambda held: not held)


async def test_a_body_that_is_answered_before_its_end_is_not_kept(sender: Sender, bodies: Counted) -> None:
    talk = await sender(WHOLE, "/no/such/thing", of=100 << 20)
    assert (await talk.answer()).startswith(b"HTTP/1.1 4")
    with contextlib.suppress(OSError):
        for _ in range(20):
            talk.writer.write(WHOLE)
            await talk.writer.drain()
    await talk.close()
    await until(bodies, lambda held: not held)


@pytest.mark.parametrize("query", ["", "?"], ids=["short", "router"])
async def test_who_waits_for_an_outcome_takes_no_room(sender: Sender, bodies: Counted, query: str) -> None:
    for number in range(1, 6):
        await sender(WAITING, f"/execute{query}")
        await until(bodies, lambda held, least=number * (SIZE - 2 * SMALL): not held and bodies.taken > least)
    assert (await (await sender(WHOLE)).answer()).startswith(b"HTTP/1.1 202 ")
