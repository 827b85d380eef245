"""The HTTP listener: uvicorn inside the running loop. Signals, logs and the order of stopping are the house's."""

from __future__ import annotations

import errno
import socket
import ssl
from pathlib import Path

import uvicorn

from rota.access.secret_file import check_private
from rota.model.errors import RefusesToStart
from rota.transport.http_app import HttpApp
from rota.transport.http_protocol import AbortableWebSocket, BoundedHttp

BACKLOG = 4_096
STOP_WITHIN = 3
"""Seconds that requests under way have at the stop."""
_KEEP_ALIVE = 30


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
    ) -> None:
        self.host, self.port = host, port
        self._app, self._max_frame = app, max_frame
        self._tls_cert, self._tls_key = tls_cert, tls_key
        self._server: uvicorn.Server | None = None
        self._sockets: list[socket.socket] = []

    @property
    def url(self) -> str:
        """How a client on this machine reaches it."""
        scheme = "https" if self._tls_cert else "http"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    async def start(self) -> None:
        """Raises RefusesToStart (`port_in_use`, `cannot_bind`, `bad_tls`)."""
        config = self._config()
        self._sockets = [bind(self.host, self.port)]
        self.port = self._sockets[0].getsockname()[1]
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=self._sockets)
        self._server = server

    async def stop(self) -> None:
        """Takes nothing new, and lets requests under way end within `STOP_WITHIN` seconds. Links are closed before."""
        server, self._server = self._server, None
        if server is not None:
            await server.shutdown(sockets=self._sockets)

    def _config(self) -> uvicorn.Config:
        if self._tls_cert or self._tls_key:
            check_tls(self._tls_cert, self._tls_key)
        config = uvicorn.Config(
            self._app,  # type: ignore[arg-type]
            http=BoundedHttp,
            ws=AbortableWebSocket,
            ws_max_size=self._max_frame,
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=STOP_WITHIN,
            ssl_certfile=self._tls_cert,
            ssl_keyfile=self._tls_key,
        )
        config.load()
        return config


def bind(host: str, port: int) -> socket.socket:
    """A bound socket that nobody shares. Raises RefusesToStart (`port_in_use`, `cannot_bind`)."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
    except OSError as error:
        raise _cannot_bind(host, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_bind(host, port, error) from error
    listener.setblocking(False)
    return listener


def check_tls(cert: Path | None, key: Path | None) -> None:
    """Raises RefusesToStart (`bad_tls`) for a pair that does not fit, or a key that others may read."""
    if cert is None or key is None:
        raise RefusesToStart("TLS needs both --tls-cert and --tls-key", code="bad_tls")
    check_private(key, "TLS key", "bad_tls")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key)
    except OSError as error:
        raise RefusesToStart(f"the certificate {cert} and key {key} cannot be used: {error}", code="bad_tls") from error


def _cannot_bind(host: str, port: int, error: OSError) -> RefusesToStart:
    place = f"{host or '*'}:{port}"
    if error.errno == errno.EADDRINUSE:
        return RefusesToStart(
            f"{place} is in use by another program; stop it, or listen elsewhere with --http-port PORT",
            code="port_in_use",
        )
    return RefusesToStart(f"cannot listen on {place}: {error.strerror or error}", code="cannot_bind")
