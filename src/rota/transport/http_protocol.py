"""HTTP/1.1 and WebSockets by uvicorn, with the limits that it leaves to a proxy in front.

A request's head (its first line and headers) comes within `Limits.handshake_timeout` and is at most `MAX_HEAD` bytes, its
body within `Limits.idle_timeout`, which is also how long a caller may take to read the answer. Of a WebSocket a message is at most `MAX_FRAGMENTS` fragments, and pings come at a pace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import DATA_OPCODES, Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from rota.link.codes import Close
from rota.transport.asgi import FRUITFUL
from rota.transport.gate import Entry, Limits
from rota.transport.websocket import LANE

MAX_URL, MAX_HEAD, MAX_HEADERS = 8 * 1024, 32 * 1024, 100
MAX_FRAGMENTS = 4_096
MAX_PINGS, PINGS_WITHIN = 100, 10.0
"""Pings and pongs that a link may send within so many seconds."""
SLICE = 16 * 1024
"""Bytes that are taken apart at a time: what follows a fault is not looked at."""
HIGH_WATER = 8 * 1024 * 1024
"""Bytes waiting to be taken by the other side of a link, at which reading stops until most are."""

FIRST_MESSAGE = 64 * 1024
"""A Hello is small; more is not kept for somebody of whom nothing is known."""


class _Refused(Exception):
    """Stops the parser; the protocol answers with its `_status`."""


class BoundedHttp(HttpToolsProtocol):
    """One connection, from its first byte to its end, or to where it becomes a WebSocket."""

    _status = 400
    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], entry: Entry, limits: Limits
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._entry, self._limits = entry, limits
        # uvicorn only calls it; its types want a class.
        self.ws_protocol_class = partial(BoundedWebSocket, entry=entry)  # pyrefly: ignore[bad-assignment]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)
        self._entry.leave()

    def data_received(self, data: bytes) -> None:
        if self.timeout_keep_alive_task is not None:
            # Any byte ends the idle time; blank lines before a request would make it endless.
            self._expect_head()
        super().data_received(data)

    def handle_websocket_upgrade(self) -> None:
        self._in_time()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: Any = self.scope
        scope["extensions"] = {FRUITFUL: self._entry.fruitful}
        self._head_bytes = 0
        self._expect_head()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._weigh(len(url))
        if len(self.url) > MAX_URL:
            self._refuse(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._weigh(len(name) + len(value))
        if len(self.headers) > MAX_HEADERS:
            self._refuse(431)

    def on_headers_complete(self) -> None:
        self._in_time()
        self._deadline = self.loop.call_later(self._limits.idle_timeout, self.transport.abort)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_time()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            # It closes when all is sent; whoever does not read would keep it for ever.
            self._in_time()
            self._deadline = self.loop.call_later(self._limits.idle_timeout, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        head = b"content-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[self._status] + head)
        self.transport.close()

    def _weigh(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD:
            self._refuse(431)

    def _refuse(self, status: int) -> None:
        self._status = status
        raise _Refused

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self._limits.handshake_timeout, self.transport.abort)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


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
    _reader: Callable[[bytes], None] | None = None
    _held_back = False
    _cut: asyncio.TimerHandle | None = None

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], entry: Entry) -> None:
        super().__init__(config, server_state, app_state)
        self._entry = entry
        self.conn = _ShortAtFirst(max_size=FIRST_MESSAGE, logger=self.conn.logger)
        self.conn.then = config.ws_max_size

    # --- the lane

    def read_into(self, message: Callable[[bytes], None]) -> None:
        self._reader = message

    def write(self, message: bytes) -> None:
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.conn.send_binary(message)
        self.transport.write(b"".join(self.conn.data_to_send()))

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
            scope["extensions"][LANE] = self

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
