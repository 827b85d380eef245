"""WebSockets by uvicorn, with limits of their own: a message is at most `MAX_FRAGMENTS` fragments, and pings come at a pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import DATA_OPCODES, Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from rota.link.codes import Close
from rota.transport.gate import Entry
from rota.transport.http_extensions import certificate
from rota.transport.websocket import LANE

MAX_FRAGMENTS = 4_096
MAX_PINGS, PINGS_WITHIN = 100, 10.0
"""Pings and pongs that a link may send within so many seconds."""
SLICE = 16 * 1024
"""Bytes that are taken apart at a time: what follows a fault is not looked at."""
HIGH_WATER = 8 * 1024 * 1024
"""Bytes waiting to be taken by the other side of a link, at which reading stops until most are."""
FIRST_MESSAGE = 64 * 1024
"""A Hello is small; more is not kept for somebody of whom nothing is known."""


class _ShortAtFirst(ServerProtocol):
    """Takes large messages only after the first one."""

    then: int

    def recv_frame(self, frame: Frame) -> None:
        super().recv_frame(frame)
        if frame.fin and frame.opcode in DATA_OPCODES:
            self.max_message_size = self.then


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """A connection that has become a WebSocket. Implements `websocket.Lane`, and lends itself to the application as such."""

    _pings = 0
    _pings_since = 0.0
    _unanswered = 0
    _reader: Callable[[bytes], None] | None = None
    _held_back = False
    _cut: asyncio.TimerHandle | None = None

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], entry: Entry) -> None:
        super().__init__(config, server_state, app_state)
        self._entry = entry
        self._bounded = _ShortAtFirst(max_size=FIRST_MESSAGE, logger=self.conn.logger)
        self._bounded.then = config.ws_max_size
        self.conn = self._bounded

    # --- the lane

    def read_into(self, message: Callable[[bytes], None]) -> None:
        self._reader = message

    def write(self, message: bytes) -> None:
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.conn.send_binary(message)
        self.transport.write(b"".join(self.conn.data_to_send()))

    def write_text(self, message: bytes) -> None:
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.conn.send_text(message)
        self.transport.write(b"".join(self.conn.data_to_send()))

    async def room(self) -> None:
        await self.writable.wait()

    def take_at_most(self, size: int) -> None:
        self._bounded.max_message_size = self._bounded.then = size

    def ping(self) -> int:
        self._unanswered += 1
        if not (self.close_sent or self.disconnected or self.transport.is_closing()):
            self.conn.send_ping(b"")
            self.transport.write(b"".join(self.conn.data_to_send()))
        return self._unanswered

    @property
    def buffered(self) -> int:
        return self.transport.get_write_buffer_size()

    def end_within(self, seconds: float) -> None:
        if self._cut is None and not self.disconnected:
            self._cut = self.loop.call_later(seconds, self.transport.abort)

    def fruitful(self) -> None:
        self._entry.fruitful()

    # --- the loop and the parser call

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._held_back:
            self._held_back = False
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._entry.leave()
        if self._cut is not None:
            self._cut.cancel()

    def data_received(self, data: bytes) -> None:
        if len(data) <= SLICE:
            super().data_received(data)
            return
        rest = memoryview(data)
        while rest and not self.transport.is_closing():
            super().data_received(bytes(rest[:SLICE]))
            rest = rest[SLICE:]

    def handle_events(self) -> None:
        super().handle_events()
        if not self.handshake_initiated and not self.transport.is_closing():
            # The head was no request to the parser of WebSockets, which has its own limits. Nobody else would tell, or end it.
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)
        if scope is not None:
            scope["extensions"] |= {LANE: self, **certificate(self.transport)}

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= MAX_FRAGMENTS:
            self._fail(Close.TOO_BIG, f"a message in more than {MAX_FRAGMENTS} fragments")
            return
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_text(b"".join(self.frames)):
            self._fail(Close.NOT_TEXT, "a text message that is not UTF-8")
        elif self.curr_msg_data_type == "bytes" and self._reader is not None:
            self._pass_on(self._reader)
        else:
            super().send_receive_event_to_app()

    def _pass_on(self, reader: Callable[[bytes], None]) -> None:
        message = b"".join(self.frames)
        self.frames.clear()
        if self.close_sent or self.disconnected:
            return
        reader(message)
        if self.buffered > HIGH_WATER and not self.transport.is_closing():
            self._held_back = True
            self.transport.pause_reading()

    def handle_ping(self) -> None:
        if not self.transport.is_closing():
            super().handle_ping()
            self._count_ping()

    def handle_pong(self, event: Frame) -> None:
        super().handle_pong(event)
        self._unanswered = 0
        self._count_ping()

    def _count_ping(self) -> None:
        now = self.loop.time()
        if now - self._pings_since > PINGS_WITHIN:
            self._pings, self._pings_since = 0, now
        self._pings += 1
        if self._pings > MAX_PINGS:
            self._fail(Close.POLICY, f"more than {MAX_PINGS} pings within {PINGS_WITHIN:.0f} s")

    def _fail(self, code: Close, reason: str) -> None:
        if not self.transport.is_closing():
            self.conn.fail(int(code), reason)
            self.handle_parser_exception()


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
