"""The methods that child processes offer, and how long their handlers take."""

from __future__ import annotations

from collections.abc import Iterable

from rota.worker.handler import Handler
from rota.worker.processes.messages import Origin

AHEAD = 10_000
"""Microseconds of work that a child has in hand, as far as it is more than one job."""


class Methods:
    """`origins` only grows; jobs name a handler by its place there."""

    def __init__(self) -> None:
        self.origins: list[Origin] = []
        self._places: dict[Handler, int] = {}
        self._paces: dict[Handler, int] = {}

    def know(self, handlers: Iterable[Handler]) -> None:
        for handler in handlers:
            if handler.origin is not None and handler not in self._places:
                self._places[handler] = len(self.origins)
                self._paces[handler] = AHEAD
                self.origins.append(handler.origin)

    def __contains__(self, handler: Handler) -> bool:
        return handler in self._places

    def place(self, handler: Handler) -> int:
        return self._places[handler]

    def pace(self, handler: Handler) -> int:
        """Microseconds that it will take. Of one that is not known yet it is thought that it takes long."""
        return self._paces[handler]

    def took(self, handler: Handler, ran: int) -> None:
        self._paces[handler] += (ran - self._paces[handler]) // 4
