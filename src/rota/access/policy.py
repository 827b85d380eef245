"""One policy for all doors: who is let in, with which roles."""

from __future__ import annotations

from rota.access.failed_logins import FailedLogins
from rota.access.roles import ALL_ROLES
from rota.access.tokens import Tokens, digest_of
from rota.life.clock import Clock, SystemClock
from rota.model.errors import NotAuthenticated


class Policy:
    """In open mode everybody has every role, which is decided at the start by the binds, never by who asks."""

    def __init__(self, open_mode: bool, tokens: Tokens | None = None, clock: Clock | None = None) -> None:
        self._tokens = tokens or Tokens()
        self._clock = clock or SystemClock()
        self._failed = FailedLogins()
        self.wrong_tokens = 0
        """How many were presented since the start."""
        self.open_mode = open_mode and not len(self._tokens)

    def renew(self, tokens: Tokens) -> None:
        """Other tokens from now on. A node that is open stays so; links that are open stay as they were let in."""
        self._tokens = tokens

    def roles(self, token: str | None, source: str = "") -> frozenset[str]:
        """The roles of whoever presents this. `source`: where it comes from, as `source_of` has it; "" is not counted.

        Raises NotAuthenticated, in the same words for no token and a bad one, and Overloaded (`too_many_logins`).
        """
        if self.open_mode:
            return ALL_ROLES
        if token and (roles := self._roles_of(token, source)):
            return roles
        raise NotAuthenticated("a valid token is needed: send it as `Authorization: Bearer TOKEN` (ROTA_TOKEN)")

    def _roles_of(self, token: str, source: str) -> frozenset[str]:
        now, digest = self._clock.monotonic(), digest_of(token)
        if source:
            self._failed.check(source, digest, now)
        roles = self._tokens.roles_of(token)
        if not roles:
            self.wrong_tokens += 1
        if source and roles:
            self._failed.succeeded(source, digest)
        elif source:
            self._failed.failed(source, now)
        return roles
