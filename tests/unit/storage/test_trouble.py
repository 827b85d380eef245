"""The disk fills up, the file vanishes, a reader stands in the way: what callers are told, and what comes back by itself."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk

from rota.life import failpoint
from rota.life.clock import ManualClock
from rota.model.errors import Unavailable
from rota.storage import watch
from rota.storage.backup import copy_to
from rota.storage.connecting import connect_reader, connect_writer
from rota.storage.sqlite import SqliteStore
from rota.storage.wal import MODERATE, WalKeeper, lay_out

LARGE = b'"%s"' % (b"x" * 200_000)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def fill(desk: Desk) -> tuple[list[bytes], Unavailable]:
    """Submits until the store says no; the ids that it took, and what it said."""
    kept: list[bytes] = []
    for _ in range(200):
        entry = desk.entry(params=LARGE)
        try:
            await desk.submit(entry)
        except Unavailable as error:
            assert await desk.store.get([entry.task.id]) == {}
            return kept, error
        kept.append(entry.task.id)
    raise AssertionError("the disk never filled up")


def intact(path: Path) -> bool:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()


@pytest.mark.root
async def test_a_full_disk_refuses_writes_serves_reads_and_recovers(small_disk: Path) -> None:
    path, ballast = small_disk / "rota.db", small_disk / "ballast"
    ballast.write_bytes(b"b" * 4_000_000)
    store = SqliteStore(path)
    await store.open()
    desk = Desk(store, ManualClock())
    kept, error = await fill(desk)
    assert error.code == store.trouble == "store_full"
    assert str(path) in str(error)
    assert kept
    assert len(await store.get(kept)) == len(kept)
    ballast.unlink()
    assert (await desk.accepted(params=LARGE)).spec.params == LARGE
    assert store.trouble == ""
    assert store.unended == len(kept) + 1
    await store.close()
    assert intact(path)


async def test_a_limit_on_the_files_size_refuses_writes_and_serves_reads(path: Path) -> None:
    code = """
import asyncio, os, pathlib, resource, sys
from desk import Desk
from rota.life import failpoint
from rota.life.clock import ManualClock
from rota.model.errors import Unavailable
from rota.storage.sqlite import SqliteStore
async def main():
    store = SqliteStore(pathlib.Path(sys.argv[1]))
    await store.open()
    desk = Desk(store, ManualClock())
    first = await desk.accepted()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    kept = 1
    while True:
        try:
            await desk.submit(desk.entry(params=b"x" * 50_000))
        except Unavailable as error:
            print(error.code)
            break
        kept += 1
    assert await desk.read(first) == first
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await desk.accepted()
    assert store.unended == kept + 1, (store.unended, kept)
    await store.close()
    print("recovered")
asyncio.run(main())
"""
    folder = str(Path(__file__).parents[2] / "contract")
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": folder},
    )
    assert ran.returncode == 0, ran.stderr
    said, recovered = ran.stdout.split()
    assert said in ("store_full", "store_unavailable")
    assert recovered == "recovered"
    assert intact(path)


@pytest.mark.parametrize("deed", ["deleted", "replaced"])
async def test_a_file_that_vanishes_is_noticed_and_refused(
    desk: Desk, path: Path, deed: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "INTERVAL", 0.0)
    task = await desk.accepted()
    away = path.with_name("away")
    path.rename(away)
    if deed == "replaced":
        path.write_bytes(b"")
    for verb in (desk.submit(desk.entry()), desk.read(task)):
        with pytest.raises(Unavailable, match=deed) as caught:
            await verb
        assert caught.value.code == "store_unavailable"
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]
    away.rename(path)
    assert await desk.accepted()
    assert await desk.read(task) == task


async def test_an_idle_store_notices_too(desk: Desk, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert watch.INTERVAL <= 5
    monkeypatch.setattr("rota.storage.writer.IDLE", 0.01)
    monkeypatch.setattr("rota.storage.writer.WATCH", 0.01)
    monkeypatch.setattr(watch, "INTERVAL", 0.0)
    task = await desk.accepted()
    path.unlink()

    async def refused() -> None:
        while True:
            await desk.store.get([task.id])

    with pytest.raises(Unavailable, match="deleted"):
        await asyncio.wait_for(refused(), 5)


async def test_trouble_goes_by_itself_without_another_write(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.storage.writer.IDLE", 0.01)
    monkeypatch.setattr("rota.storage.writer.WATCH", 0.01)

    def broken() -> None:
        raise failpoint.FailpointError("broken")

    failpoint.arm("store.before_commit", broken)
    with pytest.raises(Unavailable):
        await desk.submit(desk.entry())
    assert desk.store.trouble
    failpoint.disarm()
    async with asyncio.timeout(5):
        while desk.store.trouble:
            await asyncio.sleep(0)


# --- the log


def frames(path: Path) -> int:
    return path.with_name(path.name + "-wal").stat().st_size


async def test_a_fresh_log_is_laid_out_and_does_not_grow(desk: Desk, path: Path) -> None:
    laid_out = frames(path)
    assert laid_out == MODERATE
    for _ in range(50):
        await desk.submit(desk.entry())
    assert frames(path) == laid_out


async def test_a_log_that_was_left_behind_is_read_and_not_laid_out_anew(desk: Desk, path: Path, tmp_path: Path) -> None:
    kept = await desk.accepted()
    left = tmp_path / "left" / path.name
    left.parent.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(path.with_name(path.name + suffix), left.with_name(left.name + suffix))
    store = SqliteStore(left, clock=desk.clock)
    await store.open()
    assert list(await store.get([kept.id])) == [kept.id]
    await store.close()


async def test_where_there_is_no_room_the_log_grows_as_it_is_needed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on the device")

    with monkeypatch.context() as patch:
        patch.setattr("rota.storage.wal.os.fsync", full)
        lay_out(path)
    assert frames(path) == 0
    store = SqliteStore(path, clock=ManualClock())
    await store.open()
    desk = Desk(store, ManualClock())
    assert await desk.read(await desk.accepted())
    await store.close()


async def test_the_log_stays_short_beside_a_busy_reader(
    desk: Desk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rota.storage.wal.MODERATE", 400_000)
    monkeypatch.setattr("rota.storage.wal.STEP", 50_000)
    monkeypatch.setattr("rota.storage.wal.LIMIT", 2_000_000)
    await desk.store.close()
    store = SqliteStore(path, clock=desk.clock)
    await store.open()
    busy = Desk(store, desk.clock)
    first = await busy.accepted()
    stop = False

    async def read() -> None:
        while not stop:
            await store.get([first.id])

    reader = asyncio.create_task(read())
    largest = 0
    for _ in range(150):
        await busy.submit(busy.entry(params=LARGE))
        largest = max(largest, frames(path))
    stop = True
    await reader
    assert largest < 6_000_000, "of 30 MB that were written"
    await store.close()


def test_a_log_that_a_reader_holds_is_cut_when_it_lets_go(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.storage.wal.PATIENCE", 0.0)
    writer, reader = connect_writer(path, "full"), connect_reader(path)
    keeper = WalKeeper(writer, path)
    writer.execute("CREATE TABLE t (x)")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM t").fetchall()
    writer.execute("INSERT INTO t VALUES (?)", (b"x" * 100_000,))
    keeper.cut()
    assert keeper.dirty
    assert frames(path) > 100_000
    reader.execute("COMMIT")
    keeper.cut()
    assert not keeper.dirty
    assert frames(path) == 0
    reader.close()
    writer.close()


async def test_a_closed_store_is_one_file(desk: Desk, path: Path) -> None:
    await desk.accepted()
    await desk.store.close()
    assert sorted(file.name for file in path.parent.iterdir()) == ["lock", "rota.db"]


# --- durability


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("relaxed", 1)])
def test_the_writer_flushes_as_promised(path: Path, durability: str, level: int) -> None:
    connection = connect_writer(path, durability)
    settings = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "wal_autocheckpoint", "mmap_size")
    }
    connection.close()
    assert settings == {"journal_mode": "wal", "synchronous": level, "wal_autocheckpoint": 0, "mmap_size": 0}


def test_a_reader_cannot_write(path: Path) -> None:
    connect_writer(path, "full").close()
    reader = connect_reader(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("CREATE TABLE t (x)")
    assert reader.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    reader.close()


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_a_flush_to_the_disk_comes_before_the_answer(path: Path, tmp_path: Path) -> None:
    code = """
import asyncio, os, pathlib, sys
from desk import Desk
from rota.life import failpoint
from rota.life.clock import ManualClock
from rota.storage.sqlite import SqliteStore
async def main():
    store = SqliteStore(pathlib.Path(sys.argv[1]))
    await store.open()
    desk = Desk(store, ManualClock())
    await desk.accepted()
    for _ in range(5):
        os.write(1, b"ASKED")
        await desk.submit(desk.entry())
        os.write(1, b"ANSWERED")
    await store.close()
asyncio.run(main())
"""
    folder, trace = str(Path(__file__).parents[2] / "contract"), tmp_path / "trace"
    ran = subprocess.run(
        ["strace", "-f", "-e", "trace=fdatasync,fsync,write", "-o", str(trace), sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": folder},
    )
    if "ptrace" in ran.stderr.lower():
        pytest.skip("no right to trace")
    assert ran.returncode == 0, ran.stderr
    words = [
        "flush" if "sync(" in line else line.split('"')[1]
        for line in trace.read_text().splitlines()
        if "sync(" in line or '"ASKED"' in line or '"ANSWERED"' in line
    ]
    asked = [place for place, word in enumerate(words) if word == "ASKED"]
    assert len(asked) == 5
    assert all("flush" in words[place : words.index("ANSWERED", place)] for place in asked)


# --- backup


async def test_a_backup_is_a_store_of_its_own(desk: Desk, path: Path, tmp_path: Path) -> None:
    task = await desk.accepted()
    copy = tmp_path / "copy" / "rota.db"
    copy.parent.mkdir()
    copy.write_bytes(b"an older one")
    assert isinstance(desk.store, SqliteStore)
    await desk.store.backup(copy)
    await desk.accepted()
    store = SqliteStore(copy)
    await store.open()
    assert (await store.get([task.id]), store.unended) == ({task.id: task}, 1)
    await store.close()


async def test_a_backup_that_fails_leaves_nothing(desk: Desk, path: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        copy_to(path, tmp_path / "nowhere" / "copy")
    assert caught.value.code == "backup_failed"
