"""A copy made from outside: whole, of one instant, checked, and without any harm to the store."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from desk import Desk

from rota.life.clock import ManualClock
from rota.model.errors import Unavailable
from rota.storage import backup, schema
from rota.storage.backup import check, visit
from rota.storage.sqlite import SqliteStore


def quiet(done: int, total: int) -> None:
    """For those who do not want to know."""


async def test_a_copy_of_a_store_at_work_is_of_one_instant(desk: Desk, path: Path, tmp_path: Path) -> None:
    for _ in range(20):
        await desk.submit(*(desk.entry(params=b"[" + b"1," * 2_000 + b"1]") for _ in range(100)))
    told: list[tuple[int, int]] = []
    going = True

    async def work() -> int:
        number = 0
        while going:
            await desk.submit(desk.entry(order_key="k"))
            number += 1
        return number

    working = asyncio.ensure_future(work())
    copy = await asyncio.to_thread(visit, path, tmp_path / "copy.db", lambda done, total: told.append((done, total)))
    going = False
    assert await working > 0, "the store went on meanwhile"
    assert len(told) > 1
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    assert copy.tasks >= 2_000
    assert (copy.schema, copy.bytes) == (schema.VERSION, (tmp_path / "copy.db").stat().st_size)
    rows = sqlite3.connect(tmp_path / "copy.db").execute(
        "SELECT (SELECT count(*) FROM tasks), (SELECT max(seq) FROM tasks)"
    )
    assert rows.fetchall() == [(copy.tasks, copy.tasks)]
    await desk.accepted()


async def test_a_copy_can_take_the_place_of_the_store(desk: Desk, path: Path, tmp_path: Path) -> None:
    task = await desk.accepted()
    visit(path, tmp_path / "copy.db", quiet)
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "copy.db").rename(tmp_path / "elsewhere" / "rota.db")
    store = SqliteStore(moved, clock=ManualClock())
    await store.open()
    assert await store.get([task.id]) == {task.id: task}
    await store.close()


async def test_what_was_committed_before_a_crash_is_in_the_copy(desk: Desk, path: Path, tmp_path: Path) -> None:
    """The log is still beside the file, as after kill -9."""
    await desk.accepted()
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("rota.db", "rota.db-wal"):
        (crashed / name).write_bytes(path.with_name(name).read_bytes())
    before = (crashed / "rota.db").read_bytes()
    assert visit(crashed / "rota.db", tmp_path / "copy.db", quiet).tasks == 1
    assert (crashed / "rota.db").read_bytes() == before, "a visitor changes nothing, not even by cutting the log"
    assert (crashed / "rota.db-wal").stat().st_size > 0


async def test_only_its_owner_may_read_it(desk: Desk, path: Path, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        visit(path, tmp_path / "copy.db", quiet)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600


async def test_a_copy_that_fails_leaves_nothing_behind(desk: Desk, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("as it was")

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        visit(path, target, stop)
    assert target.read_text() == "as it was"
    with pytest.raises(Unavailable, match="no/such"):
        visit(path, tmp_path / "no" / "such" / "copy.db", quiet)
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]


async def test_a_damaged_copy_is_told_and_removed(
    desk: Desk, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.submit(*(desk.entry() for _ in range(500)))
    whole = backup._copy

    def spoil(source: Path, part: Path, *how: object) -> None:
        whole(source, part, *how)  # type: ignore[arg-type]
        with part.open("r+b") as file:
            file.seek(4096 * 3)
            file.write(b"\xff" * 4096 * 8)

    monkeypatch.setattr(backup, "_copy", spoil)
    with pytest.raises(Unavailable) as caught:
        visit(path, tmp_path / "copy.db", quiet)
    assert caught.value.code == "backup_failed"
    assert not (tmp_path / "copy.db").exists()


def test_a_file_that_is_no_store_does_not_pass_for_a_copy(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE notes (text)")
    connection.close()
    with pytest.raises(sqlite3.DatabaseError):
        check(other)
