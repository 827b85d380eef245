"""Opens connections to a SQLite file, and makes a fresh file from the schema."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from rota.storage.schema import VERSION, metadata
from rota.storage.statements.sql import DIALECT

BUSY_MS = 250
"""How long a statement waits for a lock that somebody else holds; only a stray tool or a long read ever does."""


def connect(path: Path, *, pragmas: tuple[str, ...] = ()) -> sqlite3.Connection:
    """A connection in autocommit mode that never checkpoints by itself and never maps the file into memory."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=BUSY_MS / 1000
    )
    for pragma in ("wal_autocheckpoint=0", "mmap_size=0", *pragmas):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def connect_writer(path: Path, durability: str) -> sqlite3.Connection:
    """The only connection that writes. WAL keeps readers and the writer out of each other's way."""
    synchronous = "FULL" if durability == "full" else "NORMAL"
    return connect(path, pragmas=("journal_mode=WAL", f"synchronous={synchronous}", "cache_size=-16000"))


def connect_reader(path: Path) -> sqlite3.Connection:
    return connect(path, pragmas=("query_only=ON", "cache_size=-4000"))


def connect_visitor(path: Path) -> sqlite3.Connection:
    """From outside the process that writes, whether it runs or not. It never writes, and never cuts the log."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_MS / 1000
    )


def make_file(path: Path) -> None:
    """An empty file that only its owner may read, known to its folder, unless it is there already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def create(connection: sqlite3.Connection) -> None:
    """All tables, in one transaction, stamped with the version."""
    connection.execute("BEGIN IMMEDIATE")
    for element in ddl():
        connection.execute(str(element.compile(dialect=DIALECT)))
    connection.execute("INSERT INTO schema_version VALUES (?)", (VERSION,))
    connection.execute("COMMIT")


def ddl() -> list[ExecutableDDLElement]:
    elements: list[ExecutableDDLElement] = []
    for table in metadata.sorted_tables:
        elements.append(CreateTable(table))
        elements.extend(CreateIndex(index) for index in sorted(table.indexes, key=lambda index: str(index.name)))
    return elements
