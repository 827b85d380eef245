"""The client of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rota.config import ClientSettings

if TYPE_CHECKING:
    from rota.client.sync import Client


def reach(settings: ClientSettings) -> Client:
    """To be used as a context. Nothing is connected before the first call."""
    from rota.client.sync import Client

    return Client(settings.url, token=settings.secret(), connect_timeout=settings.connect_timeout / 1e6)
