"""How many connections a node takes: in all, from one address, and from an address that opens them for nothing.

A connection is barren until its first request is answered, or its link greeted. Each address may open many barren ones at
once, as a fleet does after a restart of the node, but not for long: whoever connects and resets in a loop is soon refused
at the price of one system call, while those who do something with their connections are not.

Any door may use it: whoever takes a connection asks `enter`, and tells the entry how it went.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from rota.model.errors import Overloaded

BARREN_A_SECOND = 100.0
"""What an address gets back of its barren connections."""
MOST_SOURCES = 10_000
"""Addresses that are remembered beside those with open connections."""
_TELL_EVERY = 60.0
_logger = logging.getLogger("rota.transport")


@dataclass(frozen=True, slots=True)
class Limits:
    """Durations are seconds."""

    connections: int = 10_000
    per_address: int = 5_000
    """Also how many barren ones an address may open at once."""
    handshake_timeout: float = 10.0
    """For a TLS handshake, and for the head of a request."""
    idle_timeout: float = 60.0
    """For a connection between two requests, and for the body of one."""


class Entry:
    """One connection that was let in."""

    __slots__ = ("_gate", "_source")

    def __init__(self, gate: Gate, source: str) -> None:
        self._gate: Gate | None = gate
        self._source: str | None = source

    def fruitful(self) -> None:
        """Something came of it: it does not count as barren. May be called many times."""
        if self._source is not None and self._gate is not None:
            self._gate.give_back(self._source)
            self._source = None

    def leave(self) -> None:
        """The connection is over. May be called twice."""
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.left(self)


class Gate:
    """`now` answers monotonic seconds. `by_address`: False behind a proxy, whose address is everybody's."""

    def __init__(self, limits: Limits, now: Callable[[], float], *, by_address: bool = True) -> None:
        self.limits = limits
        self._now, self._by_address = now, by_address
        self._entries: dict[Entry, str] = {}
        self._open: Counter[str] = Counter()
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._told_at = -_TELL_EVERY
        self._unsaid = 0
        self.refused = 0
        """Connections that were not let in, since the start."""

    def __len__(self) -> int:
        """How many connections are open."""
        return len(self._entries)

    def enter(self, source: str) -> Entry:
        """Raises Overloaded (`too_many_connections`)."""
        if len(self._entries) >= self.limits.connections:
            raise self._refusal(source, f"this node takes {self.limits.connections} connections, and has them")
        if self._by_address:
            self._check_address(source)
        entry = Entry(self, source)
        self._entries[entry] = source
        self._open[source] += 1
        return entry

    def give_back(self, source: str) -> None:
        """A connection from there was not barren."""
        if source in self._spent:
            spent, at = self._spent[source]
            self._spent[source] = (max(0.0, spent - 1), at)

    def left(self, entry: Entry) -> None:
        """An entry tells of its end."""
        source = self._entries.pop(entry)
        self._open[source] -= 1
        if not self._open[source]:
            del self._open[source]

    def _check_address(self, source: str) -> None:
        most = self.limits.per_address
        if self._open[source] >= most:
            raise self._refusal(source, f"{most} connections are open from this address, as many as it may have")
        now = self._now()
        spent, at = self._spent.get(source, (0.0, now))
        spent = max(0.0, spent - (now - at) * BARREN_A_SECOND)
        if spent >= most:
            self._spent[source] = (spent, now)
            raise self._refusal(source, "this address opens connections and does nothing with them")
        self._spent[source] = (spent + 1, now)
        self._spent.move_to_end(source)
        if len(self._spent) > MOST_SOURCES:
            self._spent.popitem(last=False)

    def _refusal(self, source: str, why: str) -> Overloaded:
        """Told in the log once a minute: a flood of connections is not to be one of lines."""
        self.refused += 1
        now = self._now()
        if now - self._told_at >= _TELL_EVERY:
            more = f" ({self._unsaid} more were refused since the last such line)" if self._unsaid else ""
            _logger.warning("a connection from %s is refused: %s%s", source, why, more)
            self._told_at, self._unsaid = now, 0
        else:
            self._unsaid += 1
        return Overloaded(f"{why}; come again later", code="too_many_connections")
