"""What is on its way out of one link: how much it is, whether the other side is behind with it, or does not read at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from rota.link.carrier import Carrier
from rota.link.codes import Close, LinkFault
from rota.link.node_end import NodeEnd
from rota.wire.v1.link_pb2 import Frame

HIGH_WATER = 4 * 1024 * 1024
"""Bytes on their way out beyond which the other side is behind."""
STALLED_AFTER = 30.0
"""Seconds that a carrier may be that full before the link is ended."""


class Outflow:
    """Writes frames to the carrier, as far as the other side's credit allows."""

    def __init__(self, end: NodeEnd, carrier: Carrier) -> None:
        self._end, self._carrier = end, carrier
        self._room = asyncio.Event()
        self._stalled_since: float | None = None
        self._ended = False

    @property
    def congested(self) -> bool:
        """The other side is behind with what it was sent."""
        return self._end.backlog + self._carrier.buffered > HIGH_WATER

    def write(self, frames: Iterable[Frame], now: float) -> None:
        """Raises LinkFault (TOO_BIG) for a frame over the limit."""
        for frame in frames:
            self._end.send(frame)
        for message in self._end.flush(now):
            self._carrier.write(message)
        if not self.congested:
            self._room.set()

    async def room(self) -> None:
        """Returns when the other side is no longer behind, or gone."""
        while self.congested and not self._ended:
            self._room.clear()
            await self._room.wait()

    def ended(self) -> None:
        """Nothing is sent any more."""
        self._ended = True
        self._room.set()

    def tick(self, now: float) -> None:
        """Raises LinkFault (POLICY) where nothing was read for too long. While that may be, silence does not count."""
        if self._carrier.buffered <= HIGH_WATER:
            self._stalled_since = None
            return
        self._end.paused(now)
        self._stalled_since = self._stalled_since or now
        if now - self._stalled_since > STALLED_AFTER:
            raise LinkFault(Close.POLICY, f"nothing was read from this link for {STALLED_AFTER:.0f} s")
