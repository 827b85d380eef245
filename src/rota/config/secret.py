"""Tokens and keys in files: they must be there, not be empty, and not be open to every user of the machine.

Each function raises RefusesToStart with the way out. A secret's text is never part of a message.
"""

from __future__ import annotations

import stat
from pathlib import Path

from rota.model.errors import RefusesToStart

MAX_SECRET_FILE = 64 * 1024
SHORTEST_TOKEN = 32
_SAMPLES = ("default_token", "default-token", "changeme", "change-me", "example", "your-token", "your_token", "secret")


def token_of(token: str | None, token_file: Path | None) -> str | None:
    """The token, from a variable or a file; None where neither is given."""
    if token is not None and token_file is not None:
        raise RefusesToStart(
            "both ROTA_TOKEN and a token file are given, and it is not clear which counts: take one away",
            code="token_twice",
        )
    if token_file is not None:
        return read_secret(token_file)
    if token is not None and not token.strip():
        raise RefusesToStart("ROTA_TOKEN is blank: set it to the token, or remove it", code="token_empty")
    return token.strip() if token is not None else None


def read_secret(path: Path) -> str:
    """The one line that a file holds."""
    check_private(path, "token file")
    with path.open("rb") as file:
        raw = file.read(MAX_SECRET_FILE + 1)
    lines = raw.decode("utf-8", "replace").split()
    if len(raw) > MAX_SECRET_FILE or len(lines) != 1 or "\ufffd" in lines[0]:
        raise RefusesToStart(f"{path} must hold one token and nothing else", code="token_file_bad")
    return lines[0]


def check_private(path: Path, what: str) -> None:
    """A regular file that other users can neither read nor write."""
    try:
        mode = path.stat().st_mode
        path.open("rb").close()
    except OSError as error:
        raise RefusesToStart(
            f"the {what} {path} cannot be read: {error.strerror}", code="secret_file_missing"
        ) from None
    if not stat.S_ISREG(mode):
        raise RefusesToStart(f"the {what} {path} is no regular file", code="secret_file_bad")
    if mode & 0o007:
        raise RefusesToStart(
            f"the {what} {path} is open to every user of this machine: chmod 600 {path}", code="secret_file_open"
        )


def check_strength(token: str) -> None:
    """For a token that a node accepts: long, varied, and not copied from somewhere."""
    if len(token) >= SHORTEST_TOKEN and len(set(token)) >= 10 and not any(s in token.lower() for s in _SAMPLES):
        return
    raise RefusesToStart(
        f"the node's token is weak: it needs at least {SHORTEST_TOKEN} characters by chance, as made by: "
        "python -c 'import secrets; print(secrets.token_urlsafe(32))'",
        code="weak_token",
    )
