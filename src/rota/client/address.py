"""The addresses of nodes, as people write them: `http://host:8080`, several with commas between.

One word everywhere: the `url` argument, `--url` and ROTA_URL. `http` and `https` go over the network; `embedded:` and
`local:` name a node inside this process, reached by a dial that the house gives.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from rota.model.errors import InvalidInput

DEFAULT_URL = "http://127.0.0.1:8080"
LINK_PATH = "/api/v1/link"
_SCHEMES = ("http", "https", "embedded", "local")


def addresses(url: str | Sequence[str] | None) -> tuple[str, ...]:
    """The single addresses. None: ROTA_URL, or the default. Raises InvalidInput (`invalid_url`) for one it cannot read."""
    if url is None:
        url = os.environ.get("ROTA_URL") or DEFAULT_URL
    parts = url.split(",") if isinstance(url, str) else list(url)
    found = tuple(_checked(part.strip()) for part in parts if part.strip())
    if not found:
        raise InvalidInput.at("url", "invalid_url", f"names no node; write one as in {DEFAULT_URL}")
    return found


def token_or_none(token: str | None) -> str | None:
    """None: ROTA_TOKEN, if it is set."""
    return token if token is not None else os.environ.get("ROTA_TOKEN") or None


def _checked(url: str) -> str:
    parts = _split(url)
    if parts is None or parts.scheme not in _SCHEMES or (parts.scheme.startswith("http") and not parts.hostname):
        raise InvalidInput.at(
            "url",
            "invalid_url",
            f"{url!r} is no address of a node; write it as in {DEFAULT_URL} or https://rota.example",
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidInput.at("url", "invalid_url", "a token does not belong in the address; use token= or ROTA_TOKEN")
    return url


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def link_url(url: str) -> str:
    """The WebSocket address of the link at a node's address."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}{LINK_PATH}"
