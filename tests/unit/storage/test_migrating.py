"""A store's file is brought to the program's schema: once, wholly, and with a copy of what was before."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from desk import Desk

from rota.life.clock import ManualClock
from rota.model.control import Control, Scope
from rota.model.errors import RefusesToStart
from rota.model.task import Task
from rota.storage import migrate, schema
from rota.storage.connecting import ddl
from rota.storage.migrate import bring_up_to_date
from rota.storage.sqlite import SqliteStore
from rota.storage.statements.sql import DIALECT

NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0004", "0003"


def upgrade() -> None:
    op.create_table("colours", sa.Column("name", sa.String))
    op.execute("INSERT INTO colours VALUES ('red')")
    with op.batch_alter_table("workers") as workers:
        workers.add_column(sa.Column("colour", sa.String, server_default="red"))
"""


@pytest.fixture
async def task(path: Path) -> Task:
    """Of a store that was made by the program as it is."""
    store = SqliteStore(path)
    await store.open()
    task = await Desk(store, ManualClock()).accepted()
    await store.close()
    return task


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program as it will be when it has another revision."""
    scripts = tmp_path / "migrations"
    shutil.copytree(migrate.SCRIPTS, scripts)
    (scripts / "versions" / "0004_next.py").write_text(NEXT)
    monkeypatch.setattr(migrate, "SCRIPTS", scripts)
    monkeypatch.setattr(schema, "VERSION", "0004")
    return scripts


def asked(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


async def test_a_fresh_file_is_stamped(path: Path, task: Task) -> None:
    assert asked(path, "SELECT version_num FROM schema_version") == [(schema.VERSION,)]
    assert not path.with_name("rota.db.before-0003").exists()


async def test_an_older_store_is_migrated_after_a_copy(path: Path, task: Task, scripts: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    assert await store.get([task.id]) == {task.id: task}
    await store.close()
    assert asked(path, "SELECT version_num FROM schema_version") == [("0004",)]
    assert asked(path, "SELECT name FROM colours") == [("red",)]
    kept = path.with_name("rota.db.before-0004")
    assert asked(kept, "SELECT version_num FROM schema_version") == [("0003",)]
    assert asked(kept, "SELECT count(*) FROM tasks") == [(1,)]


async def test_what_was_set_stays_set_over_a_migration_from_the_second_release(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    control = Control(Scope.GROUP, "mail", concurrency=4, changed_at=1, changed_by="ann")
    await store.set_control(control)
    await store.close()
    asked(path, "ALTER TABLE controls DROP COLUMN max_queued")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE schema_version SET version_num = '0002'")
    connection.commit()
    connection.close()
    await store.open()
    assert await store.controls() == [control]
    await store.set_control(replace(control, max_queued=1))
    assert [await store.controls(), path.with_name("rota.db.before-0003").exists()] == [
        [replace(control, max_queued=1)], True
    ]  # fmt: skip
    await store.close()


async def test_an_interrupted_migration_is_undone_and_done_again(path: Path, task: Task, scripts: Path) -> None:
    following = scripts / "versions" / "0004_next.py"
    following.write_text(NEXT + '    raise RuntimeError("interrupted")\n')
    with pytest.raises(RefusesToStart, match="interrupted") as caught:
        await SqliteStore(path).open()
    assert caught.value.code == "migration_failed"
    assert asked(path, "SELECT version_num FROM schema_version") == [("0003",)]
    assert asked(path, "SELECT name FROM sqlite_master WHERE name = 'colours'") == []
    following.write_text(NEXT)
    bring_up_to_date(path)
    assert asked(path, "SELECT version_num FROM schema_version") == [("0004",)]


async def test_a_process_killed_in_a_migration_leaves_the_old_store(path: Path, task: Task, scripts: Path) -> None:
    following = scripts / "versions" / "0004_next.py"
    following.write_text(NEXT + "    import os; os._exit(137)\n")
    code = (
        "import sys, pathlib; from rota.storage import migrate, schema\n"
        "schema.VERSION, migrate.SCRIPTS = '0004', pathlib.Path(sys.argv[2])\n"
        "migrate.bring_up_to_date(pathlib.Path(sys.argv[1]))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path), str(scripts)]).returncode == 137
    following.write_text(NEXT)
    bring_up_to_date(path)
    assert asked(path, "SELECT name FROM colours") == [("red",)]


async def test_a_migration_that_is_not_there_is_told(path: Path, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "VERSION", "0099")
    with pytest.raises(RefusesToStart, match="0099"):
        bring_up_to_date(path)
    assert asked(path, "SELECT version_num FROM schema_version") == [("0003",)]


async def test_a_newer_schema_is_refused(path: Path, task: Task) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE schema_version SET version_num = '0042'")
    connection.commit()
    connection.close()
    with pytest.raises(RefusesToStart, match="0042") as caught:
        await SqliteStore(path).open()
    assert caught.value.code == "schema_newer"


def test_alembic_is_imported_only_to_migrate(path: Path) -> None:
    code = (
        "import asyncio, sys, pathlib; from rota.storage.sqlite import SqliteStore\n"
        "async def main():\n"
        "    store = SqliteStore(pathlib.Path(sys.argv[1])); await store.open(); await store.close()\n"
        "asyncio.run(main()); assert 'alembic' not in sys.modules and 'sqlalchemy.orm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def test_the_program_asks_for_the_newest_revision() -> None:
    """Whoever changes a table adds a revision, and raises the version."""
    assert max(file.name[:4] for file in (migrate.SCRIPTS / "versions").glob("*.py")) == schema.VERSION
    text = "\n".join(str(element.compile(dialect=DIALECT)).strip() for element in ddl())
    assert (Path(__file__).parent / "schema.sql").read_text().strip() == text
