"""One policy for all doors: who is let in, with which roles and for which groups."""

from __future__ import annotations

from rota.access.certificate_role import Certificates
from rota.access.failed_logins import FailedLogins
from rota.access.grant import ANYBODY, Grant
from rota.access.rate_limit import RateLimit
from rota.access.roles import ALL_ROLES
from rota.access.token_book import TokenBook
from rota.access.tokens import Token, Tokens, digest_of, make_secret
from rota.life.clock import Clock, SystemClock
from rota.model.errors import NotAuthenticated

OWN = "the node itself"
OPEN_NO_LONGER = (
    "this node was open to whoever is on its machine; from now on it asks everybody for a token, and links that came without "
    "one close within seconds"
)
"""What whoever makes the first token is told."""


class Policy:
    """In open mode everybody has every role. A node is open by its binds and because nobody has made a token, never by who
    asks; the first token that somebody makes ends it, for good."""

    def __init__(
        self,
        open_mode: bool,
        tokens: Tokens | None = None,
        clock: Clock | None = None,
        *,
        book: TokenBook | None = None,
        certificates: Certificates | None = None,
        requests_a_second: int = 0,
    ) -> None:
        """`tokens`: from a file or a variable; `book`: those in the store. `requests_a_second`: of one token, and of one
        address; 0: as many as they like."""
        self._tokens, self._first = tokens or Tokens(), Tokens()
        self._rates = RateLimit(requests_a_second) if requests_a_second else None
        self._book, self._certificates = book, certificates
        self._clock = clock or SystemClock()
        self._failed = FailedLogins()
        self._open = open_mode and not len(self._tokens) and certificates is None
        self.wrong_tokens = 0
        """How many were presented since the start."""
        self.own_token = make_secret()
        """For handlers that run in the node's own process."""
        self._own = Tokens([Token.of(self.own_token, ALL_ROLES, name=OWN)])

    @property
    def open_mode(self) -> bool:
        if self._open and self._book is not None and len(self._book):
            self._open = False
        return self._open

    def renew(self, tokens: Tokens, first: Token | None = None) -> None:
        """Other tokens from now on. Links of those that are gone close within seconds. A node that is open stays so where
        there are none. `first`: the one that the node made for itself, which ends no open mode."""
        self._tokens, self._first = tokens, Tokens(() if first is None else (first,))
        self._open = self._open and not len(tokens)

    def admit(self, token: str | None, source: str = "", certificate: frozenset[str] | None = None) -> Grant:
        """What whoever presents this may do. `source`: where it comes from, as `source_of` has it; "" is not counted.
        `certificate`: the URIs in the certificate that a caller proved to have. A token goes before it.

        Raises NotAuthenticated, in the same words for no token and a bad one; Forbidden for a certificate without a role in
        this house; Overloaded (`too_many_logins`, `too_many_requests`).
        """
        if self._rates is None:
            return self._admit(token, source, certificate)
        now = self._clock.monotonic()
        if source:
            self._rates.spend(source, now)
        grant = self._admit(token, source, certificate)
        if grant.kid:
            self._rates.spend(grant.kid, now)
        return grant

    def _admit(self, token: str | None, source: str, certificate: frozenset[str] | None) -> Grant:
        if self.open_mode:
            return ANYBODY
        if token:
            if (grant := self._grant_of(token, source)) is not None:
                return grant
        elif token is None and certificate is not None and self._certificates is not None:
            return self._certificates.grant(certificate)
        raise NotAuthenticated("a valid token is needed: send it as `Authorization: Bearer TOKEN` (ROTA_TOKEN)")

    def still_good(self, grant: Grant) -> bool:
        """Whether who was let in with this would be now: the token holds, was not revoked and has not expired."""
        if grant is ANYBODY:
            return self.open_mode
        if self._book is not None and self._book.holds(grant.kid):
            return True
        if self._certificates is not None and self._certificates.gave(grant):
            return True
        return any(tokens.holds(grant.kid, grant.roles) for tokens in (self._tokens, self._first, self._own))

    def _grant_of(self, token: str, source: str) -> Grant | None:
        now, digest = self._clock.monotonic(), digest_of(token)
        if source:
            self._failed.check(source, digest, now)
        grant = self._look_up(token, digest)
        if grant is None:
            self.wrong_tokens += 1
        if source and grant is not None:
            self._failed.succeeded(source, digest)
        elif source:
            self._failed.failed(source, now)
        return grant

    def _look_up(self, token: str, digest: bytes) -> Grant | None:
        """Every place is looked at, wherever it is found."""
        kept = self._book.find(token, digest) if self._book is not None else None
        said, first, own = (tokens.find(digest) for tokens in (self._tokens, self._first, self._own))
        if kept is not None and self._book is not None:
            self._book.used(kept.kid)
            return Grant(kept.roles, kept.groups, kept.kid, kept.name)
        found = said or first or own
        return None if found is None else Grant(found.roles, None, found.kid, found.name)
