"""WebSocket frames that break RFC 6455, or flood a link: each ends with the close code that says why."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable

import pytest
from doors_kit import StartNode

from rota.life.clock import SystemClock
from rota.transport import websocket
from rota.transport.gate import Gate, Limits
from rota.transport.http_app import HttpApp
from rota.transport.http_server import HttpServer
from rota.transport.websocket_protocol import FIRST_MESSAGE, MAX_FRAGMENTS, MAX_PINGS
from rota.wire.v1 import link_pb2 as pb
from rota.wire.v1.link_pb2 import Frame

MAX_FRAME = 4 << 20
UPGRADE = (
    b"GET /api/v1/link HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1, RSV2 = 0x80, 0x40, 0x20
HELLO = Frame(hello=pb.Hello(versions=[1], window=8 << 20)).SerializeToString()


def head(first: int, length: int, *, masked: bool = True) -> bytes:
    """What stands before a payload, mask included; the mask is zeros."""
    mask = 0x80 if masked else 0
    if length < 126:
        size = struct.pack("!B", mask | length)
    elif length < 65_536:
        size = struct.pack("!BH", mask | 126, length)
    else:
        size = struct.pack("!BQ", mask | 127, length)
    return bytes([first]) + size + (b"\0\0\0\0" if masked else b"")


def frame(opcode: int, payload: bytes = b"", *, flags: int = FIN, masked: bool = True) -> bytes:
    return head(flags | opcode, len(payload), masked=masked) + payload


class Raw:
    """A WebSocket whose every byte the test writes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def greet(self) -> None:
        self.writer.write(frame(BINARY, HELLO))
        opcode, data = await self.frame()
        assert opcode == BINARY
        assert Frame.FromString(data).HasField("welcome")

    async def frame(self) -> tuple[int, bytes]:
        first, second = await self.reader.readexactly(2)
        assert not second & 0x80, "a server does not mask"
        size = second
        if second >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if second == 126 else 8), "big")
        return first & 0x0F, await self.reader.readexactly(size)

    async def close_code(self) -> int:
        async with asyncio.timeout(10):
            while True:
                opcode, data = await self.frame()
                if opcode == CLOSE:
                    return int.from_bytes(data[:2], "big")

    async def is_cut(self) -> bool:
        async with asyncio.timeout(10):
            with contextlib.suppress(OSError):
                while await self.reader.read(65_536):
                    pass
        return True


@pytest.fixture
async def server(start_node: StartNode, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpServer]:
    monkeypatch.setattr(websocket, "CLOSE_WITHIN", 0.3)
    node = await start_node(hello_within=1.0)
    gate = Gate(Limits(handshake_timeout=0.3, idle_timeout=0.3), SystemClock().monotonic)
    made = HttpServer(HttpApp(node.lobby, str, host="127.0.0.1"), "127.0.0.1", 0, max_frame=MAX_FRAME, gate=gate)
    await made.start()
    yield made
    await node.lobby.leave()
    await made.stop()
    assert len(gate) == 0, "every connection was counted out"


@pytest.fixture
async def dial(server: HttpServer) -> AsyncIterator[Callable[..., object]]:
    writers = []

    async def dial(early: bytes = b"", turns: int = 0) -> Raw:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writers.append(writer)
        writer.write(UPGRADE)
        if early:
            for _ in range(turns):
                await asyncio.sleep(0)
            writer.write(early)
            return Raw(reader, writer)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        return Raw(reader, writer)

    yield dial
    for writer in writers:
        writer.transport.abort()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(frame(BINARY, HELLO, masked=False), 1002, id="unmasked"),
        pytest.param(frame(BINARY, HELLO, flags=FIN | RSV1), 1002, id="compressed, which was not agreed"),
        pytest.param(frame(BINARY, HELLO, flags=FIN | RSV2), 1002, id="a reserved bit"),
        pytest.param(frame(0x3, b"x"), 1002, id="an opcode that is none"),
        pytest.param(frame(PING, b"x" * 126), 1002, id="a ping of 126 bytes"),
        pytest.param(frame(PING, b"x", flags=0), 1002, id="a ping in fragments"),
        pytest.param(frame(CONTINUATION, b"x"), 1002, id="a continuation of nothing"),
        pytest.param(frame(BINARY, b"x", flags=0) + frame(BINARY, b"x"), 1002, id="a second message inside the first"),
        pytest.param(frame(CLOSE, b"\x03"), 1002, id="half a close code"),
        pytest.param(frame(CLOSE, b"\x03\xed"), 1002, id="a close code that is never sent"),
        pytest.param(frame(CLOSE, b"\x03\xe8\xff\xfe"), 1007, id="a close reason that is not UTF-8"),
        pytest.param(frame(TEXT, b"\xff\xfe"), 1007, id="a text that is not UTF-8"),
        pytest.param(frame(TEXT, b"hello"), 1003, id="a text"),
        pytest.param(frame(BINARY, b"\xff\xff\xff"), 4400, id="not a frame of rota.v1"),
        pytest.param(head(FIN | BINARY, 1 << 63), 1009, id="a length with its highest bit"),
        pytest.param(head(FIN | BINARY, MAX_FRAME + 1), 1009, id="a length over the limit"),
        pytest.param(frame(BINARY, HELLO) + head(FIN | BINARY, MAX_FRAME + 1), 1009, id="the same after a Hello"),
        pytest.param(head(FIN | BINARY, 400 << 20), 1009, id="a length a hundred times over the limit"),
        pytest.param(
            frame(BINARY, b"", flags=0) + frame(CONTINUATION, b"", flags=0) * (MAX_FRAGMENTS + 1),
            1009,
            id="empty fragments without end",
        ),
        pytest.param(
            frame(BINARY, b"x", flags=0) + frame(CONTINUATION, b"x", flags=0) * 10_000, 1009, id="10,000 fragments"
        ),
        pytest.param(frame(PING) * (MAX_PINGS + 1), 1008, id="pings without end"),
        pytest.param(frame(PONG) * (MAX_PINGS + 1), 1008, id="pongs that nobody asked for"),
    ],
)
async def test_a_hostile_frame_ends_the_link_with_its_code(
    dial: Callable[..., object], caplog: pytest.LogCaptureFixture, sent: bytes, code: int
) -> None:
    for greeted in (False, True):
        link = await dial()
        if greeted:
            await link.greet()
        link.writer.write(sent)
        assert await link.close_code() == code
        link.writer.write(sent)
        assert await link.is_cut()
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


@pytest.mark.parametrize("early", [frame(BINARY, HELLO, masked=False), frame(PING) * 1_000, b"\x00" * 100_000])
async def test_frames_before_the_handshake_is_answered_do_no_harm(
    dial: Callable[..., object], caplog: pytest.LogCaptureFixture, early: bytes
) -> None:
    links = [await dial(early, turns) for turns in range(12)]
    for link in links:
        assert await link.is_cut()
    await (await dial()).greet()
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


async def test_a_few_pings_are_answered(dial: Callable[..., object]) -> None:
    link = await dial()
    await link.greet()
    for number in range(20):
        link.writer.write(frame(PING, b"%d" % number))
        assert await link.frame() == (PONG, b"%d" % number)


async def test_a_message_of_exactly_the_limit_is_read(dial: Callable[..., object]) -> None:
    link = await dial()
    await link.greet()
    room = MAX_FRAME - len(Frame(request=1, read_logs=pb.ReadLogs(id=b"x" * MAX_FRAME)).SerializeToString()) + MAX_FRAME
    data = Frame(request=1, read_logs=pb.ReadLogs(id=b"x" * room)).SerializeToString()
    assert len(data) == MAX_FRAME
    link.writer.write(frame(BINARY, data))
    _, answer = await link.frame()
    assert Frame.FromString(answer).failure.code, "the request was read and refused, the link goes on"
    link.writer.write(frame(BINARY, Frame(request=2, read_stats=pb.ReadStats()).SerializeToString()))
    while not Frame.FromString((await link.frame())[1]).HasField("stats"):
        pass


async def test_the_first_message_is_short_and_the_next_may_come_with_it(dial: Callable[..., object]) -> None:
    for length in (FIRST_MESSAGE + 1, MAX_FRAME):
        link = await dial()
        link.writer.write(head(FIN | BINARY, length) + b"x" * 1_000)
        assert await link.close_code() == 1009
    link = await dial()
    large = Frame(request=1, read_logs=pb.ReadLogs(id=b"x" * 2 * FIRST_MESSAGE)).SerializeToString()
    link.writer.write(frame(BINARY, HELLO) + frame(BINARY, large))
    assert Frame.FromString((await link.frame())[1]).HasField("welcome")
    assert Frame.FromString((await link.frame())[1]).request == 1
