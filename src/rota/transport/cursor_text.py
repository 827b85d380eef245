"""Cursors as texts: opaque, and safe in an address."""

from __future__ import annotations

import base64

from rota.model.errors import InvalidInput


def cursor_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def cursor_bytes(text: str) -> bytes:
    """Raises ValueError for what is no such text."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def no_such_page() -> InvalidInput:
    """For a cursor that was not made here."""
    return InvalidInput.at("cursor", "invalid_cursor", "no page ended with this cursor; begin anew without one")
