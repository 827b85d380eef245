"""Copies of a store's file, made by SQLite's own backup from a connection that cannot write.

One process writes a store and cuts its log: the one that holds the lock. Another may copy it all the same, as a visitor: its
connection is opened for reading only, so that it neither writes nor cuts the log, not even as the last one to close.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rota.model.errors import Unavailable
from rota.storage.connecting import connect_reader, connect_visitor

STEP = 1_024
"""Pages that are copied between two words on how far it has come."""

Told = Callable[[int, int], None]
"""Called with the pages that are copied, and how many there are."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What a copy was found to hold."""

    schema: str
    tasks: int
    bytes: int


def copy_to(path: Path, to: Path) -> None:
    """By the process that holds the store. A whole copy, or none: it gets its name when it is complete.

    Raises Unavailable (`backup_failed`).
    """
    _copied(path, to, connect_reader, None)


def visit(path: Path, to: Path, told: Told) -> Copy:
    """As `copy_to`, by another process than the one that holds the store, or by any where nobody does.

    The copy is of one instant. It is read through and checked before it gets its name.
    """
    found = _copied(path, to, connect_visitor, told)
    assert found is not None  # noqa: S101  # it was told of, so it was checked
    return found


def _copied(path: Path, to: Path, connect: Callable[[Path], sqlite3.Connection], told: Told | None) -> Copy | None:
    part = to.with_name(to.name + ".part")
    try:
        part.unlink(missing_ok=True)
        _copy(path, part, connect, told)
        found = check(part) if told is not None else None
        os.replace(part, to)
        _keep_name(to.parent)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise Unavailable(f"the backup to {to} failed: {error}", code="backup_failed") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return found


def _copy(path: Path, part: Path, connect: Callable[[Path], sqlite3.Connection], told: Told | None) -> None:
    source = connect(path)
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL, 0o600))
        target = sqlite3.connect(part, isolation_level=None)
        try:
            if told is None:
                source.backup(target)
            else:
                _copy_in_steps(source, target, told)
            # The copy is one file: no log beside it is needed to read it.
            target.execute("PRAGMA journal_mode=DELETE").fetchall()
        finally:
            target.close()
    finally:
        source.close()


def _copy_in_steps(source: sqlite3.Connection, target: sqlite3.Connection, told: Told) -> None:
    """Inside one read: SQLite begins a copy anew when the file changes between two steps, and so it never does."""
    source.execute("BEGIN")
    source.execute("SELECT count(*) FROM sqlite_master").fetchall()
    source.backup(target, pages=STEP, progress=lambda _, left, total: told(total - left, total))
    source.execute("ROLLBACK")


def check(path: Path) -> Copy:
    """Reads a copy through. Raises sqlite3.DatabaseError where it is damaged."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        wrong = [text for (text,) in connection.execute("PRAGMA integrity_check(3)") if text != "ok"]
        if wrong:
            raise sqlite3.DatabaseError(f"the copy is damaged: {'; '.join(wrong)}")
        (schema,) = connection.execute("SELECT version_num FROM schema_version").fetchone()
        (tasks,) = connection.execute("SELECT count(*) FROM tasks").fetchone()
    finally:
        connection.close()
    return Copy(str(schema), int(tasks), path.stat().st_size)


def _keep_name(folder: Path) -> None:
    """The new name survives a power cut too."""
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
