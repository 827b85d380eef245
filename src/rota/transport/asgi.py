"""The little of ASGI that the doors need: types, headers, and answers in one shape for every error (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any

from rota.model.errors import RotaError
from rota.wire.codec_refusal import look_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

FRUITFUL = "rota.fruitful"
"""The extension by which a server is told that a connection was good for something."""
SAFE: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""What every answer says."""


def headers(scope: Scope, name: bytes) -> list[str]:
    """Every value of a header."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def header(scope: Scope, name: bytes) -> str | None:
    """The first value of a header."""
    return next(iter(headers(scope, name)), None)


class Answer:
    """A whole HTTP answer."""

    def __init__(
        self, status: int, body: bytes, media_type: str, extra: Iterable[Header] = (), safe: Iterable[Header] = SAFE
    ) -> None:
        self.status, self.body = status, body
        self.headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(body)).encode()),
            *safe,
            *extra,
        ]

    async def send(self, scope: Scope, send: Send) -> None:
        """As an answer to a request, or to a WebSocket's handshake."""
        prefix = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
        body = b"" if scope.get("method") == "HEAD" else self.body
        await send({"type": f"{prefix}.start", "status": self.status, "headers": self.headers})
        await send({"type": f"{prefix}.body", "body": body})


def json_answer(value: object, status: int = 200, extra: Iterable[Header] = ()) -> Answer:
    return Answer(status, json.dumps(value, ensure_ascii=False).encode(), "application/json", extra)


def problem(status: int, code: str, detail: str, extra: Iterable[Header] = ()) -> Answer:
    """One error: its stable code, and a sentence for people. The connection ends with it, read or unread."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}
    return Answer(
        status,
        json.dumps(body, ensure_ascii=False).encode(),
        "application/problem+json",
        [(b"connection", b"close"), *extra],
    )


def problem_of(error: RotaError, *, prompt: bool = False) -> Answer:
    """An error of the model. `prompt`: a browser shall ask its user for the token, as a password."""
    look = look_of(error)
    extra: list[Header] = []
    if look.http == HTTPStatus.UNAUTHORIZED:
        extra.append((b"www-authenticate", b'Bearer, Basic realm="rota"' if prompt else b"Bearer"))
    if look.retry_after:
        extra.append((b"retry-after", str(-(-look.retry_after // 1_000_000)).encode()))
    return problem(look.http, error.code, error.detail, extra)
