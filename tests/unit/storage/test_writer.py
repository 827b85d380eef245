"""The writer: group commit, neighbours, cancellation, and what it does when a commit goes wrong."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
from collections.abc import Awaitable
from pathlib import Path

import pytest
from desk import TTL, Desk

from rota.contract.store import Receipt
from rota.life import failpoint
from rota.model import lifecycle
from rota.model.errors import InvalidInput, Unavailable
from rota.model.task import State
from rota.storage.sqlite import SqliteStore
from rota.storage.trouble import translated


class Gate:
    """Holds the writer's thread at a failpoint, so that operations gather meanwhile."""

    def __init__(self, name: str) -> None:
        self.reached, self._open = threading.Event(), threading.Event()
        failpoint.arm(name, self._pass)

    def _pass(self) -> None:
        self.reached.set()
        assert self._open.wait(10)

    async def wait(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, 10)

    def open(self) -> None:
        self._open.set()


async def gathered(desk: Desk, *verbs: Awaitable[object]) -> list[object]:
    """Runs the verbs as one group: they arrive while the writer is held in another commit."""
    gate = Gate("store.before_commit")
    held = asyncio.create_task(desk.submit(desk.entry()))
    await gate.wait()
    running = [asyncio.ensure_future(verb) for verb in verbs]
    await asyncio.sleep(0)
    failpoint.disarm("store.before_commit")
    gate.open()
    await held
    return await asyncio.gather(*running, return_exceptions=True)


async def test_what_arrives_during_a_commit_shares_the_next(desk: Desk) -> None:
    commits = 0

    def count() -> None:
        nonlocal commits
        commits += 1

    gate = Gate("store.before_commit")
    first = asyncio.create_task(desk.submit(desk.entry()))
    await gate.wait()
    others = [asyncio.create_task(desk.submit(desk.entry())) for _ in range(50)]
    await asyncio.sleep(0)
    failpoint.arm("store.before_commit", count)
    gate.open()
    await asyncio.gather(first, *others)
    assert commits == 1
    assert desk.store.unended == 51


def counted(name: str) -> list[None]:
    """Grows by one at each pass of a failpoint."""
    passes: list[None] = []
    failpoint.arm(name, lambda: passes.append(None))
    return passes


async def test_a_patient_write_waits_for_company_and_shares_its_commit(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = desk.success(await desk.running())
    monkeypatch.setattr("rota.storage.writer.PATIENCE", 30.0)
    taken, commits = counted("store.waits_for_company"), counted("store.before_commit")
    finishing = asyncio.create_task(desk.store.apply([done], patient=True))
    async with asyncio.timeout(10):
        while not taken:
            await asyncio.sleep(0.001)
    assert not finishing.done()
    await desk.submit(desk.entry())
    assert (await finishing).accepted == {done.seq}
    assert len(commits) == 1


async def test_a_patient_write_does_not_wait_for_ever_and_an_impatient_one_not_at_all(desk: Desk) -> None:
    done = desk.success(await desk.running())
    waits = counted("store.waits_for_company")
    assert (await desk.store.apply([done], patient=True)).accepted == {done.seq}
    assert len(waits) == 1
    await desk.submit(desk.entry())
    assert len(waits) == 1


async def test_a_failing_operation_takes_none_of_its_neighbours(desk: Desk) -> None:
    good, other = desk.entry(), desk.entry(group="new lane")
    bad, lost = desk.entry(priority=0), desk.entry(group="lost lane")
    bad.task.line = 2**63
    known = await desk.accepted()
    results = await gathered(
        desk,
        desk.submit(good),
        desk.submit(lost, bad),
        desk.submit(desk.entry(task_id=known.id)),
        desk.change(lifecycle.claim(known, 1, desk.now, TTL)),
        desk.submit(other),
    )
    assert results[0] == [Receipt(good.task.id)]
    assert isinstance(results[1], InvalidInput)
    assert results[1].code == "out_of_range"
    assert results[2] == [Receipt(known.id, duplicate=True)]
    assert results[3:] == [True, [Receipt(other.task.id)]]
    assert await desk.store.get([bad.task.id, lost.task.id]) == {}
    assert desk.store.unended == 4
    assert (bad.task.seq, lost.task.seq) == (0, 0)
    assert (await desk.read(other.task)).spec.lane == other.task.spec.lane


async def test_a_row_that_no_transition_makes_is_refused(desk: Desk) -> None:
    entry = desk.entry()
    entry.task.state = State.RUNNING
    with pytest.raises(sqlite3.IntegrityError, match="running_is_leased"):
        await desk.submit(entry)
    assert desk.store.unended == 0


async def test_a_lane_of_an_undone_operation_can_be_made_again(desk: Desk) -> None:
    bad = desk.entry(group="g")
    bad.task.line = 2**63
    with pytest.raises(InvalidInput):
        await desk.submit(bad)
    task = await desk.accepted(group="g")
    assert task.spec.lane.group == "g"
    assert (await desk.accepted(group="h")).spec.lane.group == "h"


async def test_cancelled_awaits_undo_halve_and_mix_up_nothing(desk: Desk) -> None:
    chance = random.Random(7)
    batches = [[desk.entry() for _ in range(3)] for _ in range(200)]
    tasks = [asyncio.create_task(desk.submit(*batch)) for batch in batches]
    for task in chance.sample(tasks, 100):
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await desk.accepted()
    for batch, result in zip(batches, results, strict=True):
        found = await desk.store.get([entry.task.id for entry in batch])
        if isinstance(result, asyncio.CancelledError):
            assert len(found) in (0, 3)
        else:
            assert result == [Receipt(entry.task.id) for entry in batch]
            assert len(found) == 3


async def test_a_cancelled_read_mixes_up_nothing(desk: Desk) -> None:
    tasks = [await desk.accepted() for _ in range(20)]
    reads = [asyncio.create_task(desk.store.get([task.id])) for task in tasks]
    await asyncio.sleep(0)
    for read in reads[::2]:
        read.cancel()
    results = await asyncio.gather(*reads, return_exceptions=True)
    for task, result in zip(tasks[1::2], results[1::2], strict=True):
        assert result == {task.id: task}


@pytest.mark.parametrize("name", ["store.after_commit", "store.before_answer"])
async def test_a_lost_answer_is_an_unknown_outcome_and_a_repeat_tells(desk: Desk, name: str) -> None:
    entry = desk.entry()
    failpoint.arm(name, _broken)
    with pytest.raises(Unavailable) as caught:
        await desk.submit(entry)
    assert caught.value.code == "outcome_unknown"
    failpoint.disarm()
    assert await desk.submit(desk.entry(task_id=entry.task.id)) == [Receipt(entry.task.id, duplicate=True)]
    assert desk.store.unended == 1


async def test_a_commit_that_failed_keeps_nothing(desk: Desk) -> None:
    entry = desk.entry(order_key="o")
    failpoint.arm("store.before_commit", _broken)
    with pytest.raises(Unavailable) as caught:
        await desk.submit(entry)
    assert caught.value.code == desk.store.trouble == "store_unavailable"
    failpoint.disarm()
    assert desk.store.unended == 0
    assert await desk.submit(entry) == [Receipt(entry.task.id)]
    assert desk.store.trouble == ""


def _broken() -> None:
    raise failpoint.FailpointError("broken")


async def test_each_caller_gets_an_error_of_its_own(desk: Desk) -> None:
    failpoint.arm("store.before_commit", _broken)
    results = await asyncio.gather(*(desk.submit(desk.entry()) for _ in range(3)), return_exceptions=True)
    assert len({id(result) for result in results}) == 3
    assert all(isinstance(result, Unavailable) for result in results)


async def test_closing_finishes_what_was_asked(desk: Desk, path: Path) -> None:
    submits = [asyncio.create_task(desk.submit(desk.entry())) for _ in range(20)]
    await asyncio.sleep(0)
    await desk.store.close()
    assert all(not receipt.refusal for (receipt,) in await asyncio.gather(*submits))
    store = SqliteStore(path)
    await store.open()
    assert store.unended == 20
    await store.close()


def test_every_sqlite_error_is_translated(path: Path) -> None:
    for name, code in (
        ("SQLITE_FULL", "store_full"),
        ("SQLITE_IOERR_WRITE", "store_unavailable"),
        ("SQLITE_READONLY", "store_unavailable"),
        ("SQLITE_CORRUPT", "store_unavailable"),
        ("SQLITE_BUSY", "store_unavailable"),
    ):
        error = sqlite3.OperationalError("x")
        error.sqlite_errorname = name
        found = translated(error, path)
        assert isinstance(found, Unavailable)
        assert found.code == code
