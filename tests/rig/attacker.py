"""Those who open connections to no good end, each as one asyncio routine that tells how it ended."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time

HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
UPGRADE = (
    b"GET /api/v1/link HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
)
POST = b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"


async def until_cut(port: int, first: bytes, drip: bytes, every: float = 0.05, within: float = 20.0) -> float:
    """Sends `first`, then a byte of `drip` at a time, over and over; answers after how many seconds it was cut."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ended = asyncio.create_task(_end_of(reader))
    number = 0
    try:
        writer.write(first)
        async with asyncio.timeout(within):
            while not ended.done():
                if drip:
                    writer.write(drip[number % len(drip) :][:1])
                    number += 1
                await asyncio.wait([ended], timeout=every)
    finally:
        ended.cancel()
        writer.transport.abort()
    return time.monotonic() - began


async def _end_of(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(65_536):
            pass
    except OSError:
        return


def connect_and_reset(port: int, seconds: float, first: bytes = b"") -> int:
    """Opens connections and resets them, one after another, as fast as it goes. Answers how many."""
    deadline = time.monotonic() + seconds
    count = 0
    while time.monotonic() < deadline:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.settimeout(5)
            sock.connect(("127.0.0.1", port))
            if first:
                sock.send(first)
        count += 1
    return count


if __name__ == "__main__":
    print(connect_and_reset(int(sys.argv[1]), float(sys.argv[2]), HEAD if sys.argv[3:] else b""))
