"""Takes connections from a listening socket, no faster than the node can bear, and refuses those the gate does not let in.

Where the process or the system is out of descriptors, the listener rests and tries again; connections wait in the
system's queue meanwhile, and open ones are not touched. A loop's own server would spin, log each try, or drop them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable

from rota.access.source import source_of
from rota.model.errors import Overloaded
from rota.transport.gate import Entry, Gate

AT_ONCE = 16
"""Connections taken in one turn of the loop."""
BREATH = 0.005
"""Seconds until the next turn where more are waiting: a flood gets a share of the loop, and not all of it."""
REST = 1.0
"""Seconds until the next try where no descriptor is left."""
_TELL_EVERY = 60.0
_MOST_SOURCES = 1_000
_logger = logging.getLogger("rota.transport")


class Acceptor:
    """`make` gives the protocol of a connection that was let in; `refuse` the bytes for one that was not."""

    def __init__(
        self,
        listener: socket.socket,
        gate: Gate,
        make: Callable[[Entry], asyncio.Protocol],
        refuse: Callable[[Overloaded], bytes],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._listener, self._gate, self._make, self._refuse = listener, gate, make, refuse
        self.tls = tls
        """What connections speak that are taken from now on."""
        self._failed: dict[str, float] = {}
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._told_at = -_TELL_EVERY
        self._starved = False

    def start(self) -> None:
        """The listener does not block."""
        self._loop.add_reader(self._listener, self._take_some)

    def close(self) -> None:
        """Takes nothing more. May be called twice."""
        self._loop.remove_reader(self._listener)
        if self._timer is not None:
            self._timer.cancel()
        for task in self._serving:
            task.cancel()

    def _take_some(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._starve(error)
                return
            self._starved = False
            self._take(connection, str(address[0]))
        self._rest(BREATH)

    def _take(self, connection: socket.socket, address: str) -> None:
        connection.setblocking(False)
        try:
            entry = self._gate.enter(source_of(address))
        except Overloaded as error:
            self._turn_away(connection, error)
            return
        task = self._loop.create_task(self._serve(connection, entry, address))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, connection: socket.socket, entry: Entry, address: str) -> None:
        patience = self._gate.limits.handshake_timeout if self.tls is not None else None
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(
                lambda: self._make(entry),
                connection,
                ssl=self.tls,
                ssl_handshake_timeout=patience,
                ssl_shutdown_timeout=patience,
            )
        except OSError as error:
            self._tell_of_failure(address, error)
            entry.leave()
            connection.close()
        except BaseException:
            entry.leave()
            connection.close()
            raise

    def _turn_away(self, connection: socket.socket, error: Overloaded) -> None:
        """Says why, as far as that goes without waiting. What came unread would turn the end into a reset: it is read."""
        with connection, contextlib.suppress(OSError):
            if self.tls is None:
                connection.send(self._refuse(error))
                connection.recv(65_536)

    def _tell_of_failure(self, address: str, error: OSError) -> None:
        """A failed handshake is told once a minute of each source: plain HTTP on a TLS port, a certificate that is not good."""
        now, source = self._loop.time(), source_of(address)
        if not isinstance(error, ssl.SSLError) or now - self._failed.get(source, -_TELL_EVERY) < _TELL_EVERY:
            _logger.debug("a connection was not made: %s", error)
            return
        if len(self._failed) >= _MOST_SOURCES:
            self._failed.clear()
        self._failed[source] = now
        _logger.warning("a TLS handshake with %s failed: %s", source, error.reason or error)

    def _starve(self, error: OSError) -> None:
        now = self._loop.time()
        if not self._starved and now - self._told_at >= _TELL_EVERY:
            _logger.error(
                "no connection can be taken (%s): %d are open; new ones wait until some end. "
                "Raise the limit of open files: LimitNOFILE= in the service, or ulimit -n",
                error.strerror,
                len(self._gate),
            )
            self._told_at = now
        self._starved = True
        self._rest(REST)

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._timer = self._loop.call_later(seconds, self.start)
