"""A node with its HTTP door, and readers of its event streams."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import websockets.asyncio.client as ws
from doors_kit import Node

from rota.access.policy import Policy
from rota.access.tokens import Token, Tokens
from rota.transport.http_app import HttpApp
from rota.transport.http_server import HttpServer

SECRET = "correct-horse-battery-staple-of-the-first-kind"


class Event(NamedTuple):
    """As an EventSource has it. `last`: the id after it."""

    name: str
    data: Any
    last: str


class Stream:
    """Reads an answer that goes on."""

    def __init__(self, reader: asyncio.StreamReader, status: int, headers: dict[str, str], last: str = "") -> None:
        self._reader, self.status, self.headers = reader, status, headers
        self.last = last
        self.comments = 0
        self._left: list[str] = []
        self._half = b""

    async def event(self) -> Event:
        """The next one. EOFError at the end of the stream."""
        name, data = "", ""
        async with asyncio.timeout(5):
            while line := await self._line():
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    data = value
                elif field == "id":
                    self.last = value
                elif line.startswith(":"):
                    self.comments += 1
        return Event(name, json.loads(data), self.last) if data else await self.event()

    async def events(self, count: int) -> list[Event]:
        return [await self.event() for _ in range(count)]

    async def end(self) -> None:
        """It ends in an orderly way, after whatever is still told."""
        try:
            while True:
                await self.event()
        except EOFError:
            return

    async def body(self) -> Any:
        """Of an answer that does not go on."""
        return json.loads(await self._reader.readexactly(int(self.headers["content-length"])))

    async def _line(self) -> str:
        while not self._left:
            size = int(await self._reader.readuntil(b"\r\n"), 16)
            chunk = await self._reader.readexactly(size + 2)
            if not size:
                raise EOFError
            *lines, self._half = (self._half + chunk[:-2]).split(b"\n")
            self._left = [line.decode() for line in lines]
        return self._left.pop(0)


class LiveDoor:
    """A node that listens."""

    def __init__(self, node: Node, server: HttpServer) -> None:
        self.node, self.server = node, server

    @asynccontextmanager
    async def stream(self, path: str, **headers: str) -> AsyncIterator[Stream]:
        """`headers`: with _ for -; a token by `Authorization`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        said = {"Host": f"127.0.0.1:{self.server.port}", **headers}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in said.items())
        writer.write(f"GET /api/v1{path} HTTP/1.1\r\n{lines}\r\n".encode())
        try:
            async with asyncio.timeout(5):
                status, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            found = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
            stream = Stream(reader, int(status.split()[1]), found, headers.get("Last_Event_ID", ""))
            yield stream
        finally:
            writer.transport.abort()

    def live(self, token: str | None = SECRET, **options: Any) -> Any:
        uri = f"ws://127.0.0.1:{self.server.port}/api/v1/live{options.pop('query', '')}"
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}
        return ws.connect(uri, compression=None, max_size=None, proxy=None, additional_headers=headers, **options)

    async def deaf(self, head: str) -> socket.socket:
        """A connection that takes nothing: its buffers are as small as can be."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", self.server.port))
        await loop.sock_sendall(sock, head.encode())
        return sock

    async def listening(self, count: int = 1) -> None:
        """Returns when so many readers are there."""
        async with asyncio.timeout(5):
            while self.node.events.readers != count:
                await asyncio.sleep(0.005)


async def open_door(node: Node) -> LiveDoor:
    app = HttpApp(node.lobby, lambda: node.ready, host="127.0.0.1")
    server = HttpServer(app, "127.0.0.1", 0, max_frame=4 << 20)
    await server.start()
    return LiveDoor(node, server)


def guarded(*roles: str) -> Policy:
    return Policy(open_mode=False, tokens=Tokens([Token.of(SECRET, roles)]))
