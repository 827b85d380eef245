"""How long an HTTP connection may take for what it does.

A request's head comes within `Limits.handshake_timeout`. Its body comes within `Limits.idle_timeout`, or goes on at
`MIN_BODY_RATE` or more. The last of an answer is read within `Limits.idle_timeout`.
"""

from __future__ import annotations

import asyncio
from enum import Enum

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rota.transport.gate import Limits

MIN_BODY_RATE = 16 * 1024
"""Bytes a second, over one `Limits.idle_timeout`, at which a body may take longer than that."""
LINGER, LINGER_BYTES = 2.0, 4 * 1024 * 1024
"""Seconds and bytes for which a connection is still drained that was answered before its request was at its end."""


class Stage(Enum):
    """What a connection is reading."""

    REST = 0
    HEAD = 1
    BODY = 2
    OVER = 3
    """It is a WebSocket now, and another's affair."""


class TimedHttp(HttpToolsProtocol):
    """What the protocol inherits rather than calls, so that a request passes through no layer more."""

    _limits: Limits
    _body_bytes = 0
    """Of the request at hand, since the deadline began."""
    _stage = Stage.REST
    _awaited = Stage.REST
    """What the deadline is for."""
    _deadline: asyncio.TimerHandle | None = None
    _lingers: int | None = None
    """How much more is thrown away; None: it is listened to."""

    def linger(self) -> None:
        """Says nothing more, and closes a little later: what is still on its way would make the other side forget what it
        was told."""
        self._lingers = LINGER_BYTES
        self.transport.write_eof()
        self._in_time()
        self._deadline = self.loop.call_later(LINGER, self.transport.abort)

    def handle_websocket_upgrade(self) -> None:
        self._stage = Stage.OVER
        self._in_time()
        super().handle_websocket_upgrade()

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def _look_at_the_time(self) -> None:
        """A request that came whole, as most do, costs no timer."""
        if self._stage is Stage.REST and self.timeout_keep_alive_task is None and self._is_idle():
            # Any byte ends the idle time; blank lines before a request would make it endless.
            self._expect(Stage.HEAD)
        elif self._stage is Stage.REST:
            if self._awaited is not Stage.REST:
                self._in_time()
        elif self._stage is not self._awaited and self._stage is not Stage.OVER:
            self._in_time()
            self._expect(self._stage)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expect(self, stage: Stage) -> None:
        if self._deadline is not None or self.transport.is_closing():
            return
        self._awaited = stage
        if stage is Stage.HEAD:
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

    def _expect_it_to_be_taken(self) -> None:
        """It closes when all is sent; whoever does not read would keep it for ever."""
        self._in_time()
        self._deadline = self.loop.call_later(self._limits.idle_timeout, self.transport.abort)

    def _in_time(self) -> None:
        self._awaited = Stage.REST
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
