"""The link over a WebSocket: binary messages in and out, nothing else.

An ASGI application that accepts, and then takes messages from the server and gives it messages directly (its `LANE`):
ASGI's queue, task and pause for each message would cost a lonely task a fifth of the node's time for it. What ends the
connection still comes and goes by ASGI. Reading stops while too much is waiting to be taken by the other side, so that a
peer cannot make the node hold answers without reading them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from rota.link.carrier import Carrier, Receiver
from rota.link.codes import Close
from rota.transport.asgi import Message, Receive, Scope, Send

CLOSE_WITHIN = 5.0
"""Seconds for an orderly end; then the connection is cut."""
LANE = "rota.lane"
"""The ASGI extension by which the server lends itself, a `Lane`."""
_NO_STATUS, _BROKEN = 1005, 1006


class Lane(Protocol):
    """What the server lends to one WebSocket."""

    def read_into(self, message: Callable[[bytes], None]) -> None:
        """From now on each binary message is passed on in the turn of the loop that it came in."""
        ...

    def write(self, message: bytes) -> None:
        """Sends a binary message, in this turn as far as the other side takes it; nothing after the end."""
        ...

    def write_text(self, message: bytes) -> None:
        """The same for a text message, UTF-8."""
        ...

    async def room(self) -> None:
        """Returns when the other side has taken most of what was written, or is gone."""
        ...

    def take_at_most(self, size: int) -> None:
        """From now on a longer message ends the connection (1009)."""
        ...

    def ping(self) -> int:
        """Sends a ping; answers how many were sent since the last pong, this one included."""
        ...

    @property
    def buffered(self) -> int:
        """Bytes that the operating system has not taken yet."""
        ...

    def end_within(self, seconds: float) -> None:
        """Cuts the connection, unless it has ended by then."""
        ...

    def fruitful(self) -> None:
        """The connection was good for something."""
        ...


class WebSocketCarrier:
    """Implements `link.carrier.Carrier`."""

    def __init__(self, lane: Lane, send: Send) -> None:
        self._lane, self._send = lane, send
        self._loop = asyncio.get_running_loop()
        self._ending: asyncio.Task[None] | None = None

    @property
    def buffered(self) -> int:
        return self._lane.buffered

    def write(self, message: bytes) -> None:
        if not self.closing:
            self._lane.write(message)

    def close(self, code: int, reason: str) -> None:
        """Sends the close after what was written before; cuts the connection if that takes too long."""
        if not self.closing:
            self._ending = self._loop.create_task(self._end(code, reason))
            self._lane.end_within(CLOSE_WITHIN)

    @property
    def closing(self) -> bool:
        """Nothing more is taken from the other side."""
        return self._ending is not None

    def ended(self) -> None:
        """The other side is gone: nothing is left to be said."""
        if self._ending is not None:
            self._ending.cancel()

    async def _end(self, code: int, reason: str) -> None:
        with contextlib.suppress(OSError):
            await self._send({"type": "websocket.close", "code": code, "reason": _fitting(reason)})


async def serve_link(scope: Scope, receive: Receive, send: Send, make_session: Callable[[Carrier], Receiver]) -> None:
    """Accepts, and carries messages between the peer and its session until either ends. The handshake is checked."""
    await send({"type": "websocket.accept"})
    lane: Lane = scope["extensions"][LANE]
    carrier = WebSocketCarrier(lane, send)
    session = make_session(carrier)
    code, reason = int(Close.ABNORMAL), "the connection broke"
    try:
        code, reason = await _carry(lane, receive, carrier, session)
    finally:
        carrier.ended()
        lane.end_within(CLOSE_WITHIN)  # a peer that does not answer the close must not hold the socket
        session.closed(code, reason)


async def _carry(lane: Lane, receive: Receive, carrier: WebSocketCarrier, session: Receiver) -> tuple[int, str]:
    greeted = False

    def message(data: bytes) -> None:
        nonlocal greeted
        session.message(data)
        if not greeted and not carrier.closing:
            greeted = True
            lane.fruitful()

    lane.read_into(message)
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return _ending(event)
        if (data := event.get("bytes")) is not None:
            message(data)  # it came before the lane was open
        else:
            carrier.close(int(Close.BAD_MESSAGE), "a text message; frames are binary")


def _ending(event: Message) -> tuple[int, str]:
    code = event.get("code", _BROKEN)
    if code in (_NO_STATUS, _BROKEN):
        return int(Close.ABNORMAL), event.get("reason") or "the connection broke"
    return code, event.get("reason") or ""


def _fitting(reason: str) -> str:
    """A close frame has room for 123 bytes."""
    return reason.encode("utf-8", "replace")[:120].decode("utf-8", "ignore")
