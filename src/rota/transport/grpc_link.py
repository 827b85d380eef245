"""The link over a gRPC stream: one message is one frame, as over a WebSocket, with the same session behind it.

Reading stops while too much waits to be taken by the other side. Reads and writes are never cancelled: the library would lose
the memory of them (grpc/grpc#43360). They end by themselves when the call does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from rota.link.carrier import Carrier, Receiver
from rota.link.codes import Close
from rota.transport.grpc_status import End, end_of_link, unreadable
from rota.wire.v1.link_pb2 import Frame

Context = grpc.aio.ServicerContext[Any, Any]
HIGH_WATER, LOW_WATER = 8 * 1024 * 1024, 2 * 1024 * 1024
"""Bytes waiting to be taken, at which reading stops and goes on."""
CLOSE_WITHIN = 5.0
"""Seconds for what was written before the end; then the rest is dropped."""
_logger = logging.getLogger("rota.transport")


class GrpcCarrier:
    """Implements `link.carrier.Carrier`. The call's own coroutine sends what is written."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._messages: deque[bytes] = deque()
        self._bell = asyncio.Event()
        self._drained = asyncio.Event()
        self._deadline: asyncio.Timeout | None = None
        self.ending: tuple[int, str] | None = None
        self.buffered = 0

    def write(self, message: bytes) -> None:
        if self.ending is None:
            self._messages.append(message)
            self.buffered += len(message)
            self._bell.set()

    def close(self, code: int, reason: str) -> None:
        """Sends what was written before, and ends; the rest is dropped if that takes too long."""
        if self.ending is None:
            self.ending = code, reason
            self._bell.set()
            if self._deadline is not None:
                self._deadline.reschedule(self._loop.time() + CLOSE_WITHIN)

    async def send_all(self, context: Context) -> None:
        """Sends until the end."""
        try:
            async with asyncio.timeout(None) as self._deadline:
                while self._messages or self.ending is None:
                    await self._bell.wait()
                    self._bell.clear()
                    await self._send_ready(context)
        except TimeoutError:
            self._messages.clear()
        finally:
            self._deadline = None
            self._drained.set()

    async def drained(self) -> None:
        """Returns when little waits to be taken, or nobody takes it any more."""
        if self.buffered > HIGH_WATER and self.ending is None:
            self._drained.clear()
            await self._drained.wait()

    async def _send_ready(self, context: Context) -> None:
        while self._messages:
            message = self._messages.popleft()
            await asyncio.shield(context.write(message))
            self.buffered -= len(message)
            if self.buffered <= LOW_WATER:
                self._drained.set()


async def serve_link(context: Context, make_session: Callable[[Carrier], Receiver]) -> End:
    """Carries messages between the peer and its session until either ends; answers how."""
    carrier = GrpcCarrier()
    session = make_session(carrier)
    reader = _Reader(context, carrier, session)
    code, reason = int(Close.ABNORMAL), "the stream broke"
    try:
        await carrier.send_all(context)
        code, reason = carrier.ending or (code, reason)
    finally:
        reader.stop()
        session.closed(code, reason)
    if code == Close.BAD_FRAME and reader.unreadable:
        return unreadable(reason)
    return end_of_link(code, reason)


class _Reader:
    """Reads beside the sender, and ends when the call does."""

    def __init__(self, context: Context, carrier: GrpcCarrier, session: Receiver) -> None:
        self._context, self._carrier, self._session = context, carrier, session
        self._last = b""
        self._stopped = False
        self._task = asyncio.get_running_loop().create_task(self._read())

    def stop(self) -> None:
        """Nothing is passed on any more."""
        self._stopped = True

    @property
    def unreadable(self) -> bool:
        """The last message was no frame."""
        with contextlib.suppress(DecodeError):
            Frame.FromString(self._last)
            return False
        return True

    async def _read(self) -> None:
        try:
            while (message := await self._context.read()) is not grpc.aio.EOF and not self._over:
                self._last = message
                self._session.message(message)
                await self._carrier.drained()
        except grpc.aio.BaseError:
            return
        except Exception:
            _logger.exception("a link over gRPC failed inside the node")
            self._carrier.close(int(Close.INTERNAL), "the node failed at this; its log says why")
        else:
            self._carrier.close(int(Close.NORMAL), "the other side has ended the stream")

    @property
    def _over(self) -> bool:
        return self._stopped or self._carrier.ending is not None
