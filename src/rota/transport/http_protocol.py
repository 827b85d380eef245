"""HTTP/1.1 and WebSockets by uvicorn, with the limits that it leaves to a proxy in front.

A head (the request line and headers) of a request comes within `HEAD_WITHIN` seconds and is at most `MAX_HEAD` bytes;
more than `MAX_CONNECTIONS` are not taken.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from rota.transport.websocket import ABORT

HEAD_WITHIN = 10.0
MAX_URL, MAX_HEAD, MAX_HEADERS = 8 * 1024, 32 * 1024, 100
MAX_CONNECTIONS = 10_000


class _Refused(Exception):
    """Stops the parser; the protocol answers with its `_status`."""


class BoundedHttp(HttpToolsProtocol):
    """For `uvicorn.Config(http=…)`."""

    _status = 400
    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._head_came()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
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
        self._head_came()
        super().on_headers_complete()

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
            self._deadline = self.loop.call_later(HEAD_WITHIN, self.transport.abort)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class AbortableWebSocket(WebSocketsSansIOProtocol):
    """For `uvicorn.Config(ws=…)`: lends the application the way to cut a connection whose peer does not read."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)
        if scope is not None:
            scope["extensions"][ABORT] = self.transport.abort
