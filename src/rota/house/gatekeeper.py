"""Who is let into a node, from its settings: tokens of files, variables and the store, certificates, and the first token."""

from __future__ import annotations

import logging

from rota.access.bind import check_bind, is_loopback
from rota.access.certificate_role import Certificates
from rota.access.first_token import make_first_token, read_first_token
from rota.access.policy import Policy
from rota.access.token_book import TokenBook
from rota.access.tokens import Token, Tokens, read_tokens
from rota.config.node import NodeSettings
from rota.model.errors import RefusesToStart
from rota.transport.tls import REQUIRED

_logger = logging.getLogger("rota.node")


class Gatekeeper:
    """`policy` goes to the lobby; `check` comes once the store is open, and before anything listens."""

    def __init__(self, settings: NodeSettings) -> None:
        """Raises RefusesToStart for tokens that cannot be used, and, where no store is there yet that could hold any, for a
        bind that is not safe: then nothing is made on the disk."""
        self._settings = settings
        self._tokens = _tokens(settings)
        self._book: TokenBook
        path = settings.store_path
        if path is None or not path.exists():
            self._check_bind(bool(len(self._tokens)))

    def policy(self, book: TokenBook) -> Policy:
        """The node's policy. `book`: the tokens in its store, which is not open yet."""
        settings = self._settings
        self._book = book
        self._policy = Policy(
            open_mode=is_loopback(settings.host) and not settings.behind_tls_proxy,
            tokens=self._tokens,
            book=book,
            certificates=Certificates(settings.cluster) if settings.tls_client_ca is not None else None,
            requests_a_second=settings.rate_limit,
        )
        return self._policy

    def check(self) -> None:
        """Raises RefusesToStart (`unsafe_bind`, `bad_token_file`). Makes the first token where nobody could come in."""
        usable = bool(len(self._tokens)) or self._book.anybody_holds
        self._check_bind(usable)
        first = read_first_token(self._settings.data)
        if first is None and not usable:
            path = make_first_token(self._settings.data)
            first = read_first_token(self._settings.data)
            _logger.warning(
                "an admin token was made: %s (only this user can read it). %s",
                path,
                "It is not asked for yet: whoever is on this machine may do everything, until a token is made"
                if self._policy.open_mode
                else "Commands on this machine find it by themselves",
            )
        self._policy.renew(self._tokens, first)

    def renew(self) -> None:
        """Reads the files anew. What cannot be used is told in the log, and the tokens stay as they were."""
        try:
            tokens, first = _tokens(self._settings), read_first_token(self._settings.data)
        except RefusesToStart as error:
            _logger.error("the tokens stay as they were: %s", error.detail)
        else:
            self._tokens = tokens
            self._policy.renew(tokens, first)
            _logger.info("the token file was read anew; tokens: %d", len(tokens))

    def _check_bind(self, has_token: bool) -> None:
        settings = self._settings
        certified = settings.tls_client_ca is not None and settings.tls_client_auth == REQUIRED
        check_bind(
            settings.host,
            has_token or certified,
            settings.tls_cert is not None,
            settings.behind_tls_proxy,
            settings.data,
        )


def _tokens(settings: NodeSettings) -> Tokens:
    """An empty token is a weak one, and no leave to do without."""
    if settings.token_file is not None:
        return read_tokens(settings.token_file)
    return Tokens(() if settings.token is None else (Token.of(settings.token),))
