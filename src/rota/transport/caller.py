"""What the handlers of requests see of the link that a request came by."""

from __future__ import annotations

import asyncio
from typing import Protocol

from rota.transport.doors import LinkWaiterDoor
from rota.transport.hall import Hall
from rota.transport.verbs import Verbs
from rota.wire.v1.link_pb2 import Frame


class Caller(Protocol):
    """The session, for its handlers."""

    @property
    def verbs(self) -> Verbs:
        """What it may ask of the house: by its groups, and with a line in the audit log for what changes something."""
        ...

    @property
    def lobby(self) -> Hall: ...

    @property
    def waiter(self) -> LinkWaiterDoor: ...

    @property
    def over(self) -> bool:
        """The link is closed, or about to be."""
        ...

    @property
    def follows(self) -> int:
        """How many tasks of `follow` go on."""
        ...

    def send(self, request: int, frame: Frame) -> None:
        """Queues one of several answers to a request."""
        ...

    async def room(self) -> None:
        """Returns when the other side is no longer behind, or gone."""
        ...

    def follow(self, task: asyncio.Task[None]) -> None:
        """Keeps a task that goes on sending, until it ends or the link does."""
        ...
