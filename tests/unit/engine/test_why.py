"""`why`: the exact cause, for every state a task can be in."""

from __future__ import annotations

import asyncio
import random

import pytest
from engine_kit import SECOND, Rig, ScriptedWorker
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.contract.store import Query
from rota.engine.settings import EngineSettings
from rota.life.clock import ManualClock
from rota.model.cause import Explanation
from rota.model.control import Control, Rate, Scope
from rota.model.errors import NotFound
from rota.model.method import Method, Options
from rota.model.report import Verdict
from rota.model.task import State, Task
from rota.model.text import task_id_bytes, task_id_text
from rota.storage.memory import MemoryStore

_ANY = Query()


async def why(rig: Rig, task_id: bytes) -> Explanation:
    told = await rig.engine.why(task_id)
    assert told.task_id == task_id
    assert told.summary == told.causes[0].message
    return told


def codes(told: Explanation) -> list[str]:
    return [cause.code for cause in told.causes]


async def test_nobody_ever_offered_it(rig: Rig) -> None:
    (task_id,) = await rig.submit("resize")
    told = await why(rig, task_id)
    assert codes(told) == ["no_worker"]
    assert told.state == "ready"
    assert told.summary == "no worker that is connected offers `resize`; none ever did: is the name right?"


async def test_who_offered_it_has_gone(rig: Rig) -> None:
    worker = await rig.worker("resize")
    await worker.session.closed(True, "done")
    (task_id,) = await rig.submit("resize")
    assert (await why(rig, task_id)).summary == "no worker that is connected offers `resize`; start one"


async def test_nobody_offers_it_in_this_group(rig: Rig) -> None:
    for _ in range(2):
        await rig.worker("resize", groups=("cpu",))
    (task_id,) = await rig.submit("resize", options=Options(group="gpu"))
    told = await why(rig, task_id)
    assert codes(told) == ["no_worker_in_group"]
    assert told.summary == (
        "no worker that is connected offers `resize` in group `gpu`; 2 workers offer it in group `cpu`"
    )


async def test_nobody_offers_the_pinned_version(rig: Rig) -> None:
    await rig.worker(Method("m", 2))
    (task_id,) = await rig.submit(version=1)
    told = await why(rig, task_id)
    assert codes(told) == ["no_worker"]
    assert told.summary == "no worker that is connected offers `m` in version 1; versions offered: 2"


async def test_a_newer_version_elsewhere_takes_the_group_out_of_service(rig: Rig) -> None:
    await rig.worker(Method("m", 1), groups=("a",))
    await rig.worker(Method("m", 2), groups=("b",))
    (task_id,) = await rig.submit(options=Options(group="a"))
    told = await why(rig, task_id)
    assert codes(told) == ["no_worker_in_group"]
    assert "in version 1, and version 2 is live in another group" in told.summary


async def test_the_worker_it_is_bound_to_has_gone_or_does_not_offer_it(rig: Rig) -> None:
    await rig.worker("n", worker_id="here")
    (gone,) = await rig.submit(target="away")
    (wrong,) = await rig.submit(target="here")
    told = await why(rig, gone)
    assert (codes(told), told.causes[0].by) == (["worker_gone"], ("away",))
    told = await why(rig, wrong)
    assert (codes(told), told.causes[0].by) == (["no_worker"], ("here",))
    assert "`here`, which does not offer `m`" in told.summary


async def test_a_pause_in_open_mode_names_nobody(rig: Rig) -> None:
    await rig.worker()
    await rig.engine.set_control(Control(Scope.NODE, paused=True, changed_by="anybody"))
    (task_id,) = await rig.submit()
    assert (await why(rig, task_id)).summary == "the node is paused since 2026-01-01 00:00:00 UTC"


@pytest.mark.parametrize(
    ("scope", "name", "words"),
    [
        (Scope.NODE, "", "the node is paused by alice since 2026-01-01 00:00:00 UTC: stocktaking"),
        (Scope.GROUP, "mail", "group `mail` is paused by alice since 2026-01-01 00:00:00 UTC: stocktaking"),
        (Scope.METHOD, "m", "method `m` is paused by alice since 2026-01-01 00:00:00 UTC: stocktaking"),
    ],
)
async def test_it_is_paused(rig: Rig, scope: Scope, name: str, words: str) -> None:
    await rig.worker(groups=("mail",))
    await rig.engine.set_control(Control(scope, name, paused=True, note="stocktaking", changed_by="alice"))
    (task_id,) = await rig.submit(options=Options(group="mail"))
    told = await why(rig, task_id)
    assert (codes(told), told.summary) == (["paused"], words)


async def test_no_worker_comes_before_a_pause_and_a_pause_before_a_full_limit(rig: Rig) -> None:
    await rig.engine.set_control(Control(Scope.METHOD, "m", concurrency=1))
    (first,) = await rig.submit()
    (task_id,) = await rig.submit()
    await rig.engine.set_control(Control(Scope.NODE, paused=True))
    assert codes(await why(rig, task_id))[:2] == ["no_worker", "paused"]
    await rig.engine.set_control(Control(Scope.NODE))
    worker = await rig.worker()
    assert (await worker.gets(1))[0][0] == first
    await rig.engine.set_control(Control(Scope.NODE, paused=True))
    assert codes(await why(rig, task_id)) == ["paused", "concurrency_full"]


async def test_a_rate_is_spent(rig: Rig) -> None:
    worker = await rig.worker()
    await rig.engine.set_control(Control(Scope.METHOD, "m", rate=Rate(2, 60 * SECOND)))
    await rig.submit(count=2)
    (task_id,) = await rig.submit()
    await worker.gets(2)
    await rig.settled()
    told = await why(rig, task_id)
    assert codes(told) == ["rate_limited"]
    assert told.causes[0].until == rig.clock.now() + 30 * SECOND
    assert told.summary == ("the rate limit of method `m`, 2 in 60 s, is spent; next start at 2026-01-01 00:00:30 UTC")


async def test_the_rate_of_its_key_is_spent(rig: Rig) -> None:
    await rig.worker()
    await rig.engine.set_control(Control(Scope.NODE, key_rate=Rate(1, 10 * SECOND)))
    options = Options(concurrency_key="k", concurrency_limit=9)
    _, task_id = await rig.submit(count=2, options=options)
    await rig.settled()
    told = await why(rig, task_id)
    assert codes(told) == ["rate_limited"]
    assert "the node for each concurrency key, 1 in 10 s" in told.summary


async def test_a_limit_of_concurrency_is_full_and_by_whom(rig: Rig) -> None:
    worker = await rig.worker(groups=("g",), slots=9)
    await rig.engine.set_control(Control(Scope.GROUP, "g", concurrency=5))
    ids = await rig.submit(count=6, options=Options(group="g"))
    await worker.gets(5)
    told = await why(rig, ids[5])
    assert codes(told) == ["concurrency_full"]
    assert told.summary.startswith("the concurrency of group `g` is full: 5 of 5, held by ")
    assert told.summary.endswith(" and 2 more")
    assert set(told.causes[0].by) == {task_id_text(each) for each in ids[:5]}
    assert told.causes[0].count == 5


async def test_its_concurrency_key_is_taken_and_by_whom(rig: Rig) -> None:
    await rig.worker()
    first, task_id = await rig.submit(count=2, options=Options(concurrency_key="printer"))
    await rig.settled()
    told = await why(rig, task_id)
    assert codes(told) == ["key_concurrency_full"]
    assert told.summary == f"its concurrency key `printer` is taken: 1 of 1, held by {task_id_text(first)}"


@pytest.mark.engine(prefetch=0)
async def test_workers_are_full_and_others_are_before_it(rig: Rig) -> None:
    workers = [await rig.worker(slots=8) for _ in range(2)]
    await rig.submit(count=19)
    (task_id,) = await rig.submit()
    told = await why(rig, task_id)
    assert codes(told) == ["workers_full", "queued_behind"]
    assert told.causes[1].message == "3 tasks are before it in its lane, and 2 workers with 16 slots are full"
    assert (told.causes[0].count, told.causes[1].count) == (16, 3)
    assert set(told.causes[0].by) == {worker.facts.id for worker in workers}


async def test_a_worker_that_does_not_renew_is_named(rig: Rig) -> None:
    worker = await rig.worker(slots=1)
    await rig.submit()
    (ref,) = await worker.gets(1)
    worker.starts(ref)
    await rig.advance(31)
    told = await why(rig, ref[0])
    assert codes(told) == ["workers_full"]
    assert "1 of them does not renew what it was given" in told.summary


async def test_workers_drain(rig: Rig) -> None:
    await rig.worker(worker_id="w")
    (record,) = await rig.engine.workers()
    await rig.engine.drain_worker(record.number)
    (task_id,) = await rig.submit()
    told = await why(rig, task_id)
    assert (codes(told), told.causes[0].by) == (["workers_draining"], ("w",))
    assert told.summary == (
        "the only worker that can run it takes nothing more: draining; resume one, or start another"
    )


async def test_it_waits_for_parents(rig: Rig) -> None:
    await rig.worker(slots=1)
    runs, waits = await rig.submit(count=2)
    (task_id,) = await rig.submit(after=(runs, waits))
    told = await why(rig, task_id)
    assert (told.state, codes(told)) == ("waiting", ["waiting_for_parents"])
    assert set(told.causes[0].by) == {task_id_text(runs), task_id_text(waits)}
    assert f"{task_id_text(runs)} (running)" in told.summary
    assert f"{task_id_text(waits)} (ready)" in told.summary


async def test_it_waits_for_its_order_key(rig: Rig) -> None:
    ids = await rig.submit(count=3, options=Options(order_key="account-7"))
    told = await why(rig, ids[2])
    assert (codes(told), told.causes[0].by) == (["waiting_for_order_key"], (task_id_text(ids[0]),))
    assert told.summary == f"its order key `account-7` is held by task {task_id_text(ids[0])}, accepted before it"


async def test_it_waits_for_parents_and_its_order_key(rig: Rig) -> None:
    (first,) = await rig.submit(options=Options(order_key="k"))
    (parent,) = await rig.submit()
    (task_id,) = await rig.submit(after=(parent,), options=Options(order_key="k"))
    told = await why(rig, task_id)
    assert codes(told) == ["waiting_for_parents", "waiting_for_order_key"]
    assert told.causes[1].by == (task_id_text(first),)


async def test_it_waits_for_another_try(rig: Rig) -> None:
    worker = await rig.worker()
    (task_id,) = await rig.submit(options=Options(retries=3, retry_delay=60 * SECOND, retry_jitter=0.0))
    await worker.fails((await worker.gets(1))[0])
    told = await why(rig, task_id)
    assert (told.state, codes(told)) == ("scheduled", ["retry_wait"])
    assert told.causes[0].until == (await rig.task(task_id)).due_at
    assert told.summary == "it failed, and is tried again at 2026-01-01 00:01:00 UTC, after 1 of 4 tries"


async def test_its_time_has_not_come_and_what_will_hold_it_then(rig: Rig) -> None:
    (task_id,) = await rig.submit(options=Options(delay=60 * SECOND))
    told = await why(rig, task_id)
    assert codes(told) == ["delayed", "no_worker"]
    assert told.causes[0].until == rig.clock.now() + 60 * SECOND


async def test_the_node_is_stopping_or_its_store_is_sick(rig: Rig) -> None:
    await rig.worker()
    await rig.engine.set_control(Control(Scope.NODE, paused=True))
    (task_id,) = await rig.submit()
    for readiness, code in (("store_full", "store_full"), ("store_unavailable", "store_unavailable")):
        rig.engine.readiness = lambda readiness=readiness: readiness
        assert codes(await why(rig, task_id)) == [code, "paused"]
    rig.engine.drain()
    assert codes(await why(rig, task_id)) == ["node_draining", "paused"]


async def test_it_runs_or_is_about_to_and_its_cancel_was_asked_for(rig: Rig) -> None:
    worker = await rig.worker(worker_id="w")
    (task_id,) = await rig.submit()
    (ref,) = await worker.gets(1)
    told = await why(rig, task_id)
    assert (told.state, codes(told), told.causes[0].by) == ("running", ["running_not_started"], ("w",))
    worker.starts(ref)
    assert codes(await why(rig, task_id)) == ["running"]
    await rig.engine.cancel([task_id], "")
    assert codes(await why(rig, task_id)) == ["cancel_asked", "running"]


async def test_the_worker_that_runs_it_is_gone(rig: Rig) -> None:
    worker = await rig.worker(worker_id="w")
    (task_id,) = await rig.submit()
    (ref,) = await worker.gets(1)
    worker.starts(ref)
    await worker.session.closed(False, "cut off")
    told = await why(rig, task_id)
    assert codes(told) == ["worker_gone", "running"]
    assert told.causes[0].until == (await rig.task(task_id)).due_at
    again = rig.restarted()
    await again.begins()
    assert codes(await why(again, task_id)) == ["worker_gone", "running"], "a new node knows it too"
    await again.engine.stop()


async def test_it_has_ended(rig: Rig) -> None:
    (task_id,) = await rig.submit()
    await rig.engine.cancel([task_id], "")
    told = await why(rig, task_id)
    assert (told.state, codes(told)) == ("cancelled", ["ended"])
    assert told.summary == "it has ended: cancelled (cancelled by caller) at 2026-01-01 00:00:00 UTC"


async def test_of_an_unknown_task_nothing_can_be_said(rig: Rig) -> None:
    with pytest.raises(NotFound):
        await rig.engine.why(b"x" * 16)


# --- any history


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(5, 60))
def test_whatever_happened_what_stays_has_a_cause(seed: int, steps: int) -> None:
    """Random histories: once everything has happened that can happen, no task that stays is said to be next."""
    asyncio.run(_history(random.Random(seed), steps))


async def _history(chance: random.Random, steps: int) -> None:
    clock = ManualClock()
    rig = Rig(MemoryStore(clock), clock, EngineSettings(prefetch=chance.choice([0, 4])))
    await rig.store.open()
    await rig.engine.start()
    workers: list[ScriptedWorker] = []
    held: list[tuple[ScriptedWorker, tuple[bytes, int]]] = []
    for _ in range(steps):
        await _happens(rig, chance, workers, held)
        await rig.settled()
        for worker in workers:
            held += [(worker, ref) for ref in worker.tasks]
            worker.tasks = []
        await _all_explained(rig)
    await rig.engine.stop()
    await rig.journal.stop()


async def _happens(
    rig: Rig,
    chance: random.Random,
    workers: list[ScriptedWorker],
    held: list[tuple[ScriptedWorker, tuple[bytes, int]]],
) -> None:
    match chance.randrange(9):
        case 0 if len(workers) < 5:
            groups = tuple(chance.sample(["a", "b"], chance.randrange(3)))
            workers.append(await rig.worker(chance.choice(["m", "n"]), slots=chance.randrange(1, 4), groups=groups))
        case 1 | 2 | 3:
            known = await rig.store.find(_ANY, None, 3)
            options = Options(
                group=chance.choice([None, None, "a", "b"]),
                priority=chance.choice([None, 5]),
                concurrency_key=chance.choice([None, None, "k1", "k2"]),
                order_key=chance.choice([None, None, None, "o"]),
                delay=chance.choice([None, None, 5 * SECOND]),
                retries=chance.choice([None, 2]),
            )
            after = tuple(task.id for task in known) if chance.random() < 0.2 else ()
            await rig.submit(chance.choice(["m", "n"]), chance.randrange(1, 5), options=options, after=after)
        case 4:
            scope = chance.choice(list(Scope))
            name = {Scope.NODE: "", Scope.GROUP: chance.choice(["", "a"]), Scope.METHOD: "m"}[scope]
            rate = chance.choice([None, None, Rate(2, 10 * SECOND)])
            limit, paused = chance.choice([None, 1, 3]), chance.random() < 0.3
            key_rate = chance.choice([None, None, Rate(1, 10 * SECOND)])
            await rig.engine.set_control(Control(scope, name, paused, "", limit, rate, key_rate))
        case 5:
            await rig.advance(chance.choice([1, 6, 31]))
        case 6 if workers:
            record = chance.choice(await rig.engine.workers() or [None])
            if record is not None:
                await chance.choice([rig.engine.drain_worker, rig.engine.resume_worker])(record.number)
        case 7 if workers and chance.random() < 0.3:
            gone = workers.pop(chance.randrange(len(workers)))
            await gone.session.closed(chance.random() < 0.5, "gone")
            held[:] = [each for each in held if each[0] is not gone]
        case _ if held:
            worker, ref = held.pop(chance.randrange(len(held)))
            if chance.random() < 0.3:
                await worker.fails(ref)
            else:
                await worker.report(ref, chance.choice([Verdict.SUCCEEDED, Verdict.CANCELLED]), ran=9 * SECOND)
        case _:
            pass


async def _all_explained(rig: Rig) -> None:
    for task in await rig.store.find(_ANY, None, 10_000):
        told = await rig.engine.why(task.id)
        assert told.causes
        assert told.state == task.state.name.lower()
        ends = {"ended"} if task.state.ended else set()
        assert ({cause.code for cause in told.causes} == {"ended"}) == bool(ends)
        for cause in told.causes:
            if cause.code in ("concurrency_full", "key_concurrency_full"):
                holders = (await rig.store.states([task_id_bytes(each) for each in cause.by])).values()
                assert set(holders) == {State.RUNNING}, cause
                assert cause.count == len(cause.by)
        if told.state == "ready":
            assert any(cause.code != "queued_behind" or cause.count for cause in told.causes), told
            only = {cause.code for cause in told.causes}
            if only == {"queued_behind"}:
                await _is_behind_one_that_is_held(rig, task)


async def _is_behind_one_that_is_held(rig: Rig, task: Task) -> None:
    """Being queued is a cause only where the first of the lane has one of its own."""
    (first, *_) = await rig.store.line(task.spec.lane, None, 1, 10**9)
    assert first.id != task.id
    told = await rig.engine.why(first.id)
    assert {cause.code for cause in told.causes} != {"queued_behind"}, told
