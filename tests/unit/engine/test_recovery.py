"""A write that landed and was not answered is found out by itself: nothing lies unseen until a restart."""

from __future__ import annotations

from typing import Any

import pytest
from engine_kit import Rig, Waiting

from rota.model.errors import Unavailable
from rota.model.retry import SECOND
from rota.model.task import State


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.engine.recovery.AFTER", 0.01)


def lands_unheard(rig: Rig, monkeypatch: pytest.MonkeyPatch, verb: str, code: str = "outcome_unknown") -> None:
    """The next write is kept, and its answer is lost."""
    real = getattr(rig.store, verb)

    async def landed(*asked: Any, **rest: Any) -> object:
        monkeypatch.setattr(rig.store, verb, real)
        await real(*asked, **rest)
        raise Unavailable("the commit may or may not have happened", code=code)

    monkeypatch.setattr(rig.store, verb, landed)


async def test_a_task_whose_submit_was_not_answered_runs(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    lands_unheard(rig, monkeypatch, "submit")
    with pytest.raises(Unavailable):
        await rig.submit()
    worker = await rig.worker()
    ((task_id, attempt),) = await worker.gets(1)
    assert ((await rig.task(task_id)).state, attempt) == (State.RUNNING, 1)


async def test_beside_what_was_known_it_is_found_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    known = await rig.submit(count=3)
    lands_unheard(rig, monkeypatch, "submit")
    with pytest.raises(Unavailable):
        await rig.submit(count=2)
    worker = await rig.worker(slots=16)
    got = await worker.gets(5)
    assert [ref[0] for ref in got[:3]] == known
    await rig.settled()
    assert worker.tasks == []


async def test_who_waits_for_an_end_that_was_not_answered_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit()
    (ref,) = await worker.gets(1)
    waiting = Waiting()
    await rig.engine.wait([task_id], waiting)
    lands_unheard(rig, monkeypatch, "apply")
    with pytest.raises(Unavailable):
        await worker.report(ref, ran=SECOND)
    assert await waiting.hears(1) == {task_id: State.SUCCEEDED}


async def test_a_write_that_was_refused_makes_nobody_look(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr(rig.engine._recovery, "due", lambda: looks.append("due"))
    monkeypatch.setattr(rig.engine._intake._watch, "unknown", rig.engine._recovery.due)

    async def full(*_: object, **__: object) -> object:
        raise Unavailable("the disk is full", code="store_full")

    real = rig.store.submit
    monkeypatch.setattr(rig.store, "submit", full)
    with pytest.raises(Unavailable):
        await rig.submit()
    assert looks == []
    monkeypatch.setattr(rig.store, "submit", real)
    lands_unheard(rig, monkeypatch, "submit")
    with pytest.raises(Unavailable):
        await rig.submit()
    assert looks == ["due"]
