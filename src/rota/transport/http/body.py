"""Bodies on their way in: their kind, their size, and an early end for what is too large."""

from __future__ import annotations

from rota.model.errors import InvalidInput
from rota.transport.asgi import DIGESTED, Receive, Scope, header, headers

_CHARSETS = frozenset({"", "charset=utf-8", 'charset="utf-8"'})


READ = "rota.read"
"""In the scope: the whole body has been read."""


class Gone(Exception):
    """The caller went away while it was still talking; nobody is there to be answered."""


def has_body(scope: Scope) -> bool:
    """Whether the head announces one."""
    return header(scope, b"transfer-encoding") is not None or (header(scope, b"content-length") or "0") != "0"


def check_kind(scope: Scope) -> None:
    """Raises InvalidInput (`unsupported_media_type`, `unsupported_encoding`) for all but plain JSON.

    Forms and texts, which pages of other sites may send without asking, are thereby out, and so is multipart.
    """
    encoding = header(scope, b"content-encoding")
    if encoding is not None and encoding.strip().lower() != "identity":
        raise InvalidInput.at(
            "Content-Encoding", "unsupported_encoding", f"{encoding[:40]!r} is not taken; send the body as it is"
        )
    said = headers(scope, b"content-type")
    if said == ["application/json"]:
        return
    kind, _, parameter = (said[0] if len(said) == 1 else "").partition(";")
    if kind.strip().lower() != "application/json" or parameter.strip().lower() not in _CHARSETS:
        shown = repr(said[0][:60]) if said else "nothing"
        raise InvalidInput.at(
            "Content-Type", "unsupported_media_type", f"must be application/json (in UTF-8), not {shown}"
        )


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """All of it. Raises InvalidInput (`body_too_large`) as soon as that is known, and Gone."""
    length = header(scope, b"content-length")
    if length is not None and length.isdecimal() and int(length[:20]) > limit:
        raise _too_large(limit)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        scope[READ] = True
        if len(message["body"]) > limit:
            raise _too_large(limit)
        return message["body"]
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise Gone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body"):
            scope[READ] = True
            return b"".join(chunks)
        message = await receive()


def digested(scope: Scope) -> None:
    """To be called before a long wait: of the body nothing is kept any more. Other ends of requests need not be told."""
    done = scope.get("extensions", {}).get(DIGESTED)
    if done is not None:
        done()


def _too_large(limit: int) -> InvalidInput:
    return InvalidInput.at("", "body_too_large", f"the body is over {limit} bytes, which is as much as is taken here")
