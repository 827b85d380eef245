"""A WebSocket of which the test writes every byte, frames that break RFC 6455 included."""

from __future__ import annotations

import asyncio
import contextlib
import struct

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1, RSV2 = 0x80, 0x40, 0x20


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


class RawWebSocket:
    """One connection. `answer` is the head of the answer to the handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes) -> None:
        self.reader, self.writer, self.answer = reader, writer, answer.decode()

    @classmethod
    async def dial(cls, port: int, path: str, headers: str = "", host: str = "localhost") -> RawWebSocket:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n{headers}\r\n".encode()
        )
        async with asyncio.timeout(10):
            return cls(reader, writer, await reader.readuntil(b"\r\n\r\n"))

    @property
    def status(self) -> int:
        return int(self.answer.split()[1])

    async def frame(self) -> tuple[int, bytes]:
        first, second = await self.reader.readexactly(2)
        size = second
        if second >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if second == 126 else 8), "big")
        return first & 0x0F, await self.reader.readexactly(size)

    async def message(self, within: float = 10.0) -> bytes:
        """The next text or binary message."""
        async with asyncio.timeout(within):
            while True:
                opcode, data = await self.frame()
                assert opcode != CLOSE, data
                if opcode in (TEXT, BINARY):
                    return data

    async def close_code(self, within: float = 15.0) -> int:
        async with asyncio.timeout(within):
            while True:
                opcode, data = await self.frame()
                if opcode == CLOSE:
                    return int.from_bytes(data[:2], "big")

    async def cut(self) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()
