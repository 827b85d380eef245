"""What people set, how it is checked and shown, and what they ask of workers."""

from __future__ import annotations

import asyncio

import pytest
from engine_kit import Rig

from rota.model.control import Control, Rate, Scope
from rota.model.errors import InvalidInput, NotFound, Unavailable
from rota.model.method import Method, Options
from rota.model.report import Held
from rota.model.task import State

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("control", "path", "code"),
    [
        (Control(Scope.NODE, "n"), "name", "invalid_name"),
        (Control(Scope.NODE, max_queued=5), "max_queued", "group_only"),
        (Control(Scope.METHOD, "m", max_queued=5), "max_queued", "group_only"),
        (Control(Scope.GROUP, "g", max_queued=0), "max_queued", "out_of_range"),
        (Control(Scope.GROUP, "g", max_queued=10**10), "max_queued", "out_of_range"),
        (Control(Scope.METHOD, ""), "name", "invalid_name"),
        (Control(Scope.GROUP, "a\u202eb", paused=True), "name", "invalid_name"),
        (Control(Scope.NODE, concurrency=0), "concurrency", "out_of_range"),
        (Control(Scope.NODE, concurrency=10**7), "concurrency", "out_of_range"),
        (Control(Scope.NODE, rate=Rate(0, SECOND)), "rate.count", "out_of_range"),
        (Control(Scope.NODE, rate=Rate(1, 0)), "rate.period", "out_of_range"),
        (Control(Scope.NODE, key_rate=Rate(1, 10**15)), "key_rate.period", "out_of_range"),
        (Control(Scope.NODE, paused=True, note="x" * 1001), "note", "too_long"),
    ],
)
async def test_a_setting_that_makes_no_sense_is_refused_and_changes_nothing(
    rig: Rig, control: Control, path: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await rig.engine.set_control(control)
    assert [(fault.path, fault.code) for fault in refused.value.errors] == [(path, code)]
    assert await rig.engine.controls() == []
    assert await rig.store.controls() == []


async def test_controls_are_listed_in_order_and_one_that_sets_nothing_is_gone(rig: Rig) -> None:
    for control in (
        Control(Scope.METHOD, "m", concurrency=2),
        Control(Scope.GROUP, "b", paused=True),
        Control(Scope.GROUP, "a", rate=Rate(5, SECOND)),
        Control(Scope.NODE, key_rate=Rate(1, SECOND)),
    ):
        kept = await rig.engine.set_control(control)
        assert kept.changed_at == rig.clock.now()
    listed = [(control.scope, control.name) for control in await rig.engine.controls()]
    assert listed == [(Scope.NODE, ""), (Scope.GROUP, "a"), (Scope.GROUP, "b"), (Scope.METHOD, "m")]
    await rig.engine.set_control(Control(Scope.GROUP, "b"))
    assert len(await rig.engine.controls()) == 3
    assert len(await rig.store.controls()) == 3


async def test_what_the_store_did_not_keep_is_not_brought_to_bear(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(control: Control) -> None:
        raise Unavailable("no disk", code="store_unavailable")

    monkeypatch.setattr(rig.store, "set_control", away)
    with pytest.raises(Unavailable):
        await rig.engine.set_control(Control(Scope.NODE, paused=True))
    worker = await rig.worker()
    await rig.submit()
    assert len(await worker.gets(1)) == 1


async def test_a_caller_that_goes_away_leaves_a_setting_whole(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    keep, gate = rig.store.set_control, asyncio.Event()

    async def slow(control: Control) -> None:
        await keep(control)
        await gate.wait()

    monkeypatch.setattr(rig.store, "set_control", slow)
    asked = asyncio.ensure_future(rig.engine.set_control(Control(Scope.NODE, paused=True)))
    await rig.settled()
    asked.cancel()
    gate.set()
    await rig.settled()
    assert [control.paused for control in await rig.engine.controls()] == [True]


async def test_groups_show_what_waits_who_serves_and_what_is_set(rig: Rig) -> None:
    worker = await rig.worker("m", "n", groups=("mail",), slots=2)
    await rig.engine.set_control(Control(Scope.GROUP, "mail", concurrency=1))
    await rig.engine.set_control(Control(Scope.GROUP, "quiet", paused=True))
    await rig.submit("m", count=3, options=Options(group="mail"))
    await rig.submit("n", count=1, options=Options(group="mail", delay=60 * SECOND))
    (ref,) = await worker.gets(1)
    await worker.report(ref, ran=9 * SECOND)
    await worker.gets(1)
    views = {view.name: view for view in await rig.engine.groups()}
    assert set(views) == {None, "mail", "quiet"}
    mail = views["mail"]
    assert mail.tasks == {State.SCHEDULED: 1, State.READY: 1, State.RUNNING: 1}
    assert mail.methods == {"m": 1, "n": 0}
    assert (mail.workers, mail.slots, mail.busy) == (1, 2, 1)
    assert mail.control is not None
    assert mail.control.concurrency == 1
    assert (mail.submit_rate, mail.finish_rate) == (0.4, 0.1)
    assert views["quiet"].control == (await rig.engine.controls())[1]
    assert (views[None].workers, views[None].tasks) == (1, {})


# --- workers


async def number_of(rig: Rig, worker_id: str) -> int:
    return next(record.number for record in await rig.engine.workers() if record.facts.id == worker_id)


async def test_a_drained_worker_finishes_gives_back_and_takes_nothing_until_it_is_resumed(rig: Rig) -> None:
    worker = await rig.worker(slots=1, worker_id="w")
    await rig.submit()
    await worker.report((await worker.gets(1))[0], ran=SECOND // 1000)
    await rig.submit(count=4)
    refs = await worker.gets(4)
    worker.starts(refs[0])
    number = await number_of(rig, "w")
    await rig.engine.drain_worker(number)
    assert worker.recalled == 3
    await worker.session.released(refs[1:], "recalled")
    await rig.settled()
    assert worker.tasks == []
    assert [record.draining for record in await rig.engine.workers()] == [True]
    assert await worker.report(refs[0]) == []
    await rig.settled()
    assert worker.tasks == []
    await rig.engine.resume_worker(number)
    assert len(await worker.gets(3)) == 3
    assert [record.draining for record in await rig.engine.workers()] == [False]
    told = [kind for kind, *_ in rig.herald.heard if kind in ("joined", "drains", "resumed")]
    assert told == ["joined", "drains", "resumed"]


async def test_a_drain_holds_when_the_worker_connects_again(rig: Rig) -> None:
    worker = await rig.worker(worker_id="w")
    await rig.engine.drain_worker(await number_of(rig, "w"))
    await worker.session.closed(False, "cable")
    await worker.connect()
    ids = await rig.submit()
    await rig.settled()
    assert worker.tasks == []
    await rig.engine.resume_worker(await number_of(rig, "w"))
    assert await worker.gets(1) == [(ids[0], 1)]


async def test_a_worker_that_is_shut_down_is_told_so_and_given_nothing_more(rig: Rig) -> None:
    worker, other = await rig.worker(worker_id="w"), await rig.worker(worker_id="o")
    await rig.engine.shut_down_worker(await number_of(rig, "w"))
    assert worker.told_to_end == "asked by an administrator"
    await rig.submit(count=2)
    assert (len(worker.tasks), len(other.tasks)) == (0, 2)


async def test_verbs_on_a_worker_that_is_not_here_say_so(rig: Rig) -> None:
    worker = await rig.worker(worker_id="w")
    number = await number_of(rig, "w")
    await worker.session.closed(True, "done")
    for verb in (rig.engine.drain_worker, rig.engine.resume_worker, rig.engine.shut_down_worker):
        for asked in (number, 4711):
            with pytest.raises(NotFound) as refused:
                await verb(asked)
            assert refused.value.code == "worker_not_found"


# --- the herald


async def test_the_herald_hears_of_everything_that_changes(rig: Rig) -> None:
    worker = await rig.worker(worker_id="w")
    first, second = await rig.submit(count=2, options=Options(order_key="k"))
    (ref,) = await worker.gets(1)
    await worker.report(ref)
    (ref,) = await worker.gets(1)
    await worker.fails(ref)
    await rig.engine.delete([first])
    await rig.engine.set_control(Control(Scope.GROUP, "g", paused=True))
    await worker.session.closed(True, "bye")
    rig.engine.drain()
    heard = rig.herald.heard
    by_task = {each: [state for kind, task_id, state in _tasks(heard) if task_id == each] for each in (first, second)}
    assert by_task[first] == [State.READY, State.RUNNING, State.SUCCEEDED]
    assert by_task[second] == [State.WAITING, State.READY, State.RUNNING, State.FAILED]
    rest = [entry for entry in heard if entry[0] != "task"]
    assert rest == [
        ("node", "ready"),
        ("joined", "w"),
        ("removed", first),
        ("control", Scope.GROUP, "g"),
        ("left", "w"),
        ("node", "draining"),
    ]


def _tasks(heard: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [entry for entry in heard if entry[0] == "task"]


async def test_while_nobody_listens_no_task_is_told(rig: Rig) -> None:
    rig.herald.listening = False
    worker = await rig.worker()
    await rig.submit()
    await worker.report((await worker.gets(1))[0])
    assert _tasks(rig.herald.heard) == []


# --- the window of the series


async def test_the_window_counts_what_happened_since_the_last_look(rig: Rig) -> None:
    rig.engine.window()
    ids = await rig.submit(count=3)
    rig.clock.advance(2)
    worker = await rig.worker(Method("m"))
    refs = await worker.gets(3)
    began = rig.clock.now()
    rig.clock.advance(0.5)
    for ref in refs[:2]:
        await worker.report(ref, started_at=began)
    await worker.fails(refs[2])
    window = rig.engine.window()
    assert (window.submitted, window.finished, window.failed) == (3, 3, 1)
    assert window.waits.count == len(ids)
    assert window.waits.percentile(0.5) == pytest.approx(2 * SECOND, rel=0.1)
    assert window.runs.count == 2
    assert window.runs.percentile(0.99) == pytest.approx(SECOND // 2, rel=0.1)
    empty = rig.engine.window()
    assert (empty.submitted, empty.finished, empty.waits.count, empty.waits.percentile(0.5)) == (0, 0, 0, 0)


async def test_a_worker_with_a_lease_on_a_restart_counts_for_its_group(rig: Rig) -> None:
    worker = await rig.worker(worker_id="w", groups=("g",))
    await rig.submit(options=Options(group="g"))
    (ref,) = await worker.gets(1)
    again = rig.restarted()
    await again.begins()
    await again.worker(worker_id="w", groups=("g",), held=[Held(*ref, 1)])
    views = {view.name: view for view in await again.engine.groups()}
    assert (views["g"].busy, views["g"].workers) == (1, 1)
    await again.engine.stop()


async def test_a_limit_of_depth_refuses_and_holds_nothing_back(rig: Rig) -> None:
    worker = await rig.worker("m", groups=("g",), slots=4)
    await rig.engine.set_control(Control(Scope.GROUP, "g", max_queued=2))
    receipts = await rig.receipts("m", count=3, options=Options(group="g"))
    assert [receipt.refusal.code if receipt.refusal else "" for receipt in receipts] == ["", "", "queue_full"]
    for ref in await worker.gets(2):
        await worker.report(ref)
    receipts = await rig.receipts("m", count=3, options=Options(group="g"))
    assert [receipt.refusal is None for receipt in receipts] == [True, True, False]
    assert len(await worker.gets(2)) == 2
