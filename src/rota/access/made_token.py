"""Tokens that the house makes: `rota_KID.SECRET`. The kid may be seen; the secret is 256 random bits, said once."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from rota.access.roles import ALL_ROLES
from rota.access.tokens import digest_of, make_secret
from rota.model.errors import InvalidInput
from rota.model.names import check_name
from rota.model.token import TokenRecord

SHORTEST, LONGEST = 1_000_000, 3650 * 24 * 3600 * 1_000_000
"""How long a token may hold, microseconds."""
MOST_GROUPS = 100
_FORM = re.compile(r"rota_([a-z0-9]{12})\.[A-Za-z0-9_-]{43}")


def make_token(
    name: str,
    roles: Iterable[str],
    groups: Iterable[str] | None = None,
    *,
    now: int,
    expires_in: int | None = None,
    by: str = "",
) -> tuple[TokenRecord, str]:
    """The record to keep, and the text to present. Raises InvalidInput for a name, role, group or lifetime that cannot be."""
    check_name(name, "name")
    bound = None if groups is None else frozenset(groups)
    _check(frozenset(roles), bound, expires_in)
    kid = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(12))
    text = f"rota_{kid}.{make_secret()}"
    return (
        TokenRecord(
            kid,
            name,
            digest_of(text),
            frozenset(map(str, roles)),
            bound,
            created_at=now,
            created_by=by,
            expires_at=None if expires_in is None else now + expires_in,
        ),
        text,
    )


def kid_of(text: str) -> str | None:
    """The public half of what was presented; None for what was not made here."""
    found = _FORM.fullmatch(text)
    return found[1] if found else None


def _check(roles: frozenset[str], groups: frozenset[str] | None, expires_in: int | None) -> None:
    if not roles:
        raise InvalidInput.at("roles", "unknown_role", f"a token has a role: of {', '.join(sorted(ALL_ROLES))}")
    if unknown := sorted(roles - ALL_ROLES):
        raise InvalidInput.at(
            "roles", "unknown_role", f"{unknown[0][:40]!r} is not a role; there are {', '.join(sorted(ALL_ROLES))}"
        )
    if groups is not None:
        if not 0 < len(groups) <= MOST_GROUPS:
            raise InvalidInput.at(
                "groups", "out_of_range", f"a token is for 1 to {MOST_GROUPS} groups, or, where none is said, for all"
            )
        for group in groups:
            check_name(group, "groups")
    if expires_in is not None and not SHORTEST <= expires_in <= LONGEST:
        raise InvalidInput.at("expires_in", "out_of_range", "a token holds for 1 second to 3650 days, or without end")
