"""Brings a store's file to the program's schema.

A fresh file is made from the tables as they are. An older one is copied beside itself (`rota.db.before-N`) and migrated by
Alembic in one transaction: an interrupted migration leaves nothing behind, and the next start does it again. Alembic is
imported only for that. A newer schema is refused, and so is a file that is not Rota's.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

from rota.model.errors import RefusesToStart
from rota.storage import schema
from rota.storage.backup import copy_to
from rota.storage.connecting import connect, connect_visitor, create
from rota.storage.trouble import refused

log = logging.getLogger("rota.storage")

SCRIPTS = Path(__file__).parent / "migrations"


def bring_up_to_date(path: Path) -> None:
    """Raises RefusesToStart: `schema_newer`, `store_foreign`, `migration_failed`."""
    connection = connect(path, pragmas=("journal_mode=WAL", "synchronous=FULL"))
    try:
        version = _version(connection, path)
        if version is None:
            create(connection)
        elif version != schema.VERSION:
            _migrate(connection, path, version)
    finally:
        connection.close()


def version_in(path: Path) -> str | None:
    """The revision of a store that may be in use, None for an empty file. Raises RefusesToStart as `bring_up_to_date`."""
    try:
        with closing(connect_visitor(path)) as connection:
            version = _version(connection, path)
    except sqlite3.Error as error:
        raise refused(error, path) from error
    if version is not None and version > schema.VERSION:
        raise _newer(path, version)
    return version


def kept_before(path: Path) -> Path:
    """Where the file as it was is kept when it is migrated to this program's schema."""
    return path.with_name(f"{path.name}.before-{schema.VERSION}")


def _version(connection: sqlite3.Connection, path: Path) -> str | None:
    """The revision in the file; none for an empty one."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return None
    if "schema_version" not in tables:
        raise RefusesToStart(f"{path} is a database of another program", code="store_foreign")
    (version,) = connection.execute("SELECT version_num FROM schema_version").fetchone()
    return str(version)


def _migrate(connection: sqlite3.Connection, path: Path, version: str) -> None:
    if version > schema.VERSION:
        raise _newer(path, version)
    kept = kept_before(path)
    log.warning("migrating %s from schema %s to %s; the file as it was is %s", path, version, schema.VERSION, kept)
    try:
        copy_to(path, kept)
        _upgrade(connection)
    except Exception as error:
        raise RefusesToStart(
            f"{path} could not be migrated to the schema {schema.VERSION}, and is as it was: {error}",
            code="migration_failed",
        ) from error


def _newer(path: Path, version: str) -> RefusesToStart:
    return RefusesToStart(
        f"{path} has the schema {version}, this program knows {schema.VERSION}: start a newer Rota,"
        f" or restore {path.name}.before-{version}",
        code="schema_newer",
    )


def _upgrade(connection: sqlite3.Connection) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    scripts = ScriptDirectory(str(SCRIPTS))
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.connect() as link, EnvironmentContext(Config(), scripts) as environment:
        environment.configure(
            connection=link,
            version_table="schema_version",
            render_as_batch=True,
            transactional_ddl=True,
            fn=lambda found, _: scripts._upgrade_revs(schema.VERSION, found),  # type: ignore[arg-type]
        )
        connection.execute("BEGIN IMMEDIATE")
        environment.run_migrations()
        connection.execute("COMMIT")
