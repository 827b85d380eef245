"""Files that hold secrets are for the node's user alone."""

from __future__ import annotations

import stat
from pathlib import Path

from rota.model.errors import RefusesToStart


def check_private(path: Path, what: str, code: str) -> None:
    """Raises RefusesToStart with the code for a file that is not there, is no plain file, or is open to others.

    Its group may read it, as mounted secrets are often given.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise RefusesToStart(f"the {what} file {path} cannot be read: {error.strerror}", code=code) from error
    if not stat.S_ISREG(mode):
        raise RefusesToStart(f"the {what} file {path} is not a plain file", code=code)
    if mode & (stat.S_IWGRP | stat.S_IRWXO):
        raise RefusesToStart(
            f"the {what} file {path} is open to others (mode {stat.S_IMODE(mode):04o}); do: chmod 600 {path}", code=code
        )
