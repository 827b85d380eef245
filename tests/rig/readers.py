"""Readers of a node's events, many in one process, and one that takes a byte a second.

readers.py PORT COUNT STOP

Once all have begun it says `reading`. When the file STOP is there it prints what each has seen, as JSON: how often a task
was told to have succeeded, one by one or counted, and how often a reader was told that it had missed something.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
from pathlib import Path
from typing import Any

ASK = "GET /api/v1/events?topics=task HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
_ONE = b'"state":"succeeded","reason"'
_COUNTED = re.compile(rb'"state":"succeeded","count":(\d+)')
_ESTABLISHED = 1
"""A state of the kernel's."""
_MISSED = re.compile(rb"event: (?:behind|reset)\n")


class Reader(asyncio.Protocol):
    """Counts as the bytes come, by whole events: the last one of what is there may be half."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.succeeded = self.missed = self.bytes = 0
        self.ended = False
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        self.begun.set()
        self.bytes += len(data)
        whole, mark, self._rest = (self._rest + data).rpartition(b"\n\n")
        whole += mark
        self.succeeded += whole.count(_ONE) + sum(int(count) for count in _COUNTED.findall(whole))
        self.missed += len(_MISSED.findall(whole))

    def connection_lost(self, error: Exception | None) -> None:
        self.ended = True
        self.begun.set()


class Stalled:
    """Takes a byte a second, and has small buffers."""

    def __init__(self) -> None:
        self.bytes = 0
        self.ended_after: float | None = None

    async def run(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", port))
            await loop.sock_sendall(sock, ASK.format(port=port).encode())
            began = loop.time()
            while True:
                try:
                    byte = await loop.sock_recv(sock, 1)
                except ConnectionError:
                    byte = b""
                if not byte or _is_over(sock):
                    self.ended_after = loop.time() - began
                    return
                self.bytes += 1
                await asyncio.sleep(1)


def _is_over(sock: socket.socket) -> bool:
    """The other side has cut the connection, though something is left here to read."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED


async def main(port: int, count: int, stop: Path) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    readers: list[Reader] = []
    for _ in range(count):
        transport, reader = await loop.create_connection(Reader, "127.0.0.1", port)
        assert isinstance(transport, asyncio.Transport)
        transport.write(ASK.format(port=port).encode())
        await reader.begun.wait()
        readers.append(reader)
    stalled = Stalled()
    task = asyncio.create_task(stalled.run(port))
    print("reading", flush=True)
    while not stop.exists():
        await asyncio.sleep(0.1)
    task.cancel()
    return {
        "succeeded": [reader.succeeded for reader in readers],
        "missed": sum(reader.missed for reader in readers),
        "ended": sum(reader.ended for reader in readers),
        "bytes": sum(reader.bytes for reader in readers),
        "stalled_bytes": stalled.bytes,
        "stalled_ended_after": stalled.ended_after,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))), flush=True)
