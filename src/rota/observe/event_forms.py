"""The two forms in which events leave: lines of an event stream (SSE), and messages of a WebSocket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rota.observe.event import Event


class Form(Protocol):
    """Equal forms are encoded once for all readers. `epoch` names this start of the node."""

    def chunk(self, epoch: str, events: Sequence[Event]) -> bytes:
        """Some events, in order."""
        ...

    def beat(self, epoch: str, seq: int) -> bytes:
        """A sign of life, with the place up to which everything was told."""
        ...


class _Lines:
    """Each event with its place as `id:`, which an EventSource sends back as Last-Event-ID when it comes again."""

    def chunk(self, epoch: str, events: Sequence[Event]) -> bytes:
        return b"".join(
            [
                b"id: %b-%d\nevent: %b\ndata: %b\n\n" % (epoch.encode(), each.seq, each.name.encode(), each.data)
                for each in events
            ]
        )

    def beat(self, epoch: str, seq: int) -> bytes:
        return b":\nid: %b-%d\n\n" % (epoch.encode(), seq)


class _Messages:
    """Several events in one message; `last` is the place to resume from."""

    def chunk(self, epoch: str, events: Sequence[Event]) -> bytes:
        last = b"%b-%d" % (epoch.encode(), events[-1].seq)
        return b'{"type":"events","last":"%b","events":[%b]}' % (last, b",".join([each.data for each in events]))

    def beat(self, epoch: str, seq: int) -> bytes:
        return b'{"type":"heartbeat","last":"%b-%d"}' % (epoch.encode(), seq)


LINES: Form = _Lines()
MESSAGES: Form = _Messages()


def place(epoch: str, seq: int) -> str:
    """Where a reader is, as it says it when it comes again."""
    return f"{epoch}-{seq}"


def place_of(text: str) -> tuple[str, int] | None:
    """(epoch, seq); None for what nobody was given."""
    epoch, dash, number = text.rpartition("-")
    if not dash or len(number) > 18 or not (number.isascii() and number.isdigit()):
        return None
    return epoch, int(number)
