"""What SQLite's errors mean to a caller. They are translated here, at the door they enter by, and nowhere else."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rota.life.failpoint import FailpointError
from rota.model.errors import InvalidInput, RefusesToStart, RotaError, Unavailable

_FSYNC_FAILED = frozenset({"SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC"})


def is_trouble(error: BaseException) -> bool:
    """Whether the store, not the operation, is to blame: then its neighbours would fare no better."""
    if isinstance(error, FailpointError):
        return True
    blames_operation = isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.InterfaceError)
    too_big = getattr(error, "sqlite_errorname", "") == "SQLITE_TOOBIG"
    return isinstance(error, sqlite3.Error) and not blames_operation and not too_big


def translated(error: Exception, path: Path) -> Exception:
    """The model's error for what went wrong; one that says nothing about the store stays what it is."""
    name = getattr(error, "sqlite_errorname", "")
    if isinstance(error, RotaError):
        return error
    if name == "SQLITE_FULL":
        return Unavailable(
            f"the disk, or a limit set on it, is full: nothing was kept; free space for {path}", code="store_full"
        )
    if is_trouble(error):
        return unavailable(path, f"{error} ({name})" if name else str(error))
    if isinstance(error, OverflowError | UnicodeEncodeError) or name == "SQLITE_TOOBIG":
        return InvalidInput(f"a value does not fit into the store: {error}", code="out_of_range")
    return error


def unavailable(path: Path, why: str) -> Unavailable:
    return Unavailable(f"the store {path} cannot answer: {why}", code="store_unavailable")


def commit_failed(error: Exception, path: Path) -> Exception:
    """After a failed flush to disk the commit may, or may not, be there after a crash."""
    if getattr(error, "sqlite_errorname", "") in _FSYNC_FAILED:
        return unknown(path, error)
    return translated(error, path)


def unknown(path: Path, error: Exception) -> Unavailable:
    return Unavailable(
        f"the store {path} may or may not have kept this: {error}; ask again with the same id", code="outcome_unknown"
    )


def refused(error: sqlite3.Error | OSError, path: Path) -> RefusesToStart:
    name = getattr(error, "sqlite_errorname", "")
    if name in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
        return RefusesToStart(
            f"{path} is damaged, or no database of Rota: {error}; restore a backup, or move the file away",
            code="store_corrupt",
        )
    return RefusesToStart(f"cannot open the store {path}: {error}; check the folder's rights", code="store_unwritable")
