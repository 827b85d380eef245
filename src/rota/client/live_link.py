"""One link while it lives: its handshake, its frames, its liveness, its end.

It is the carrier's receiver and drives the channel. Whatever ends it, `ended` tells once, with a code and a reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from rota.link.carrier import Carrier
from rota.link.channel import CONTROL, Channel
from rota.link.codes import Close, LinkFault
from rota.wire.v1.link_pb2 import Frame, Goodbye, Hello, Welcome

SMALL_BACKLOG = 256 * 1024
"""Bytes waiting for credit up to which a sender need not hold back."""
_logger = logging.getLogger("rota.client")


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a link ended. `code` is a WebSocket close code."""

    code: int
    reason: str


class LiveLink:
    """Made before dialling, as the receiver; `open` says Hello over the carrier that the dial gave."""

    def __init__(self, window: int, on_frame: Callable[[Frame, int], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_frame = on_frame
        self._channel = Channel(self._loop.time(), window=window)
        self._carrier: Carrier | None = None
        self._undealt = 0
        self._flushing: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._roomy: asyncio.Future[None] | None = None
        self._goodbye = ""
        self.welcomed: asyncio.Future[Welcome] = self._loop.create_future()
        self.ended: asyncio.Future[Ending] = self._loop.create_future()
        self.gone: asyncio.Future[None] = self._loop.create_future()
        """Set when the carrier is closed too."""

    def open(self, carrier: Carrier, hello: Hello) -> None:
        self._carrier = carrier
        if self.ended.done():
            return
        self._channel.send(Frame(hello=hello))
        self._flush()

    @property
    def last_sent(self) -> float:
        return self._channel.last_sent

    def send(self, frame: Frame) -> None:
        """Queues a frame; those of one loop turn leave together. Raises LinkFault for one over the node's limit."""
        self._channel.send(frame)
        self._flush_soon()

    def dealt_with(self, size: int) -> None:
        # A frame of an earlier link may be dealt with late; it must not count here for more than is owed.
        size = min(size, self._undealt)
        if size:
            self._undealt -= size
            self._channel.dealt_with(size)
            self._flush_soon()

    async def room(self) -> None:
        """Returns when little waits for credit, or the link has ended."""
        while self._channel.backlog > SMALL_BACKLOG and not self.ended.done():
            if self._roomy is None or self._roomy.done():
                self._roomy = self._loop.create_future()
            await asyncio.shield(self._roomy)

    def close(self, code: int, reason: str, *, goodbye: bool = False) -> None:
        """Ends the link from this side. May be called twice."""
        if self._carrier is not None and not self.ended.done():
            if goodbye:
                self._channel.send(Frame(goodbye=Goodbye(reason=reason)))
            self._flush()
            self._carrier.close(code, reason)
        self._end(code, reason)

    # --- the receiver

    def message(self, data: bytes) -> None:
        if self.ended.done():
            return
        try:
            self._take(self._channel.receive(data, self._loop.time()), len(data))
        except LinkFault as fault:
            self.close(fault.code, fault.reason)
        except Exception:
            _logger.exception("a frame could not be dealt with; the link is opened anew")
            self.close(Close.INTERNAL, "the client failed on a frame")

    def closed(self, code: int, reason: str) -> None:
        self._end(code, reason or self._goodbye or "closed by the node")
        if not self.gone.done():
            self.gone.set_result(None)

    # --- inside

    def _take(self, frame: Frame, size: int) -> None:
        body = frame.WhichOneof("body")
        if body in CONTROL:
            self._take_control(frame, body)
        elif not self.welcomed.done():
            raise LinkFault(Close.BAD_FRAME, f"{body} before Welcome")
        else:
            self._undealt += size
            self._on_frame(frame, size)
        if frame.credit:
            self._flush_soon()
            self._tell_of_room()

    def _take_control(self, frame: Frame, body: str | None) -> None:
        if body == "welcome":
            self._take_welcome(frame.welcome)
        elif body == "goodbye":
            self._goodbye = frame.goodbye.reason

    def _take_welcome(self, welcome: Welcome) -> None:
        if self.welcomed.done():
            raise LinkFault(Close.BAD_FRAME, "a second Welcome")
        if welcome.heartbeat:
            self._channel.heartbeat = welcome.heartbeat / 1e6
        if welcome.max_frame:
            self._channel.max_frame = welcome.max_frame
        self._channel.open(welcome.window)
        self.welcomed.set_result(welcome)
        self._tick()

    def _tick(self) -> None:
        try:
            self._channel.tick(self._loop.time())
        except LinkFault as fault:
            self.close(fault.code, fault.reason)
            return
        self._flush()
        self._timer = self._loop.call_later(self._channel.heartbeat / 3, self._tick)

    def _flush_soon(self) -> None:
        if self._flushing is None and not self.ended.done():
            self._flushing = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._carrier is not None and not self.ended.done():
            for message in self._channel.flush(self._loop.time()):
                self._carrier.write(message)

    def _tell_of_room(self) -> None:
        if self._roomy is not None and not self._roomy.done() and self._channel.backlog <= SMALL_BACKLOG:
            self._roomy.set_result(None)

    def _end(self, code: int, reason: str) -> None:
        if self.ended.done():
            return
        self.ended.set_result(Ending(code, reason))
        self.welcomed.cancel()
        for handle in (self._timer, self._flushing):
            if handle is not None:
                handle.cancel()
        if self._roomy is not None and not self._roomy.done():
            self._roomy.set_result(None)
