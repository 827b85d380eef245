"""What is checked of every request and handshake before anything is done: where it comes from, and who it is."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from rota.access.bind import is_loopback
from rota.access.source import source_of
from rota.transport.asgi import Answer, Scope, header, headers, problem

_HOST = re.compile(r"(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?\.?))(?::[0-9]{1,5})?")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CERTIFICATE = "rota.certificate"
"""The extension by which a server tells the URIs in the certificate that a caller has proved to have."""
TOKEN_PARAMETERS = frozenset({"token", "access_token", "api_key", "apikey", "authorization"})


@dataclass(frozen=True, slots=True)
class Names:
    """By which names a node may be called; any other means that somebody made a foreign name lead here (DNS rebinding)."""

    own: frozenset[str] | None
    """In small letters, `*.` may stand before one. None: any name will do."""
    addresses: bool = False
    """Any address will do as well: nobody can make one lead elsewhere."""
    origins: frozenset[str] = frozenset()
    """Of pages that may ask for changes although the Host is another, as where a proxy puts in its own."""

    def __contains__(self, host: str) -> bool:
        if self.own is None or host in self.own or is_loopback(host):
            return True
        if _is_address(host):
            return self.addresses
        return f"*.{host.partition('.')[2]}" in self.own


def own_names(
    host: str, allowed: Iterable[str] = (), certified: Iterable[str] = (), *, behind_proxy: bool = False
) -> Names:
    """`allowed`: said by a person; `certified`: in the node's certificate. A node behind a proxy is called by the names that
    the proxy lets through, unless some are said."""
    said = frozenset(name.lower() for name in allowed)
    if behind_proxy and not said:
        return Names(None)
    own = said | {"localhost", host.lower().strip("[]"), socket.gethostname().lower()}
    if is_loopback(host) and not behind_proxy:
        return Names(own)
    origins = frozenset(f"https://{name}" for name in said) if behind_proxy else frozenset()
    return Names(own | {name.lower() for name in certified}, addresses=True, origins=origins)


def check_request(scope: Scope, names: Names) -> Answer | None:
    """What is asked of every request and handshake, before anybody asks who it is from. None: it may go on.

    It looks at the raw path and headers alone: no address is put together from what the caller says.
    """
    if (refusal := check_host(scope, names) or check_query(scope)) is not None:
        return refusal
    if scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS:
        return check_origin(scope, names)
    return None


def check_host(scope: Scope, names: Names) -> Answer | None:
    said = headers(scope, b"host")
    if len(said) != 1 or (host := _host_of(said[0])) is None:
        return problem(400, "bad_host", "a request has one Host header, with a name or an address in it")
    if host in names:
        return None
    return problem(
        421, "foreign_host", "this node is not called by that name: call it by its own, or set allowed_hosts to add one"
    )


def check_origin(scope: Scope, names: Names) -> Answer | None:
    """Pages of other sites may change nothing, and open no link. Programs, which say no Origin, may."""
    if header(scope, b"sec-fetch-site") not in (None, "same-origin", "none"):
        return problem(403, "foreign_origin", "a page of another site may not do this")
    said = [origin.lower() for origin in headers(scope, b"origin")]
    if not said:
        return None
    host = (header(scope, b"host") or "").lower()
    if len(said) == 1 and (said[0] in (f"http://{host}", f"https://{host}") or said[0] in names.origins):
        return None
    return problem(403, "foreign_origin", "a page of another origin may not do this")


def check_query(scope: Scope) -> Answer | None:
    """A token in an address ends up in logs and histories."""
    if not scope["query_string"]:
        return None
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


def certificate(scope: Scope) -> frozenset[str] | None:
    """The URIs in the caller's certificate; None where it has shown none."""
    return scope.get("extensions", {}).get(CERTIFICATE)


def source(scope: Scope) -> str:
    """Where the caller comes from; "" where the server does not know."""
    client = scope.get("client")
    return source_of(client[0]) if client else ""


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _host_of(value: str) -> str | None:
    """Without the port: `[::1]:8080` → `::1`. None for what is no host."""
    found = _HOST.fullmatch(value.strip().lower())
    return None if found is None else (found[1] or found[2].rstrip("."))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
