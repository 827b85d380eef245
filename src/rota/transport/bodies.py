"""How much of large bodies a node holds at once: whoever sends many of them, and none to its end, must not fill its memory.

A body counts from its first byte beyond `SMALL`, until its request is answered or its connection ends. Small ones are not
counted, so that those who send them do not feel it when there is no room for more of the large ones.
"""

from __future__ import annotations

SMALL = 64 * 1024
ROOM = 256 * 1024 * 1024


class Bodies:
    """Of all connections of a door."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self.held = 0
        """Bytes."""

    def take(self, size: int) -> bool:
        """Whether there is room for so much more; what is taken has to be given back."""
        if self.held + size > self._room:
            return False
        self.held += size
        return True

    def give_back(self, size: int) -> None:
        self.held -= size
