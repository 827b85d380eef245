"""How a client runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rota.access.bind import is_loopback
from rota.config.folder import default_data
from rota.config.kind import duration
from rota.config.quantity import SECOND
from rota.config.reach import ReachSettings
from rota.config.secret import token_of
from rota.config.setting import setting
from rota.model.errors import Fault, RefusesToStart

FIRST_TOKEN = "admin-token"  # noqa: S105  # the name of a file
"""In a node's data folder, see access.first_token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings(ReachSettings):
    """Durations are microseconds."""

    connect_timeout: int = setting(
        10 * SECOND,
        duration("100ms", "10m"),
        "How long to try to reach a node.",
        "连接节点最多尝试多久。",
    )

    def faults(self) -> list[Fault]:
        """What does not fit together."""
        return self.reach_faults()

    def secret(self) -> str | None:
        """The token that was given; else, for a node on this machine, the one that it made at its first start."""
        given = ReachSettings.secret(self)
        return given if given is not None or not all(map(_is_here, self.url)) else _first_token()


def _is_here(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")


def _first_token() -> str | None:
    """None where this user cannot read it, or others can."""
    path = Path(os.environ.get("ROTA_DATA") or default_data()) / FIRST_TOKEN
    if not os.access(path, os.R_OK):
        return None
    try:
        return token_of(None, path)
    except RefusesToStart:
        return None
