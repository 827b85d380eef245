"""What a store on a file refuses at its start, and why."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from desk import Desk

from rota.life.clock import ManualClock
from rota.model.errors import RefusesToStart
from rota.storage.lock import refuse_network
from rota.storage.sqlite import SqliteStore


async def refusal(path: Path) -> RefusesToStart:
    store = SqliteStore(path)
    with pytest.raises(RefusesToStart) as caught:
        await store.open()
    await store.close()
    assert str(path) in str(caught.value)
    return caught.value


async def test_a_second_node_is_refused_with_the_pid_of_the_first(desk: Desk, path: Path) -> None:
    error = await refusal(path)
    assert error.code == "store_locked"
    assert str(os.getpid()) in str(error)


async def test_a_second_process_is_refused_and_a_killed_one_leaves_no_lock(path: Path) -> None:
    code = (
        "import asyncio, sys, pathlib; from rota.storage.sqlite import SqliteStore\n"
        "async def main():\n"
        "    await SqliteStore(pathlib.Path(sys.argv[1])).open(); print('open', flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert await asyncio.to_thread(other.stdout.readline) == b"open\n"
        assert str(other.pid) in str(await refusal(path))
    finally:
        other.kill()
        other.communicate()
    store = SqliteStore(path)
    await store.open()
    await store.close()


async def test_a_closed_store_can_be_opened_by_another(desk: Desk, path: Path) -> None:
    task = await desk.accepted()
    await desk.store.close()
    store = SqliteStore(path)
    await store.open()
    assert (await store.get([task.id]))[task.id] == task
    assert store.unended == 1
    await store.close()


async def test_a_damaged_header_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to have a header of one" * 20)
    assert (await refusal(path)).code == "store_corrupt"


async def test_a_damaged_schema_is_refused(desk: Desk, path: Path) -> None:
    await desk.store.close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3_000)
    assert (await refusal(path)).code == "store_corrupt"


async def test_another_programs_database_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE cookies (id)")
    connection.close()
    assert (await refusal(path)).code == "store_foreign"


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert (await refusal(tmp_path / "file" / "rota.db")).code == "store_unwritable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
async def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert (await refusal(tmp_path / "rota.db")).code == "store_unwritable"
    finally:
        tmp_path.chmod(0o700)


def test_a_network_file_system_is_refused() -> None:
    mounts = "/dev/sda / ext4 rw 0 0\nhost:/x /data nfs4 rw 0 0\ntmpfs /data/fast tmpfs rw 0 0\n//h/s /my\\040share cifs rw 0 0\n"
    for folder in ("/data", "/data/deep", "/my share"):
        with pytest.raises(RefusesToStart) as caught:
            refuse_network(Path(folder) / "rota.db", mounts)
        assert caught.value.code == "network_file_system"
    for folder in ("/", "/data2", "/data/fast/deep"):
        refuse_network(Path(folder) / "rota.db", mounts)


async def test_only_the_owner_may_read_the_file(desk: Desk, path: Path) -> None:
    assert path.stat().st_mode & 0o077 == 0
    assert path.with_name("rota.db-wal").stat().st_mode & 0o077 == 0


async def test_an_open_that_is_cancelled_holds_nothing(path: Path) -> None:
    for turns in range(4):
        opening = asyncio.create_task(SqliteStore(path).open())
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    store = SqliteStore(path)
    await store.open()
    await store.close()


async def test_a_store_closes_before_it_was_opened(path: Path) -> None:
    await SqliteStore(path).close()


def test_durability_is_full_or_relaxed(path: Path) -> None:
    with pytest.raises(ValueError, match="durability"):
        SqliteStore(path, durability="none")
    assert SqliteStore(path).capabilities.loss_window == ""
    relaxed = SqliteStore(path, durability="relaxed").capabilities
    assert relaxed.durable
    assert relaxed.loss_window


async def test_ordinals_are_not_used_again_after_a_purge_and_a_restart(desk: Desk, path: Path) -> None:
    last = await desk.ended(result_ttl=0)
    await desk.store.purge(10)
    await desk.store.close()
    store = SqliteStore(path, clock=ManualClock())
    await store.open()
    again = Desk(store, ManualClock())
    assert (await again.accepted()).seq > last.seq
    await store.close()
