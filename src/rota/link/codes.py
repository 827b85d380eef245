"""Why a link ends: WebSocket close codes, and the fault that leads to one."""

from __future__ import annotations

from enum import IntEnum


class Close(IntEnum):
    """1000–1011 as RFC 6455 has them; 44xx and 45xx are Rota's, named after the HTTP status they resemble."""

    NORMAL = 1000
    GOING_AWAY = 1001
    """The node drains: reconnect, here or elsewhere."""
    BROKEN_FRAME = 1002
    """What RFC 6455 forbids: an unmasked frame, a reserved bit, a continuation of nothing …"""
    BAD_MESSAGE = 1003
    """A text message where frames are binary."""
    ABNORMAL = 1006
    """The connection broke without a word. Never sent."""
    NOT_TEXT = 1007
    """A text message, or the reason of a close, that is not UTF-8."""
    POLICY = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    BAD_FRAME = 4400
    """Not a frame, or one that does not belong here: before Hello, a second Hello, a worker's frame from a client."""
    NOT_AUTHENTICATED = 4401
    FORBIDDEN = 4403
    UNKNOWN_VERSION = 4406
    SILENT = 4408
    """No Hello in time, or nothing heard for three heartbeats."""
    SUPERSEDED = 4409
    """The same worker connected again; the newer link stays."""
    WORKER_ID_TAKEN = 4410
    """The worker id belongs to another process, which proved it with its session key."""
    FLOW = 4429
    """More was sent than there was credit for."""
    NOT_NOW = 4503
    """The node cannot serve: starting, stopping, or its store is away."""


FINAL = frozenset(
    {Close.NOT_AUTHENTICATED, Close.FORBIDDEN, Close.UNKNOWN_VERSION, Close.SUPERSEDED, Close.WORKER_ID_TAKEN}
)
"""Codes after which coming again as before cannot help."""


class LinkFault(Exception):
    """The other side broke the protocol, or is lost: close with this code."""

    def __init__(self, code: Close, reason: str) -> None:
        super().__init__(f"{code.name.lower()} ({int(code)}): {reason}")
        self.code = code
        self.reason = reason
