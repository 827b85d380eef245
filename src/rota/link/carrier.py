"""What carries a link: a WebSocket, or two ends in one process. The link itself does no I/O.

Each side gives the other a Receiver. Calls are made in the event loop and never wait.
"""

from __future__ import annotations

from typing import Protocol


class Carrier(Protocol):
    """Takes messages for the other side."""

    def write(self, message: bytes) -> None:
        """Queues one message. After `close` it does nothing."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Says why and ends; the receiver's `closed` follows. May be called twice."""
        ...

    @property
    def buffered(self) -> int:
        """Bytes written that the operating system has not taken yet."""
        ...


class Receiver(Protocol):
    """Gets messages from the other side."""

    def message(self, data: bytes) -> None: ...

    def closed(self, code: int, reason: str) -> None:
        """Called exactly once, whoever ended it."""
        ...
