"""What goes out of the link's loop: frames over the connection, and named timers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rota.client.connection import Connection
from rota.wire.v1.link_pb2 import Frame


class Post:
    """Lives in the link's loop. Without a connection, or while that is down, frames are dropped: the next registration
    tells everything that matters."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.connection: Connection | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def send(self, frame: Frame) -> None:
        if self.connection is not None:
            self.connection.send(frame)

    def dealt_with(self, size: int) -> None:
        if self.connection is not None:
            self.connection.dealt_with(size)

    @property
    def is_up(self) -> bool:
        return self.connection is not None and self.connection.welcome is not None

    @property
    def last_sent(self) -> float:
        return self.connection.last_sent if self.connection is not None else 0.0

    def time(self) -> float:
        return self.loop.time()

    # ---------------------------------------------------------------- timers

    def arm(self, name: str, seconds: float, then: Callable[[], None]) -> None:
        """Instead of an earlier one of the name."""
        self.disarm(name)

        def fire() -> None:
            del self._timers[name]
            then()

        self._timers[name] = self.loop.call_later(seconds, fire)

    def is_armed(self, name: str) -> bool:
        return name in self._timers

    def disarm(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def disarm_all(self) -> None:
        for name in list(self._timers):
            self.disarm(name)
