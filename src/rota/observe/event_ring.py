"""The last events, kept once for all readers: bounded by number and by bytes. Each reader has a place in it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from rota.observe.event import Event, Filter

MOST_EVENTS, MOST_BYTES = 10_000, 4 * 1024 * 1024
CHUNK = 64 * 1024
"""Bytes that are read at a time, unless one event alone is more."""


class Ring:
    """Numbers rise by one, so a number is a place."""

    def __init__(self, most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        self._most_events, self._most_bytes = most_events, most_bytes
        self._events: list[Event] = []
        self._bytes = 0
        self.floor = 0
        """The number of the last event that is forgotten: from here on everything is there."""

    def __len__(self) -> int:
        return len(self._events)

    @property
    def size(self) -> int:
        """Bytes of JSON that are kept."""
        return self._bytes

    def add(self, events: Iterable[Event]) -> None:
        """Forgets the oldest beyond the bounds."""
        for event in events:
            self._events.append(event)
            self._bytes += len(event.data)
        over = 0
        while len(self._events) - over > self._most_events or self._bytes > self._most_bytes:
            self._bytes -= len(self._events[over].data)
            over += 1
        if over:
            self.floor = self._events[over - 1].seq
            del self._events[:over]

    def clear(self, seq: int) -> None:
        """Forgets all. Whoever was told up to less than `seq` cannot go on from there; the next number is the one after."""
        self._events.clear()
        self._bytes = 0
        self.floor = seq

    def read(self, after: int, wants: Filter) -> tuple[list[Event], int]:
        """Up to a chunk of what the filter lets through after a number, not below the floor, and the place behind it."""
        found: list[Event] = []
        size = 0
        for event in islice(self._events, after - self.floor, None):
            if wants.lets(event):
                size += len(event.data)
                if size > CHUNK and found:
                    return found, after
                found.append(event)
            after = event.seq
        return found, after
