"""What is checked of every request and handshake before anything is done: where it comes from, and who it is."""

from __future__ import annotations

import base64
import binascii
import socket
from urllib.parse import parse_qsl, urlsplit

from rota.access.bind import is_loopback
from rota.access.source import source_of
from rota.transport.asgi import Answer, Scope, header, headers, problem

TOKEN_PARAMETERS = frozenset({"token", "access_token", "api_key", "apikey", "authorization"})


def own_names(host: str) -> frozenset[str]:
    """The names by which a node that listens on loopback may be called: others mean DNS rebinding."""
    return frozenset({"localhost", host.lower().strip("[]"), socket.gethostname().lower()})


def check_host(scope: Scope, names: frozenset[str] | None) -> Answer | None:
    """`names`: None for a node that may be called by any name."""
    said = headers(scope, b"host")
    if len(said) != 1:
        return problem(400, "bad_host", "a request has one Host header")
    if names is None or (host := _host_of(said[0])) in names or is_loopback(host):
        return None
    return problem(421, "foreign_host", "this node listens on loopback; call it by localhost or 127.0.0.1")


def check_origin(scope: Scope) -> Answer | None:
    """Pages of other sites may not open links. Programs, which say no Origin, may."""
    if header(scope, b"sec-fetch-site") == "cross-site":
        return problem(403, "foreign_origin", "a page of another site may not open a link")
    origin = header(scope, b"origin")
    if origin is None or urlsplit(origin).netloc.lower() == (header(scope, b"host") or "").lower():
        return None
    return problem(403, "foreign_origin", "a page of another origin may not open a link")


def check_query(scope: Scope) -> Answer | None:
    """A token in an address ends up in logs and histories."""
    names = {name.lower() for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)}
    if names.isdisjoint(TOKEN_PARAMETERS):
        return None
    return problem(
        400, "token_in_query", "a token does not belong in an address: send `Authorization: Bearer TOKEN`, or in Hello"
    )


def presented(scope: Scope) -> str | None:
    """The token of the Authorization header: a Bearer's, or a Basic password. "" for what cannot be one, None for none."""
    said = headers(scope, b"authorization")
    if not said:
        return None
    scheme, _, rest = said[0].partition(" ")
    if len(said) > 1:
        return ""
    if scheme.lower() == "basic":
        return _password(rest.strip())
    return rest.strip() if scheme.lower() == "bearer" else ""


def source(scope: Scope) -> str:
    """Where the caller comes from; "" where the server does not know."""
    client = scope.get("client")
    return source_of(client[0]) if client else ""


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _host_of(value: str) -> str:
    """Without the port: `[::1]:8080` → `::1`. What is no host gives "", which is nobody's name."""
    bare = value.strip().lower()
    if bare.startswith("["):
        return bare[1:].partition("]")[0]
    return bare.partition(":")[0]
