"""The HTTP listener: uvicorn inside the running loop. Signals, logs and the order of stopping are the house's."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from http import HTTPStatus
from pathlib import Path

import uvicorn

from rota.life.clock import SystemClock
from rota.model.errors import Overloaded, RefusesToStart
from rota.transport.acceptor import Acceptor
from rota.transport.asgi import problem_of
from rota.transport.bodies import Bodies
from rota.transport.gate import Entry, Gate, Limits
from rota.transport.http_app import HttpApp
from rota.transport.http_protocol import BoundedHttp
from rota.transport.tls import OFF, TlsFiles
from rota.transport.websocket_protocol import BoundedWebSocket

BACKLOG = 4_096
STOP_WITHIN = 3
"""Seconds that requests under way have at the stop."""


class HttpServer:
    """`start` once, `stop` any number of times. After the start `port` is the real one, also where 0 was asked for."""

    def __init__(
        self,
        app: HttpApp,
        host: str,
        port: int,
        *,
        max_frame: int,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        tls_client_ca: Path | None = None,
        tls_client_auth: str = OFF,
        gate: Gate | None = None,
    ) -> None:
        """`gate`: one that several doors share, or one of its own. `tls_client_auth`: off, optional or required, where
        `tls_client_ca` says whose certificates are good."""
        self.host, self.port = host, port
        self._app, self._max_frame = app, max_frame
        self._tls_cert, self._tls_key = tls_cert, tls_key
        self._client_auth = tls_client_ca, tls_client_auth
        self._gate = gate if gate is not None else Gate(Limits(), SystemClock().monotonic)
        self._server: uvicorn.Server | None = None
        self._acceptor: Acceptor
        self._sockets: list[socket.socket] = []

    @property
    def url(self) -> str:
        """How a client on this machine reaches it."""
        scheme = "https" if self._tls_cert else "http"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    async def start(self) -> None:
        """Raises RefusesToStart (`port_in_use`, `cannot_bind`, `bad_tls`)."""
        config, tls = self._config(), self._tls()
        self._sockets = [bind(self.host, self.port)]
        self.port = self._sockets[0].getsockname()[1]
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        server.servers = []
        bodies = Bodies()

        def protocol(entry: Entry) -> asyncio.Protocol:
            return BoundedHttp(config, server.server_state, server.lifespan.state, entry, self._gate.limits, bodies)

        self._acceptor = Acceptor(self._sockets[0], self._gate, protocol, _refusal, tls)
        self._acceptor.start()
        self._server = server

    async def stop(self) -> None:
        """Takes nothing new, and lets requests under way end within `STOP_WITHIN` seconds. Links are closed before."""
        server, self._server = self._server, None
        if server is not None:
            self._acceptor.close()
            await server.shutdown(sockets=self._sockets)

    def renew_tls(self) -> None:
        """Reads the certificate, the key and the authority anew, for connections from now on. Raises RefusesToStart
        (`bad_tls`): then all stays as it was."""
        if self._server is not None:
            self._acceptor.tls = self._tls()

    def _tls(self) -> ssl.SSLContext | None:
        files = TlsFiles.of(self._tls_cert, self._tls_key, *self._client_auth)
        return None if files is None else files.context()

    def _config(self) -> uvicorn.Config:
        config = uvicorn.Config(
            self._app,  # type: ignore[arg-type]
            http=BoundedHttp,
            ws=BoundedWebSocket,
            ws_max_size=self._max_frame,
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            log_level="error",  # it warns of every bad request, and whoever sends those would fill the log
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=self._gate.limits.idle_timeout,  # type: ignore[arg-type]
            timeout_graceful_shutdown=STOP_WITHIN,
        )
        config.load()
        return config


def _refusal(error: Overloaded) -> bytes:
    """What a connection gets that is not let in, whatever it asks."""
    answer = problem_of(error)
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}".encode()]
    lines += [name + b": " + value for name, value in answer.headers]
    return b"\r\n".join([*lines, b"", answer.body])


def bind(host: str, port: int, flag: str = "--http-port") -> socket.socket:
    """A bound socket that nobody shares; `flag` names another port. Raises RefusesToStart (`port_in_use`, `cannot_bind`)."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
    except OSError as error:
        raise _cannot_bind(host, port, flag, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_bind(host, port, flag, error) from error
    listener.setblocking(False)
    return listener


def check_tls(cert: Path | None, key: Path | None) -> None:
    """Raises RefusesToStart (`bad_tls`) for a pair that does not fit, or a key that others may read."""
    files = TlsFiles.of(cert, key)
    if files is None:
        raise RefusesToStart("TLS needs both --tls-cert and --tls-key", code="bad_tls")
    files.context()


def _cannot_bind(host: str, port: int, flag: str, error: OSError) -> RefusesToStart:
    place = f"{host or '*'}:{port}"
    if error.errno == errno.EADDRINUSE:
        return RefusesToStart(
            f"{place} is in use by another program; stop it, or listen elsewhere with {flag} PORT",
            code="port_in_use",
        )
    return RefusesToStart(f"cannot listen on {place}: {error.strerror or error}", code="cannot_bind")
