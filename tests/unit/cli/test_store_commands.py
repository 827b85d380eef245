"""`rota migrate` and `rota backup` on real files, beside a real node."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
from processes import ROTA, house
from scripted_client import Rota

from rota.storage import schema

FIRST = Path(__file__).parents[1] / "storage" / "store-0001.sql"


def make(path: Path, version: str = schema.VERSION, statements: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(statements)
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    connection.execute("INSERT OR IGNORE INTO schema_version VALUES (?)", (version,))
    connection.commit()
    connection.close()
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return make(tmp_path / "data" / "rota.db", "0001", FIRST.read_text())


def version_of(path: Path) -> str:
    connection = sqlite3.connect(path)
    ((version,),) = connection.execute("SELECT version_num FROM schema_version").fetchall()
    connection.close()
    return str(version)


def test_an_old_store_is_migrated_once_and_its_copy_is_named(rota_process: Rota, old: Path) -> None:
    done = rota_process("migrate", "--data", "data")
    assert (done.code, done.err) == (0, "")
    assert f"from schema 0001 to {schema.VERSION}" in done.out
    kept = old.with_name(f"rota.db.before-{schema.VERSION}")
    assert str(kept) in done.out
    assert (version_of(old), version_of(kept)) == (schema.VERSION, "0001")
    again = rota_process("migrate", "--data", "data", "--json")
    assert json.loads(again.out) == {
        "store": str(old), "from": schema.VERSION, "to": schema.VERSION, "changed": False, "copy": None,
    }  # fmt: skip


def test_a_check_changes_nothing_and_says_by_its_code_whether_it_is_due(rota_process: Rota, old: Path) -> None:
    done = rota_process("migrate", "--check", "--data", "data")
    assert (done.code, version_of(old)) == (1, "0001")
    assert "0001" in done.out
    assert schema.VERSION in done.out
    value = json.loads(rota_process("migrate", "--check", "--data", "data", "--json").out)
    assert (value["schema"], value["program"], value["due"]) == ("0001", schema.VERSION, True)
    assert rota_process("migrate", "--data", "data").code == 0
    assert rota_process("migrate", "--check", "--data", "data").code == 0


@pytest.mark.parametrize("argv", [["migrate"], ["migrate", "--check"], ["node", "--http-port", "0", "--grpc", "off"]])
def test_a_newer_store_is_refused_with_both_versions_and_left_alone(
    rota_process: Rota, tmp_path: Path, argv: list[str]
) -> None:
    store = make(tmp_path / "data" / "rota.db", "0042")
    before = store.read_bytes()
    done = rota_process(*argv, "--data", "data")
    assert (done.code, done.out) == (1, "")
    assert "0042" in done.err
    assert schema.VERSION in done.err
    assert store.read_bytes()[100:] == before[100:]


@pytest.mark.parametrize("argv", [["migrate"], ["migrate", "--check"], ["backup", "copy.db"]])
def test_what_is_no_store_is_told(rota_process: Rota, tmp_path: Path, argv: list[str]) -> None:
    missing = rota_process(*argv, "--data", "nowhere", "--json")
    assert (missing.code, json.loads(missing.err)["error"]["code"]) == (1, "no_store")
    assert not (tmp_path / "nowhere").exists()
    memory = rota_process(*argv, "--store", "memory:")
    assert (memory.code, "no file" in memory.err) == (2, True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rota.db").write_bytes(b"no database at all" * 100)
    damaged = rota_process(*argv, "--data", "data")
    assert damaged.code == 1
    assert "Traceback" not in damaged.err


def run(*argv: str) -> Any:
    return subprocess.run([ROTA, *argv], capture_output=True, text=True, timeout=60, check=False)


def test_a_backup_of_a_running_node_and_one_of_a_stopped_one(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    with house(tmp_path) as rota:
        node = rota.start_node()
        assert run("submit", "add", "[1, 2]", "--url", rota.url).returncode == 0
        made = run("backup", str(tmp_path / "copy.db"), *data, "--json")
        assert (made.returncode, made.stderr) == (0, "")
        value = json.loads(made.stdout)
        assert (value["tasks"], value["schema"], value["checked"]) == (1, schema.VERSION, True)
        held = run("migrate", *data)
        assert (held.returncode, f"process {node.pid}" in held.stderr) == (1, True)
        assert run("migrate", "--check", *data).returncode == 0
        again = run("backup", str(tmp_path / "copy.db"), *data)
        assert (again.returncode, "--replace" in again.stderr) == (2, True)
        node.stop()
    (tmp_path / "kept").mkdir()
    assert run("backup", str(tmp_path / "kept"), *data).returncode == 0
    (copy,) = (tmp_path / "kept").iterdir()
    assert version_of(copy) == schema.VERSION
    itself = run("backup", str(tmp_path / "data" / "rota.db"), *data, "--replace")
    assert (itself.returncode, "the store itself" in itself.stderr) == (2, True)
