"""The client of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rota.config import ClientSettings

if TYPE_CHECKING:
    from rota.client.sync import Client


def reach(settings: ClientSettings, token: str | None = None) -> Client:
    """To be used as a context. Nothing is connected before the first call. `token` goes before that of the settings."""
    from rota.client.sync import Client

    return Client(
        settings.url,
        token=token or settings.secret(),
        connect_timeout=settings.connect_timeout / 1e6,
        tls=settings.tls(),
    )
