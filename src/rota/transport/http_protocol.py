"""HTTP/1.1 and WebSockets by uvicorn, with the limits that it leaves to a proxy in front.

A request's head (its first line and headers) comes within `Limits.handshake_timeout` and is at most `MAX_HEAD` bytes. Its
body comes within `Limits.idle_timeout`, or goes on at `MIN_BODY_RATE` or more. The last of an answer is read within
`Limits.idle_timeout`. Of a WebSocket a message is at most `MAX_FRAGMENTS` fragments, and pings come at a pace.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from enum import Enum
from functools import partial
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import DATA_OPCODES, Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from rota.link.codes import Close
from rota.transport.asgi import CUT, DIGESTED, FRUITFUL, WHOLE
from rota.transport.bodies import SMALL, Bodies
from rota.transport.gate import Entry, Limits
from rota.transport.http_guards import CERTIFICATE
from rota.transport.websocket import LANE

MAX_URL, MAX_HEAD, MAX_HEADERS = 8 * 1024, 32 * 1024, 100
MIN_BODY_RATE = 16 * 1024
"""Bytes a second, over one `Limits.idle_timeout`, at which a body may take longer than that."""
LINGER, LINGER_BYTES = 2.0, 4 * 1024 * 1024
"""Seconds and bytes for which a connection is still drained that was answered before its request was at its end."""
MAX_FRAGMENTS = 4_096
MAX_PINGS, PINGS_WITHIN = 100, 10.0
"""Pings and pongs that a link may send within so many seconds."""
SLICE = 16 * 1024
"""Bytes that are taken apart at a time: what follows a fault is not looked at."""
HIGH_WATER = 8 * 1024 * 1024
"""Bytes waiting to be taken by the other side of a link, at which reading stops until most are."""

_NO_LINGER = struct.pack("ii", 1, 0)
FIRST_MESSAGE = 64 * 1024
"""A Hello is small; more is not kept for somebody of whom nothing is known."""


class _Refused(Exception):
    """Stops the parser; the protocol answers with its `_status`."""


class _Stage(Enum):
    """What a connection is reading."""

    REST = 0
    HEAD = 1
    BODY = 2
    OVER = 3
    """It is a WebSocket now, and another's affair."""


class BoundedHttp(HttpToolsProtocol):
    """One connection, from its first byte to its end, or to where it becomes a WebSocket."""

    _status = 400
    _head_bytes = 0
    _body_bytes = 0
    """Of the request at hand, since the deadline began."""
    _request_bytes = 0
    """Of its body in all."""
    _held = 0
    """What `Bodies` counts for this connection."""
    _stage = _Stage.REST
    _awaited = _Stage.REST
    """What the deadline is for."""
    _deadline: asyncio.TimerHandle | None = None
    _lingers: int | None = None
    """How much more is thrown away; None: it is listened to."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        entry: Entry,
        limits: Limits,
        bodies: Bodies,
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._entry, self._limits, self._bodies = entry, limits, bodies
        # uvicorn only calls it; its types want a class.
        self.ws_protocol_class = partial(BoundedWebSocket, entry=entry)  # pyrefly: ignore[bad-assignment]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._extensions = {
            FRUITFUL: self._entry.fruitful,
            CUT: partial(_cut_off, transport),
            DIGESTED: self._give_back,
            **_certificate(transport),
        }
        self._expect(_Stage.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        self._give_back()
        super().connection_lost(exc)
        self._entry.leave()

    def data_received(self, data: bytes) -> None:
        if self._lingers is not None:
            self._lingers -= len(data)
            if self._lingers < 0:
                self.transport.abort()
            return
        super().data_received(data)
        self._look_at_the_time()

    def linger(self) -> None:
        """Says nothing more, and closes a little later: what is still on its way would make the other side forget what it
        was told."""
        self._lingers = LINGER_BYTES
        self.transport.write_eof()
        self._in_time()
        self._deadline = self.loop.call_later(LINGER, self.transport.abort)

    def handle_websocket_upgrade(self) -> None:
        self._stage = _Stage.OVER
        self._in_time()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = self._body_bytes = self._request_bytes = 0
        self._stage = _Stage.HEAD

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._weigh(len(url))
        if len(self.url) > MAX_URL:
            self._refuse(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """As the library has it, which is called for each, and so not called."""
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD or len(self.headers) > MAX_HEADERS:
            self._refuse(431)

    def on_headers_complete(self) -> None:
        self._stage = _Stage.BODY
        super().on_headers_complete()
        scope: Any = self.scope
        scope["extensions"] = {**self._extensions, WHOLE: partial(_answer_whole, self.cycle, self.linger)}

    def on_body(self, body: bytes) -> None:
        size = len(body)
        self._body_bytes += size
        self._request_bytes += size
        if self._request_bytes > SMALL:
            self._hold(size)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._stage = _Stage.REST
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self._held:
            self._give_back()
        super().on_response_complete()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            # It closes when all is sent; whoever does not read would keep it for ever.
            self._in_time()
            self._deadline = self.loop.call_later(self._limits.idle_timeout, self.transport.abort)
            self._awaited = _Stage.REST

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        head = b"content-length: 0\r\nconnection: close\r\n\r\n"
        if self._status != HTTPStatus.SERVICE_UNAVAILABLE:
            self.transport.write(STATUS_LINE[self._status] + head)
            self.transport.close()
            return
        self.transport.write(STATUS_LINE[self._status] + b"retry-after: 1\r\n" + head)
        self._forget()
        if self.transport.can_write_eof():
            self.linger()
        else:
            self.transport.close()

    def _weigh(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD:
            self._refuse(431)

    def _hold(self, size: int) -> None:
        if self.cycle is None or self.cycle.response_complete:
            return  # it is answered already: nobody keeps what is still to come
        if not self._bodies.take(size):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        self._held += size

    def _forget(self) -> None:
        """Whoever reads the body is told that its end will not come, and lets go of the rest."""
        self.cycle.disconnected = True
        self.cycle.body = bytearray()
        self.cycle.message_event.set()
        self.flow.resume_reading()
        self._give_back()

    def _give_back(self) -> None:
        self._bodies.give_back(self._held)
        self._held = 0

    def _refuse(self, status: int) -> None:
        self._status = status
        raise _Refused

    def _look_at_the_time(self) -> None:
        """A request that came whole, as most do, costs no timer."""
        if self._stage is _Stage.REST and self.timeout_keep_alive_task is None and self._is_idle():
            # Any byte ends the idle time; blank lines before a request would make it endless.
            self._expect(_Stage.HEAD)
        elif self._stage is _Stage.REST:
            if self._awaited is not _Stage.REST:
                self._in_time()
        elif self._stage is not self._awaited and self._stage is not _Stage.OVER:
            self._in_time()
            self._expect(self._stage)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expect(self, stage: _Stage) -> None:
        if self._deadline is not None or self.transport.is_closing():
            return
        self._awaited = stage
        if stage is _Stage.HEAD:
            self._deadline = self.loop.call_later(self._limits.handshake_timeout, self.transport.abort)
        else:
            self._deadline = self.loop.call_later(self._limits.idle_timeout, self._look_at_the_body)

    def _look_at_the_body(self) -> None:
        """A large body may go on for as long as it comes at a pace."""
        if self._body_bytes < MIN_BODY_RATE * self._limits.idle_timeout:
            self.transport.abort()
            return
        self._body_bytes = 0
        self._deadline = self.loop.call_later(self._limits.idle_timeout, self._look_at_the_body)

    def _in_time(self) -> None:
        self._awaited = _Stage.REST
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _cut_off(transport: asyncio.Transport) -> None:
    """At once: what the other side has not taken is thrown away, the operating system's part of it too."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def _answer_whole(
    cycle: RequestResponseCycle, linger: Callable[[], None], status: int, head: bytes, body: bytes, closes: bool
) -> bool:
    """Head and body in one write, as `RequestResponseCycle.send` would in two. False: it has to be sent by that.

    `head`: header lines, each with its end, the length of the body among them.
    """
    if cycle.flow.write_paused or cycle.response_started:
        return False
    if cycle.disconnected:
        return True
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.keep_alive = cycle.keep_alive and not closes
    end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
    cycle.transport.write(b"".join((STATUS_LINE[status], head, end, body)))
    cycle.message_event.set()
    if not cycle.keep_alive and cycle.more_body and cycle.transport.can_write_eof():
        linger()
    elif not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


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
            scope["extensions"] |= {LANE: self, **_certificate(self.transport)}

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


def _certificate(transport: asyncio.BaseTransport) -> dict[str, Any]:
    """The extension that tells what URIs the other side's certificate holds, where it has shown one that is good."""
    shown = transport.get_extra_info("peercert")
    if not shown:
        return {}
    return {CERTIFICATE: frozenset(value for kind, value in shown.get("subjectAltName", ()) if kind == "URI")}


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
