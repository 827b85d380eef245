"""Tokens: read from a file, kept as hashes, compared in constant time.

The file has one token a line, `role[,role…] SECRET` or a bare SECRET for an admin; `#` begins a comment. A secret is 32
characters or more, of printable ASCII without blanks. A file that others may read, a short or well-known secret, an
unknown role: RefusesToStart, with the line. The secrets themselves never stand in an error.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rota.access.roles import ALL_ROLES, Role
from rota.life.secret_file import check_private
from rota.model.errors import RefusesToStart
from rota.telemetry.redaction import redactor

MIN_SECRET = 32
_WELL_KNOWN = (
    "default_token",
    "changeme",
    "change-me",
    "secret",
    "password",
    "example",
    "your-token",
    "0123456789abcdef",
)
_NO_ROLES: frozenset[str] = frozenset()


def make_secret() -> str:
    """A new secret of 256 random bits."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Token:
    """A secret's hash, and what it allows. `kid` tells such tokens apart, and nothing of the secret."""

    digest: bytes
    roles: frozenset[str]
    name: str = ""
    kid: str = ""

    @classmethod
    def of(cls, secret: str, roles: Iterable[str] = (Role.ADMIN,), name: str = "") -> Token:
        """Raises RefusesToStart (`weak_token`, `unknown_role`). Without a name its roles stand for one."""
        check_secret(secret)
        redactor.learn(secret)
        digest, said = digest_of(secret), check_roles(roles)
        kid = "file-" + hashlib.sha256(digest).hexdigest()[:12]
        return cls(digest, said, name or f"{'+'.join(sorted(said))} token", kid)


class Tokens:
    """Every token is compared, so that the time tells nothing of which one was close."""

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self._tokens = tuple(tokens)
        self._roles: dict[str, frozenset[str]] = {}
        for token in self._tokens:
            self._roles[token.kid] = self._roles.get(token.kid, _NO_ROLES) | token.roles

    def __len__(self) -> int:
        return len(self._tokens)

    def __iter__(self) -> Iterator[Token]:
        return iter(self._tokens)

    def find(self, digest: bytes) -> Token | None:
        """The token of a presented secret. One that stands there twice has the roles of both."""
        found: Token | None = None
        for token in self._tokens:
            if hmac.compare_digest(token.digest, digest):
                found = token if found is None else replace(token, roles=token.roles | found.roles)
        return found

    def holds(self, kid: str, roles: frozenset[str]) -> bool:
        """Whether there is such a token that still has these roles."""
        return roles <= self._roles.get(kid, _NO_ROLES) if roles else kid in self._roles

    def roles_of(self, secret: str) -> frozenset[str]:
        """The roles that a presented secret gives; none for an unknown one."""
        found = self.find(digest_of(secret))
        return found.roles if found is not None else _NO_ROLES


def read_tokens(path: Path) -> Tokens:
    """Raises RefusesToStart (`bad_token_file`, `weak_token`, `unknown_role`)."""
    check_private(path, "token", "bad_token_file")
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusesToStart(f"the token file {path} cannot be read: {error}", code="bad_token_file") from error
    tokens = Tokens(_line(line, f"{path}:{number}") for number, line in _lines(text))
    if not tokens:
        raise RefusesToStart(
            f"the token file {path} holds no token; write one a line, as `admin SECRET` with a SECRET of "
            f"{MIN_SECRET} random characters or more",
            code="bad_token_file",
        )
    return tokens


def check_secret(secret: str) -> None:
    """Raises RefusesToStart (`weak_token`) for a secret that can be guessed, or cannot travel in a header."""
    if len(secret) < MIN_SECRET:
        raise RefusesToStart(f"a token of {len(secret)} characters; it needs {MIN_SECRET} or more", code="weak_token")
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise RefusesToStart("a token has printable ASCII characters only, and no blanks", code="weak_token")
    if len(set(secret)) < 8 or any(word in secret.lower() for word in _WELL_KNOWN):
        raise RefusesToStart("a well-known or guessable token; make a random one", code="weak_token")


def check_roles(roles: Iterable[str]) -> frozenset[str]:
    said = frozenset(role.strip() for role in roles)
    if unknown := said - ALL_ROLES:
        raise RefusesToStart(
            f"{sorted(unknown)[0][:40]!r} is not a role; there are {', '.join(sorted(ALL_ROLES))}", code="unknown_role"
        )
    return frozenset(said)


def digest_of(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _lines(text: str) -> Iterable[tuple[int, str]]:
    for number, raw in enumerate(text.splitlines(), 1):
        if line := raw.partition("#")[0].strip():
            yield number, line


def _line(line: str, place: str) -> Token:
    roles, blank, secret = line.partition(" ")
    try:
        return Token.of(secret.strip(), roles.split(",")) if blank else Token.of(line)
    except RefusesToStart as error:
        raise RefusesToStart(f"{place}: {error.detail}", code=error.code) from error
