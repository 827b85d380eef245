"""Items of one kind on their way out, gathered into as few frames as their bytes allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rota.wire.v1.link_pb2 import Frame

FRAME_BYTES = 1024 * 1024
"""A frame is closed before it grows over this. One item alone may be larger, up to the link's own limit."""
ITEM_BYTES = 160
"""What an item weighs beside its payload, about."""


class FrameBatch:
    """`items` finds the repeated field of a frame; `done` gets each full frame."""

    __slots__ = ("_add", "_done", "_frame", "_items", "_weight")

    def __init__(self, items: Callable[[Frame], Any], done: Callable[[Frame], None]) -> None:
        self._items, self._done = items, done
        self._frame: Frame | None = None
        self._weight = 0

    def add(self, payload_bytes: int) -> Any:
        """A fresh item to fill."""
        weight = payload_bytes + ITEM_BYTES
        if self._frame is None or self._weight + weight > FRAME_BYTES:
            self.close()
            self._frame = Frame()
            self._add = self._items(self._frame).add
        self._weight += weight
        return self._add()

    def close(self) -> None:
        """Hands over what is gathered, if anything."""
        if self._frame is not None:
            frame, self._frame, self._weight = self._frame, None, 0
            self._done(frame)
