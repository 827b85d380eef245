"""One policy for all doors: who is let in, with which roles."""

from __future__ import annotations

from rota.access.roles import ALL_ROLES
from rota.access.tokens import Tokens
from rota.model.errors import NotAuthenticated


class Policy:
    """In open mode everybody has every role, which is decided at the start by the binds, never by who asks."""

    def __init__(self, open_mode: bool, tokens: Tokens | None = None) -> None:
        self._tokens = tokens or Tokens()
        self.open_mode = open_mode and not len(self._tokens)

    def roles(self, token: str | None) -> frozenset[str]:
        """The roles of whoever presents this. Raises NotAuthenticated, in the same words for no token and a bad one."""
        if self.open_mode:
            return ALL_ROLES
        if not token or not (roles := self._tokens.roles_of(token)):
            raise NotAuthenticated("a valid token is needed: send it as `Authorization: Bearer TOKEN` (ROTA_TOKEN)")
        return roles
