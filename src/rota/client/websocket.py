"""The link's carrier over the network: a WebSocket with binary messages, by picows.

What goes wrong while dialling is told in one sentence with the way out: CannotConnect, or NotAuthenticated and Forbidden
where the node refuses the token.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from http import HTTPStatus

from picows import WSCloseCode, WSError, WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect

from rota.client.address import link_url
from rota.link.carrier import Receiver
from rota.link.codes import Close
from rota.model.errors import CannotConnect, Forbidden, NotAuthenticated, RotaError

CONNECT_TIMEOUT = 5.0
CLOSE_TIMEOUT = 1.0
MAX_MESSAGE = 64 * 1024 * 1024
"""Guards memory only; the channel holds the node to the size of a frame."""


async def dial_websocket(
    url: str, token: str | None, receiver: Receiver, tls: ssl.SSLContext | None = None
) -> WebSocketCarrier:
    """Opens a link's carrier to the node at `url` (`http` or `https`). `tls`: None: as the system trusts.

    Raises CannotConnect (refused, no such host, TLS, time, not a node), NotAuthenticated (401) or Forbidden (403).
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, carrier = await ws_connect(
                lambda: WebSocketCarrier(receiver),
                link_url(url),
                max_frame_size=MAX_MESSAGE,
                max_redirects=0,
                websocket_handshake_timeout=CONNECT_TIMEOUT,
                ssl_context=tls if url.startswith("https:") else None,
                extra_headers={"Authorization": f"Bearer {token}"} if token else None,
            )
    except WSHandshakeError as error:
        raise _refused(url, error) from error
    except (OSError, TimeoutError, WSError, UnicodeError) as error:
        raise CannotConnect(f"{url}: {_cause(error)}") from error
    if not isinstance(carrier, WebSocketCarrier):  # picows gives none where the other side hung up without an answer
        guess = "does it ask for a certificate (tls_client_cert)?" if url.startswith("https:") else "is it https://?"
        raise CannotConnect(f"{url}: closed the connection without an answer: {guess}")
    return carrier


class WebSocketCarrier(WSListener):
    """One WebSocket, from the client's side."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._transport: WSTransport | None = None
        self._parts: list[bytes] = []
        self._ending: tuple[int, str] | None = None
        self._closing = False

    def write(self, message: bytes) -> None:
        if self._transport is not None and not self._closing:
            self._transport.send(WSMsgType.BINARY, message)

    def close(self, code: int, reason: str) -> None:
        if self._transport is None or self._closing:
            return
        self._ending = self._ending or (code, reason)
        self._say_close(code, reason)
        asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self._transport.disconnect, False)

    @property
    def buffered(self) -> int:
        return self._transport.underlying_transport.get_write_buffer_size() if self._transport is not None else 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == WSMsgType.BINARY and frame.fin and not self._parts:
            self._receiver.message(frame.get_payload_as_bytes())
        elif kind in (WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self._part(frame)
        elif kind == WSMsgType.CLOSE:
            self._told_to_close(frame.get_payload_as_bytes())
        elif kind == WSMsgType.TEXT:
            self.close(Close.BAD_MESSAGE, "a text message where frames are binary")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        was_open, self._transport = self._transport is not None, None
        if was_open:
            code, reason = self._ending or (Close.ABNORMAL, "the connection broke")
            self._receiver.closed(int(code), reason)

    def _part(self, frame: WSFrame) -> None:
        self._parts.append(frame.get_payload_as_bytes())
        if sum(map(len, self._parts)) > MAX_MESSAGE:
            self.close(Close.TOO_BIG, "a message beyond all limits")
        elif frame.fin:
            whole = b"".join(self._parts)
            self._parts.clear()
            self._receiver.message(whole)

    def _told_to_close(self, payload: bytes) -> None:
        code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else int(Close.NORMAL)
        self._ending = self._ending or (code, payload[2:].decode("utf-8", "replace"))
        transport = self._transport
        if transport is not None:
            if not self._closing:
                self._say_close(code, "")
            transport.disconnect()

    def _say_close(self, code: int, reason: str) -> None:
        self._closing = True
        assert self._transport is not None  # noqa: S101  # both callers have looked
        self._transport.send_close(_wire_code(code), reason.encode("utf-8")[:120].decode("utf-8", "ignore"))


def _wire_code(code: int) -> WSCloseCode:
    # picows takes any number here; its types know the registered ones alone.
    return code  # pyrefly: ignore[bad-return]


def _refused(url: str, error: WSHandshakeError) -> RotaError:
    status = int(error.response.status) if error.response is not None else 0
    if status == HTTPStatus.UNAUTHORIZED:
        return NotAuthenticated(f"{url} asks for a token, or does not know this one: give token= or set ROTA_TOKEN")
    if status == HTTPStatus.FORBIDDEN:
        return Forbidden(f"{url} does not let this token in: its roles do not allow the link")
    if 300 <= status < 400:
        target = error.response.headers.get("Location", "elsewhere") if error.response is not None else "elsewhere"
        return CannotConnect(f"{url} redirects to {target}: give that address as the url")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return CannotConnect(f"{url} makes this address wait: too many wrong tokens came from it within a minute")
    if status >= 500:
        return CannotConnect(
            f"{url} answers HTTP {status}: the node, or the proxy before it, is not ready, or has too many connections"
        )
    answer = f"HTTP {status}" if status else "something that is not HTTP"
    return CannotConnect(f"{url} answers {answer} where a Rota node opens its link: is it the HTTP address of a node?")


def _cause(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}): set ROTA_TLS_CA to your authority's file"
    if isinstance(error, ssl.SSLError) and "CERTIFICATE_REQUIRED" in (error.reason or ""):
        return "it asks for a client certificate: set ROTA_TLS_CLIENT_CERT and ROTA_TLS_CLIENT_KEY"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error}): is it http:// rather than https://?"
    if isinstance(error, socket.gaierror):
        return f"there is no such host ({error.strerror or error})"
    if isinstance(error, ConnectionRefusedError):
        return "refused, nothing listens there"
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_TIMEOUT:.0f} s"
    return str(error) or type(error).__name__
