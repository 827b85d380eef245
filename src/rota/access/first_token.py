"""The token that a node makes at its first start, so that a person on the machine is never locked out: DATA/admin-token.

It lets in whoever can read the file, as an admin. Alone it ends no open mode, and opens no node to other machines. Once
there are other tokens it may be deleted; it is made anew only where nothing else would let anybody in.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from rota.access.made_token import make_token
from rota.access.roles import Role
from rota.access.tokens import Token
from rota.life.secret_file import check_private
from rota.model.errors import RefusesToStart

NAME = "admin-token"


def read_first_token(data: Path) -> Token | None:
    """None where there is no such file. Raises RefusesToStart (`bad_token_file`) for one that others can read."""
    path = data / NAME
    if not os.path.lexists(path):
        return None
    check_private(path, "token", "bad_token_file")
    words = path.read_text("utf-8", "replace").split()
    if not words:
        raise RefusesToStart(f"the token file {path} is empty: delete it, and another is made", code="bad_token_file")
    return Token.of(words[-1], [Role.ADMIN], name="the first token")


def make_first_token(data: Path) -> Path:
    """Writes the file, whole or not at all, for the node's user alone."""
    path, half = data / NAME, data / f".{NAME}.{secrets.token_hex(4)}"
    _, text = make_token(NAME, [Role.ADMIN], now=0)
    try:
        file = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w") as writer:
            writer.write(text + "\n")
            writer.flush()
            os.fsync(writer.fileno())
        half.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            half.unlink()
        raise RefusesToStart(f"{path} cannot be written: {error.strerror}", code="bad_data_dir") from error
    return path
