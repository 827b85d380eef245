"""A link inside one process and loop: for `embedded:` and for tests. The same frames, no socket."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from rota.link.carrier import Carrier, Receiver

MakeSession = Callable[[Carrier, str | None], Receiver]
"""Opens a node's session for a carrier and a token."""


class LocalDoor:
    """`dial` has the shape of a client's `Dial`. The node's session is made in the loop that dials."""

    def __init__(self, make_session: MakeSession) -> None:
        self._make_session = make_session

    async def dial(self, url: str, token: str | None, receiver: Receiver) -> Carrier:
        """`url` only names the node, and is not looked at."""
        ours, theirs = LocalCarrier(), LocalCarrier()
        ours.other, theirs.other = theirs, ours
        ours.receiver = receiver
        theirs.receiver = self._make_session(theirs, token)
        return ours


class LocalCarrier:
    """Implements `link.carrier.Carrier`: what is written is delivered in the next turn of the loop."""

    other: LocalCarrier
    receiver: Receiver

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._messages: deque[bytes] = deque()
        self._due = False
        self._closing = False
        self._closed = False
        self.buffered = 0

    def write(self, message: bytes) -> None:
        if self._closing:
            return
        self._messages.append(message)
        self.buffered += len(message)
        if not self._due:
            self._due = True
            self._loop.call_soon(self._deliver)

    def close(self, code: int, reason: str) -> None:
        """What was written before arrives first."""
        if not self._closing:
            self._closing = self.other._closing = True
            self._loop.call_soon(self._end, code, reason)

    def _deliver(self) -> None:
        self._due = False
        while self._messages and not self._closed:
            message = self._messages.popleft()
            self.buffered -= len(message)
            self.other.receiver.message(message)

    def _end(self, code: int, reason: str) -> None:
        self._deliver()
        self._closed = self.other._closed = True
        self.other.receiver.closed(code, reason)
        self.receiver.closed(code, reason)
