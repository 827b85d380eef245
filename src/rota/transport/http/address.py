"""Addresses into parts, decoded once, and parts to routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes

from rota.model.errors import InvalidInput
from rota.transport.asgi import Scope
from rota.transport.http.route import PREFIX, Route

_BEGIN = PREFIX.encode() + b"/"
Methods = Mapping[str, Route]


def parts_of(scope: Scope) -> list[str]:
    """The parts below PREFIX. Each is decoded by itself: an encoded slash belongs to a name, and parts nothing.

    Raises InvalidInput (`invalid_address`) for what is not UTF-8, or has control characters.
    """
    raw: bytes = scope["raw_path"]
    below = raw[len(_BEGIN) :] if raw.startswith(_BEGIN) else b""
    if b"%" not in below:
        return below.decode("latin-1").split("/")
    return [_decoded(part) for part in below.split(b"/")]


def _decoded(part: bytes) -> str:
    try:
        text = unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        raise InvalidInput.at("", "invalid_address", "the address is not percent-encoded UTF-8") from None
    if not text.isprintable():
        raise InvalidInput.at("", "invalid_address", "the address has characters that are not printable")
    return text


class Table:
    """Every route, found by the parts of an address."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = list(routes)
        self._fixed: dict[tuple[str, ...], dict[str, Route]] = {}
        self._open: dict[int, dict[tuple[str, ...], dict[str, Route]]] = {}
        for route in self.routes:
            parts = tuple(route.template[1:].split("/"))
            places = self._open.setdefault(len(parts), {}) if "{" in route.template else self._fixed
            methods = places.setdefault(parts, {})
            if route.method in methods:
                raise ValueError(f"two routes for {route.method} {route.template}")
            methods[route.method] = route

    def find(self, parts: list[str]) -> tuple[Methods, dict[str, str]] | None:
        """The routes at an address, by method, with the names and ids that stand in it."""
        fixed = self._fixed.get(tuple(parts))
        if fixed is not None:
            return fixed, {}
        best: tuple[int, Methods, dict[str, str]] | None = None
        for template, methods in self._open.get(len(parts), {}).items():
            found = _fit(template, parts)
            if found is not None and (best is None or len(found) < best[0]):
                best = len(found), methods, found
        return None if best is None else best[1:]


def _fit(template: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for wanted, part in zip(template, parts, strict=True):
        if wanted[0] == "{":
            if not part:
                return None
            found[wanted[1:-1]] = part
        elif wanted != part:
            return None
    return found
