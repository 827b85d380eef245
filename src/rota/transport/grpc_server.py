"""The gRPC listener, in the running loop. Who may call what is the door's; when to stop is the house's.

The library reads its settings from the environment when it is first imported: import this module before any other that
needs it.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

# The library's own log of broken handshakes would let anybody who can reach the port fill the node's.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
import grpc.aio

from rota.link.channel import MAX_FRAME
from rota.model.errors import RefusesToStart
from rota.transport.gate import Limits
from rota.transport.grpc_door import GrpcDoor
from rota.transport.http_server import bind
from rota.transport.tls import OFF, REQUIRED, TlsFiles

__all__ = ["GrpcDoor", "GrpcServer"]

FLAG = "--grpc-port"
MAX_CALLS, MAX_STREAMS = 5_000, 1_000
"""Calls at a time, and those of one connection; each is a task of the loop at the least."""
MAX_METADATA = 16 * 1024
PING_AT_LEAST = 10_000
"""Milliseconds between two pings of a client; one that sends them faster is told to go away."""
ALIVE_EVERY, ALIVE_WITHIN = 30_000, 10_000
"""Milliseconds: a connection on which nothing moves is asked for a sign of life, and ended without it."""
STOP_WITHIN = 3.0
"""Seconds that calls under way have at the stop."""

_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_FRAME),
    ("grpc.max_send_message_length", MAX_FRAME),
    ("grpc.max_concurrent_streams", MAX_STREAMS),
    ("grpc.max_metadata_size", MAX_METADATA // 2),
    ("grpc.absolute_max_metadata_size", MAX_METADATA),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", PING_AT_LEAST),
    ("grpc.http2.max_ping_strikes", 2),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", ALIVE_EVERY),
    ("grpc.keepalive_timeout_ms", ALIVE_WITHIN),
    ("grpc.http2.max_pings_without_data", 0),
)


class GrpcServer:
    """`start` once, `stop` any number of times. After the start `port` is the real one, also where 0 was asked for."""

    def __init__(
        self,
        door: GrpcDoor,
        host: str,
        port: int,
        *,
        limits: Limits | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        tls_client_ca: Path | None = None,
        tls_client_auth: str = OFF,
    ) -> None:
        """Of the limits, the durations and how many connections there may be, which are counted apart from those of the HTTP
        port. The library does not let them be counted by their address. It cannot ask for a certificate
        without asking for it of all: with `optional` nobody is asked here."""
        self.host, self.port = host, port
        self._door, self._limits = door, limits or Limits()
        self._tls_cert, self._tls_key = tls_cert, tls_key
        self._client_auth = tls_client_ca, tls_client_auth
        self._fresh: grpc.ServerCertificateConfiguration | None = None
        self._server: grpc.aio.Server | None = None

    @property
    def address(self) -> str:
        """How a client on this machine reaches it: host:port."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        return f"{f'[{host}]' if ':' in host else host}:{self.port}"

    async def start(self) -> None:
        """Raises RefusesToStart (`port_in_use`, `cannot_bind`, `bad_tls`)."""
        credentials = self._credentials()
        place = self._free_place()
        options = (
            *_OPTIONS,
            ("grpc.server_handshake_timeout_ms", int(self._limits.handshake_timeout * 1_000)),
            ("grpc.max_connection_idle_ms", int(self._limits.idle_timeout * 1_000)),
            ("grpc.max_allowed_incoming_connections", self._limits.connections),
        )
        server = grpc.aio.server(options=options, maximum_concurrent_rpcs=MAX_CALLS)
        server.add_generic_rpc_handlers((self._door,))
        try:
            if credentials is None:
                self.port = server.add_insecure_port(place)
            else:
                self.port = server.add_secure_port(place, credentials)
        except RuntimeError as error:
            raise RefusesToStart(f"cannot listen on {place} for gRPC: {error}", code="cannot_bind") from error
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Takes nothing new, ends what waits, and lets the rest end within `STOP_WITHIN` seconds. Links are closed before."""
        server, self._server = self._server, None
        if server is not None:
            self._door.drain()
            await server.stop(STOP_WITHIN)

    def renew_tls(self) -> None:
        """As HttpServer.renew_tls."""
        if self._server is not None:
            self._fresh = self._certificates()

    def _credentials(self) -> grpc.ServerCredentials | None:
        first = self._certificates()
        if first is None:
            return None
        required = self._client_auth[1] == REQUIRED and self._client_auth[0] is not None
        return grpc.dynamic_ssl_server_credentials(first, self._take_fresh, require_client_authentication=required)

    def _take_fresh(self) -> Any:
        """The library asks at each handshake, in a thread of its own; None: nothing is new. (Its types do not know that.)"""
        fresh, self._fresh = self._fresh, None
        return fresh

    def _certificates(self) -> grpc.ServerCertificateConfiguration | None:
        files = TlsFiles.of(self._tls_cert, self._tls_key, *self._client_auth)
        if files is None:
            return None
        files.context()  # it says what is wrong with them, which the library does not
        authority = None if files.client_ca is None else files.client_ca.read_bytes()
        return grpc.ssl_server_certificate_configuration(
            [(files.key.read_bytes(), files.cert.read_bytes())], root_certificates=authority
        )

    def _free_place(self) -> str:
        """As numbers. The library says only that it could not bind, and not why; a socket of our own does."""
        try:
            probe = bind(self.host, self.port, FLAG)
        except RefusesToStart as error:
            raise RefusesToStart(f"{error.detail}, or do without gRPC: --grpc off", code=error.code) from error
        family, address = probe.family, probe.getsockname()
        probe.close()
        return f"[{address[0]}]:{self.port}" if family == socket.AF_INET6 else f"{address[0]}:{self.port}"
