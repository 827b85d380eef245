"""Copies of a store's file, made by SQLite's own backup from a connection that cannot write."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from rota.model.errors import Unavailable
from rota.storage.connecting import connect_reader


def copy_to(path: Path, to: Path) -> None:
    """A whole copy, or none: it gets its name when it is complete. Raises Unavailable (`backup_failed`)."""
    part = to.with_name(to.name + ".part")
    try:
        part.unlink(missing_ok=True)
        _copy(path, part)
        os.replace(part, to)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise Unavailable(f"the backup to {to} failed: {error}", code="backup_failed") from error


def _copy(path: Path, part: Path) -> None:
    source = connect_reader(path)
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL, 0o600))
        target = sqlite3.connect(part)
        try:
            source.backup(target)
            # The copy is one file: no log beside it is needed to read it.
            target.execute("PRAGMA journal_mode=DELETE").fetchall()
        finally:
            target.close()
    finally:
        source.close()
