"""An answer that goes on: an event stream (SSE), written as fast as the other side reads and no faster.

It ends when its source does, when the other side goes, when its token holds no longer, or when the other side takes nothing
for half a minute; then the connection is cut, since nobody would read a farewell. What waits in the node for one that does
not read is a chunk and what the server holds of it, below 256 KiB.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from rota.access.grant import Grant
from rota.link.codes import Close
from rota.model.errors import Forbidden
from rota.telemetry import request_id
from rota.transport.asgi import CUT, FRUITFUL, SAFE, Header, Receive, Scope, Send, header
from rota.transport.hall import Hall

BEAT = 15.0
"""Seconds between two signs of life."""
STALLED_AFTER = 30.0
"""Seconds that the other side may take for what was handed to it last."""
MEDIA_TYPE = "text/event-stream"
_FOREIGN = ("cross-site", "same-site")
RETRY = b"retry: 2000\n"
"""An EventSource that lost its stream comes again after two seconds."""
_HEADERS = [
    (b"content-type", MEDIA_TYPE.encode()),
    (b"connection", b"close"),
    (b"x-accel-buffering", b"no"),
    *SAFE,
]


class Source(Protocol):
    """Where an answer comes from."""

    async def next(self) -> bytes | None:
        """The next chunk; None at the end."""
        ...

    def beat(self) -> None:
        """A sign of life is to be the next chunk, unless something else is."""
        ...

    def end(self, reason: str) -> None:
        """`next` answers None from now on, also where it is waiting."""
        ...

    def end_soon(self, reason: str) -> None:
        """The same, but for what is there by now."""
        ...


class EventStream:
    """One such answer. Implements `hall.Guest`: the hall looks after it once a second, and ends it when the node stops."""

    is_client = True

    def __init__(self, hall: Hall, grant: Grant, scope: Scope, receive: Receive, send: Send) -> None:
        self.grant: Grant | None = grant
        self.under_way: set[asyncio.Task[None]] = set()
        self._hall, self._scope, self._receive, self._send = hall, scope, receive, send
        self._source: Source
        self._loop = asyncio.get_running_loop()
        self._sending_since: float | None = None
        self._beaten_at = self._loop.time()

    async def run(self, source: Source, greeting: bytes) -> None:
        """Returns when it is over. Raises Forbidden for a page of another site, which could not read it but would hold it."""
        if header(self._scope, b"sec-fetch-site") in _FOREIGN:
            raise Forbidden("a page of another site may not listen", code="foreign_origin")
        self._source = source
        extensions = self._scope.get("extensions", {})
        extensions.get(FRUITFUL, _nothing)()
        await self._send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, _request_id()]})
        self._hall.enter(self)
        watch = asyncio.create_task(self._watch())
        try:
            await self._write(RETRY + greeting + b"\n", more=True)
            if self._scope["method"] != "HEAD":
                while (chunk := await source.next()) is not None:
                    await self._write(chunk, more=True)
            await self._write(b"", more=False)
        finally:
            watch.cancel()
            self._hall.left(self)

    # --- the hall calls

    def tick(self) -> None:
        now = self._loop.time()
        if self._sending_since is not None and now - self._sending_since > STALLED_AFTER:
            self.close(0, "nothing was read from this stream")
        elif now - self._beaten_at >= BEAT:
            self._beaten_at = now
            self._source.beat()

    def wind_down(self) -> None:
        """It has no requests."""

    def close(self, code: int, reason: str) -> None:
        if code == Close.GOING_AWAY:
            self._source.end_soon(reason)
        else:
            self._source.end(reason)
        if self._sending_since is not None:
            self._scope.get("extensions", {}).get(CUT, _nothing)()

    # --- within

    async def _write(self, chunk: bytes, *, more: bool) -> None:
        """Returns when the other side has room for more."""
        self._sending_since = self._loop.time()
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})
        self._sending_since = None

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._source.end("the other side has gone")


def _request_id() -> Header:
    return b"x-request-id", request_id.current().encode()


def _nothing() -> None:
    """A server of another kind does not count connections, and ends them by itself."""
