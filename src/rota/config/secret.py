"""The token that a client or a worker shows. It is never part of a message."""

from __future__ import annotations

from pathlib import Path

from rota.life.secret_file import check_private
from rota.model.errors import RefusesToStart
from rota.telemetry.redaction import redactor

_MOST = 64 * 1024


def token_of(token: str | None, token_file: Path | None) -> str | None:
    """The token, from a variable or a file; None where neither is given. Raises RefusesToStart (`bad_token_file`)."""
    if token is not None and token_file is not None:
        raise RefusesToStart(
            "both ROTA_TOKEN and a token file are given, and it is not clear which counts: take one away",
            code="bad_token_file",
        )
    return _only_token_in(token_file) if token_file is not None else token


def _only_token_in(path: Path) -> str:
    """Of a file with one line, `TOKEN`, or `role[,role] TOKEN` as nodes have it."""
    check_private(path, "token", "bad_token_file")
    try:
        with path.open("rb") as file:
            text = file.read(_MOST).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusesToStart(f"the token file {path} cannot be read: {error}", code="bad_token_file") from None
    lines = [words for line in text.splitlines() if (words := line.partition("#")[0].split())]
    if len(lines) != 1 or len(lines[0]) > 2:
        raise RefusesToStart(f"the token file {path} must hold one token and nothing else", code="bad_token_file")
    redactor.learn(lines[0][-1])
    return lines[0][-1]
