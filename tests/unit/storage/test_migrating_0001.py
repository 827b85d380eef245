"""A store that the first release left behind, with tasks in every state, is migrated and goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from desk import Desk

from rota.contract.store import Query
from rota.life.clock import ManualClock
from rota.model import lifecycle
from rota.model.failure import Failure
from rota.model.task import Lane, Reason, State, Task
from rota.storage.connecting import connect, create
from rota.storage.migrate import bring_up_to_date
from rota.storage.sqlite import SqliteStore

LEFT_BEHIND = Path(__file__).parent / "store-0001.sql"
READY, SCHEDULED, RUNNING, ORDERED, SUCCEEDED, FAILED = (bytes([number]) * 16 for number in range(1, 7))


@pytest.fixture
def left_behind(path: Path) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(LEFT_BEHIND.read_text())
    connection.close()
    return path


@pytest.fixture
async def desk(left_behind: Path) -> AsyncIterator[Desk]:
    clock = ManualClock()
    store = SqliteStore(left_behind, clock=clock)
    await store.open()
    yield Desk(store, clock)
    await store.close()


async def task(desk: Desk, task_id: bytes) -> Task:
    return (await desk.store.get([task_id]))[task_id]


async def test_the_tasks_are_what_they_were(desk: Desk) -> None:
    ready, running, ended = [await task(desk, task_id) for task_id in (READY, RUNNING, SUCCEEDED)]
    assert (ready.state, ready.spec.lane, ready.spec.labels) == (State.READY, Lane("add", "g"), (("k", "v"),))
    assert (ready.spec.unique_mode, ready.spec.after, ready.spec.batch, ready.spec.trace) == ("return", (), None, "")
    assert (running.state, running.attempt, running.spec.retry.retry_on) == (State.RUNNING, 1, ("OSError",))
    assert (ended.state, ended.outcome) == (State.SUCCEEDED, b"3")
    assert Failure.unpack((await task(desk, FAILED)).outcome).error_type == "ValueError"
    assert {state: number for state, number in (await desk.store.counts()).items() if number} == {
        State.READY: 1,
        State.SCHEDULED: 1,
        State.RUNNING: 1,
        State.WAITING: 1,
        State.SUCCEEDED: 1,
        State.FAILED: 1,
    }
    assert [line.text for line in await desk.store.logs(running.seq, 0, 10)] == ["hello"]
    assert [worker.facts.id for worker in await desk.store.workers()] == ["worker-1"]


async def test_the_tasks_go_on(desk: Desk) -> None:
    running = await task(desk, RUNNING)
    (unblocked,) = (await desk.succeed(running)).unblocked
    assert (unblocked.id, unblocked.state) == (ORDERED, State.READY)
    (line,) = await desk.store.line(Lane("add", "g"), None, 10, 1_000)
    await desk.succeed(await desk.run(line))
    desk.clock.advance(61)
    assert await desk.change(lifecycle.promote(await task(desk, SCHEDULED), desk.now))
    assert await desk.change(lifecycle.run_again(await task(desk, FAILED), desk.now))
    (receipt,) = await desk.submit(desk.entry(idempotency_key="k"))
    assert (receipt.task_id, receipt.duplicate) == (SUCCEEDED, True)


async def test_the_tasks_take_part_in_what_is_new(desk: Desk) -> None:
    child = await desk.accepted(after=(RUNNING,), key="k", batch="b")
    assert child.reason is Reason.PARENTS
    assert {t.id for t in (await desk.succeed(await task(desk, RUNNING))).unblocked} == {ORDERED, child.id}
    (receipt,) = await desk.submit(desk.entry(unique_key="u", unique_mode="replace"))
    assert receipt.replaced is not None
    assert receipt.replaced.id == SCHEDULED
    found = [await desk.store.find(query, None, 10) for query in (Query(label=("k", "v")), Query(text="O"))]
    assert [[t.id for t in tasks] for tasks in found] == [[READY], [ORDERED, RUNNING]]


def test_the_migrated_tables_are_those_of_a_fresh_store(left_behind: Path, tmp_path: Path) -> None:
    bring_up_to_date(left_behind)
    fresh = connect(tmp_path / "fresh.db")
    create(fresh)
    migrated = sqlite3.connect(left_behind)
    assert shape(migrated) == shape(fresh)
    migrated.close()
    fresh.close()


def shape(connection: sqlite3.Connection) -> dict[str, object]:
    """Columns and indexes by table, and what makes an index partial; not how their texts are spaced and quoted."""
    tables = connection.execute("SELECT name, sql LIKE '%WITHOUT ROWID%' FROM sqlite_master WHERE type = 'table'")
    indexes = connection.execute(
        "SELECT tbl_name, lower(replace(sql, '\"', '')) FROM sqlite_master WHERE type = 'index'"
    )
    columns = {
        table: (sorted(connection.execute(f"PRAGMA table_info({table})").fetchall()), without_rowid)
        for table, without_rowid in tables.fetchall()
    }
    return {"columns": columns, "indexes": sorted((table, text or "") for table, text in indexes)}
