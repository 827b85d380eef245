"""What the HTTP server lends to the application, as extensions of ASGI: ends and answers that ASGI has no words for."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from rota.transport.http_guards import CERTIFICATE

_NO_LINGER = struct.pack("ii", 1, 0)


def cut_off(transport: asyncio.Transport) -> None:
    """At once: what the other side has not taken is thrown away, the operating system's part of it too."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def answer_whole(
    cycle: RequestResponseCycle, linger: Callable[[], None], status: int, head: bytes, body: bytes, closes: bool
) -> bool:
    """Head and body in one write, as `RequestResponseCycle.send` would in two. False: it has to be sent by that.

    `head`: header lines, each with its end, the length of the body among them.
    """
    if cycle.flow.write_paused or cycle.response_started:
        return False
    if cycle.disconnected:
        return True
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.keep_alive = cycle.keep_alive and not closes
    end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
    cycle.transport.write(b"".join((STATUS_LINE[status], head, end, body)))
    cycle.message_event.set()
    if not cycle.keep_alive and cycle.more_body and cycle.transport.can_write_eof():
        linger()
    elif not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


def certificate(transport: asyncio.BaseTransport) -> dict[str, Any]:
    """The extension that tells what URIs the other side's certificate holds, where it has shown one that is good."""
    shown = transport.get_extra_info("peercert")
    if not shown:
        return {}
    return {CERTIFICATE: frozenset(value for kind, value in shown.get("subjectAltName", ()) if kind == "URI")}
