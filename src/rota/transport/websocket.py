"""The link over a WebSocket, as a raw ASGI application: binary messages in and out, nothing else.

Reading stops while too much is waiting to be taken by the other side, so that a peer cannot make the node hold answers
without reading them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from rota.link.carrier import Carrier, Receiver
from rota.link.codes import Close
from rota.transport.asgi import Message, Receive, Scope, Send

HIGH_WATER, LOW_WATER = 8 * 1024 * 1024, 2 * 1024 * 1024
"""Bytes waiting to be taken, at which reading stops and goes on."""
CLOSE_WITHIN = 5.0
"""Seconds for an orderly end; then the connection is cut."""
ABORT = "rota.abort"
"""The ASGI extension by which the server lends its way to cut the connection."""
_NO_STATUS, _BROKEN = 1005, 1006
_logger = logging.getLogger("rota.transport")


class WebSocketCarrier:
    """Implements `link.carrier.Carrier`. One task sends what is written."""

    def __init__(self, send: Send, abort: Callable[[], None]) -> None:
        self._send, self._abort = send, abort
        self._loop = asyncio.get_running_loop()
        self._messages: deque[bytes] = deque()
        self._bell = asyncio.Event()
        self._drained = asyncio.Event()
        self._ending: Message | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.buffered = 0

    def write(self, message: bytes) -> None:
        if self._ending is None:
            self._messages.append(message)
            self.buffered += len(message)
            self._bell.set()

    def close(self, code: int, reason: str) -> None:
        """Sends what was written before, then the close; cuts the connection if that takes too long."""
        if self._ending is None:
            self._ending = {"type": "websocket.close", "code": code, "reason": _fitting(reason)}
            self._bell.set()
            self._deadline = self._loop.call_later(CLOSE_WITHIN, self._abort)

    async def send_all(self) -> None:
        """Sends until the end."""
        try:
            while self._messages or self._ending is None:
                await self._bell.wait()
                self._bell.clear()
                await self._send_ready()
            await self._send(self._ending)
        except OSError:
            return
        finally:
            self._drained.set()

    async def drained(self) -> None:
        """Returns when little waits to be taken, or nobody takes it any more."""
        if self.buffered > HIGH_WATER and self._ending is None:
            self._drained.clear()
            await self._drained.wait()

    def ended(self) -> None:
        """The other side is gone: nothing is left to cut."""
        if self._deadline is not None:
            self._deadline.cancel()

    async def _send_ready(self) -> None:
        while self._messages:
            message = self._messages.popleft()
            await self._send({"type": "websocket.send", "bytes": message})
            self.buffered -= len(message)
            if self.buffered <= LOW_WATER:
                self._drained.set()


async def serve_link(scope: Scope, receive: Receive, send: Send, make_session: Callable[[Carrier], Receiver]) -> None:
    """Accepts, and carries messages between the peer and its session until either ends. The handshake is checked."""
    await send({"type": "websocket.accept"})
    abort = scope.get("extensions", {}).get(ABORT, _no_abort)
    carrier = WebSocketCarrier(send, abort)
    session = make_session(carrier)
    sender = asyncio.create_task(carrier.send_all())
    code, reason = int(Close.ABNORMAL), "the connection broke"
    try:
        code, reason = await _read(receive, carrier, session.message)
    finally:
        carrier.ended()
        sender.cancel()
        # A peer that does not answer the close must not hold the socket.
        asyncio.get_running_loop().call_later(CLOSE_WITHIN, abort)
        session.closed(code, reason)


async def _read(receive: Receive, carrier: WebSocketCarrier, message: Callable[[bytes], None]) -> tuple[int, str]:
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return _ending(event)
        data = event.get("bytes")
        if data is None:
            carrier.close(int(Close.BAD_MESSAGE), "a text message; frames are binary")
            continue
        message(data)
        await carrier.drained()


def _ending(event: Message) -> tuple[int, str]:
    code = event.get("code", _BROKEN)
    if code in (_NO_STATUS, _BROKEN):
        return int(Close.ABNORMAL), event.get("reason") or "the connection broke"
    return code, event.get("reason") or ""


def _fitting(reason: str) -> str:
    """A close frame has room for 123 bytes."""
    return reason.encode("utf-8", "replace")[:120].decode("utf-8", "ignore")


def _no_abort() -> None:
    """The server lends no way to cut the connection; its own timeouts have to do."""
