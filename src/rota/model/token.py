"""A token as the store keeps it: everything but the secret."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """Instants are microseconds since the epoch."""

    kid: str
    """The public half; the presented text is `rota_KID.SECRET`."""
    name: str
    digest: bytes
    """SHA-256 of the whole presented text."""
    roles: frozenset[str]
    groups: frozenset[str] | None = None
    """None: every group, and tasks without one."""
    created_at: int = 0
    created_by: str = ""
    expires_at: int | None = None
    last_used_at: int | None = None
    """Written at most once a minute."""
    revoked_at: int | None = None
