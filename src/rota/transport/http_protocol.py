"""HTTP/1.1 by uvicorn, with the limits that it leaves to a proxy in front.

A request's head (its first line and headers) is at most `MAX_HEAD` bytes, and what all connections hold of bodies is counted
in one place. How long things may take is in `http_deadlines.py`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from rota.transport.asgi import CUT, DIGESTED, FRUITFUL, WHOLE
from rota.transport.bodies import SMALL, Bodies
from rota.transport.gate import Entry, Limits
from rota.transport.http_deadlines import Stage, TimedHttp
from rota.transport.http_extensions import answer_whole, certificate, cut_off
from rota.transport.websocket_protocol import BoundedWebSocket

MAX_URL, MAX_HEAD, MAX_HEADERS = 8 * 1024, 32 * 1024, 100


class _Refused(Exception):
    """Stops the parser; the protocol answers with its `_status`."""


class BoundedHttp(TimedHttp):
    """One connection, from its first byte to its end, or to where it becomes a WebSocket: its head and its body are bounded."""

    _status = 400
    _head_bytes = 0
    _request_bytes = 0
    """Of its body in all."""
    _held = 0
    """What `Bodies` counts for this connection."""

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
            CUT: partial(cut_off, transport),
            DIGESTED: self._give_back,
            **certificate(transport),
        }
        self._expect(Stage.HEAD)

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

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = self._body_bytes = self._request_bytes = 0
        self._stage = Stage.HEAD

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
        self._stage = Stage.BODY
        super().on_headers_complete()
        scope: Any = self.scope
        scope["extensions"] = {**self._extensions, WHOLE: partial(answer_whole, self.cycle, self.linger)}

    def on_body(self, body: bytes) -> None:
        size = len(body)
        self._body_bytes += size
        self._request_bytes += size
        if self._request_bytes > SMALL:
            self._hold(size)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._stage = Stage.REST
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self._held:
            self._give_back()
        super().on_response_complete()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._expect_it_to_be_taken()

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
