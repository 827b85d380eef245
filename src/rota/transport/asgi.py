"""The little of ASGI that the doors need: types, headers, and answers in one shape for every error (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any

from rota.model.errors import Fault, RotaError
from rota.telemetry import request_id
from rota.wire.codec_refusal import look_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

MAX_FAULTS = 100
BY_CODE: dict[str, int] = {
    **dict.fromkeys(
        (
            "invalid_json",
            "too_deep",
            "number_out_of_range",
            "invalid_number",
            "duplicate_key",
            "invalid_unicode",
            "invalid_id",
            "invalid_address",
            "invalid_idempotency_key",
        ),
        400,
    ),
    "method_not_allowed": 405,
    "body_too_large": 413,
    "batch_too_large": 413,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "unsupported_encoding": 415,
    "parent_not_found": 422,
}
"""Statuses of codes that HTTP has a word of its own for; the others are their error's kind's."""
FRUITFUL = "rota.fruitful"
"""The extension by which a server is told that a connection was good for something."""
CUT = "rota.cut"
"""The extension by which a connection is ended at once, whatever the other side has not read."""
WHOLE = "rota.whole"
"""The extension by which an answer is sent in one write: (status, header lines, body, closes) → whether it was."""
DIGESTED = "rota.digested"
"""The extension by which a server is told that nothing is kept of a request's body any more, though its answer is yet to come."""
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


def problem(
    status: int,
    code: str,
    detail: str,
    extra: Iterable[Header] = (),
    errors: Iterable[Fault] = (),
    *,
    closes: bool = True,
) -> Answer:
    """One error: its stable code, a sentence for people, and the wrong places of an input.

    `closes`: the connection ends with it, read or unread; for a request of which not all was read it must.
    """
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id.current(),
        "errors": [{"path": each.path, "code": each.code, "message": each.message} for each in errors],
    }
    end: tuple[Header, ...] = ((b"connection", b"close"),) if closes else ()
    text = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Answer(status, text, "application/problem+json", [*end, *extra])


def problem_of(error: RotaError, *, prompt: bool = False, closes: bool = True) -> Answer:
    """An error of the model. `prompt`: a browser shall ask its user for the token, as a password."""
    look = look_of(error)
    status = BY_CODE.get(error.code, look.http)
    extra: list[Header] = []
    if status == HTTPStatus.UNAUTHORIZED:
        extra.append((b"www-authenticate", b'Bearer, Basic realm="rota"' if prompt else b"Bearer"))
    if look.retry_after:
        extra.append((b"retry-after", str(-(-look.retry_after // 1_000_000)).encode()))
    return problem(status, error.code, error.detail, extra, error.errors[:MAX_FAULTS], closes=closes)
