"""What is held back by a pause, a limit of concurrency or a rate stays ready, in its place, and spends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from engine_kit import Rig, ScriptedWorker

from rota.engine.gate import Rule
from rota.model.control import Control, Rate, Scope
from rota.model.errors import Unavailable
from rota.model.method import Options
from rota.model.report import Held
from rota.model.task import Reason, State

SECOND = 1_000_000
Ref = tuple[bytes, int]


async def ready_ones(rig: Rig, ids: Sequence[bytes]) -> list[bytes]:
    """Those of the ids that are ready, each as fresh as when it was accepted."""
    records = await rig.store.get(ids)
    waiting = [records[each] for each in ids if records[each].state is State.READY]
    assert all((task.attempt, task.failures, task.rescues) == (0, 0, 0) for task in waiting)
    return [task.id for task in waiting]


def in_group(name: str) -> Options:
    return Options(group=name)


# --- pause


@pytest.mark.parametrize("scope", list(Scope))
async def test_what_is_paused_stays_ready_and_goes_on_in_order_afterwards(rig: Rig, scope: Scope) -> None:
    name = {Scope.NODE: "", Scope.GROUP: "mail", Scope.METHOD: "m"}[scope]
    worker = await rig.worker(groups=("mail",))
    await rig.engine.set_control(Control(scope, name, paused=True))
    ids = await rig.submit(count=3, options=in_group("mail"))
    await rig.settled()
    assert worker.tasks == []
    assert await ready_ones(rig, ids) == ids
    await rig.engine.set_control(Control(scope, name))
    assert await worker.gets(3) == [(each, 1) for each in ids]


async def test_a_pause_of_one_group_or_method_is_no_matter_of_the_others(rig: Rig) -> None:
    worker = await rig.worker("m", "n", groups=("a", "b"), slots=8)
    await rig.engine.set_control(Control(Scope.GROUP, "a", paused=True))
    await rig.engine.set_control(Control(Scope.METHOD, "n", paused=True))
    await rig.submit("m", options=in_group("a"))
    await rig.submit("n", options=in_group("b"))
    (goes,) = await rig.submit("m", options=in_group("b"))
    (too,) = await rig.submit("m")
    await rig.settled()
    assert [ref[0] for ref in worker.tasks] == [goes, too]


async def test_an_empty_group_name_means_the_tasks_without_a_group(rig: Rig) -> None:
    worker = await rig.worker(groups=("a",))
    await rig.engine.set_control(Control(Scope.GROUP, "", paused=True))
    await rig.submit()
    (goes,) = await rig.submit(options=in_group("a"))
    await rig.settled()
    assert [ref[0] for ref in worker.tasks] == [goes]


async def test_a_pause_calls_back_what_was_given_ahead_and_runs_on_what_runs(rig: Rig) -> None:
    worker = await rig.worker(slots=1)
    await rig.submit()
    await worker.report((await worker.gets(1))[0], ran=SECOND // 1000)
    await rig.submit(count=6)
    refs = await worker.gets(6)
    worker.starts(refs[0])
    await rig.engine.set_control(Control(Scope.NODE, paused=True))
    assert worker.recalled == 5, "all that has not started, at once"
    await worker.session.released(refs[1:], "recalled")
    await rig.settled()
    assert worker.tasks == []
    assert await worker.report(refs[0]) == []
    states = [(await rig.task(task_id)).state for task_id, _ in refs]
    assert states == [State.SUCCEEDED] + [State.READY] * 5


async def test_a_pause_outlives_the_node(rig: Rig) -> None:
    await rig.engine.set_control(Control(Scope.GROUP, "mail", paused=True, note="moving house"))
    again = rig.restarted()
    await again.begins()
    worker = await again.worker(groups=("mail",))
    ids = await again.submit(options=in_group("mail"))
    await again.settled()
    assert worker.tasks == []
    (control,) = await again.engine.controls()
    assert (control.paused, control.note, control.changed_at) == (True, "moving house", rig.clock.now())
    await again.engine.set_control(Control(Scope.GROUP, "mail"))
    assert await worker.gets(1) == [(ids[0], 1)]
    assert await again.engine.controls() == []
    await again.engine.stop()


# --- concurrency


async def limited(rig: Rig, scope: Scope, limit: int = 1) -> None:
    await rig.engine.set_control(Control(scope, {Scope.METHOD: "m"}.get(scope, ""), concurrency=limit))


@pytest.mark.parametrize("scope", list(Scope))
async def test_so_many_run_at_once_and_no_more(rig: Rig, scope: Scope) -> None:
    await limited(rig, scope, 3)
    workers = [await rig.worker(slots=8) for _ in range(2)]
    ids = await rig.submit(count=7)
    seen: list[bytes] = []
    while len(seen) < 7:
        await rig.settled()
        refs = [(worker, ref) for worker in workers for ref in worker.tasks]
        assert len(refs) == min(3, 7 - len(seen))
        for worker in workers:
            worker.tasks = []
        worker, ref = refs[0]
        for other, rest in refs[1:]:
            other.tasks.append(rest)
        seen.append(ref[0])
        await worker.report(ref, ran=9 * SECOND)
    assert sorted(seen) == sorted(ids)


async def test_the_express_way_keeps_to_the_limits_too(rig: Rig) -> None:
    await limited(rig, Scope.METHOD, 2)
    worker = await rig.worker(slots=8)
    await rig.submit(count=5)
    assert len(worker.tasks) == 2


async def test_a_finish_by_a_zombie_frees_nothing(rig: Rig) -> None:
    """The bug that hurt others: a worker that was given up reports late, and the place is freed a second time."""
    await limited(rig, Scope.METHOD)
    zombie = await rig.worker()
    await rig.submit(count=3)
    (old,) = await zombie.gets(1)
    zombie.starts(old)
    await zombie.session.closed(False, "cut off")
    await rig.advance(6)
    worker = await rig.worker(slots=8)
    (ref,) = await worker.gets(1)
    assert ref == (old[0], 2)
    for _ in range(2):
        (refused,) = await zombie.report(old)
        assert refused.code == "stale_attempt"
    await rig.settled()
    assert worker.tasks == [], "the second attempt runs: its place is taken"
    await worker.report(ref, ran=9 * SECOND)
    assert len(await worker.gets(1)) == 1
    for _ in range(2):
        await worker.report(ref, ran=9 * SECOND)
    await rig.settled()
    assert worker.tasks == [], "one finish told three times frees one place"


async def test_a_lapsed_lease_frees_its_place_once(rig: Rig) -> None:
    await limited(rig, Scope.METHOD)
    lost, worker = await rig.worker(slots=1), await rig.worker(slots=8)
    ids = await rig.submit(count=3)
    await rig.settled()
    holder, other = (lost, worker) if lost.tasks else (worker, lost)
    (ref,) = await holder.gets(1)
    await rig.advance(31)
    assert await other.gets(1) == [(ref[0], 2)]
    await rig.settled()
    assert other.tasks == []
    assert set(await ready_ones(rig, ids[1:])) == set(ids[1:])


async def test_what_a_worker_gives_back_frees_its_place(rig: Rig) -> None:
    await limited(rig, Scope.METHOD)
    first = await rig.worker()
    await rig.submit(count=2)
    (ref,) = await first.gets(1)
    second = await rig.worker()
    await first.session.reregister(first.facts, first.methods, True)
    await first.session.released([ref], "draining")
    assert await second.gets(1) == [(ref[0], 2)]
    await rig.settled()
    assert second.tasks == []


async def test_a_cancel_of_a_running_task_frees_its_place_with_its_workers_word(rig: Rig) -> None:
    from rota.model.report import Verdict

    await limited(rig, Scope.METHOD)
    worker = await rig.worker()
    await rig.submit(count=2)
    (ref,) = await worker.gets(1)
    await rig.engine.cancel([ref[0]], "")
    await rig.settled()
    assert worker.tasks == []
    await worker.report(ref, Verdict.STOPPED)
    assert len(await worker.gets(1)) == 1


async def test_a_restarted_node_knows_who_runs(rig: Rig) -> None:
    await limited(rig, Scope.METHOD, 2)
    worker = await rig.worker(worker_id="w")
    await rig.submit(count=4)
    refs = await worker.gets(2)
    worker.starts(*refs)
    again = rig.restarted()
    await again.begins()
    other = await again.worker(slots=8)
    await again.settled()
    assert other.tasks == [], "two run, with a worker that has not come back yet"
    same = await again.worker(worker_id="w", held=[Held(*ref, 1) for ref in refs])
    await same.report(refs[0], ran=9 * SECOND)
    await again.settled()
    assert len(other.tasks) + len(same.tasks) == 1
    await again.engine.stop()


async def test_a_limit_that_is_set_later_counts_what_runs_already(rig: Rig) -> None:
    worker = await rig.worker(slots=8)
    await rig.submit(count=3)
    refs = await worker.gets(3)
    await limited(rig, Scope.METHOD, 3)
    await rig.submit(count=2)
    await rig.settled()
    assert worker.tasks == []
    await worker.report(refs[0], ran=9 * SECOND)
    assert len(await worker.gets(1)) == 1
    await limited(rig, Scope.METHOD, 4)
    assert len(await worker.gets(1)) == 1


async def test_a_limit_below_what_runs_lets_it_run_and_starts_nothing_more(rig: Rig) -> None:
    worker = await rig.worker(slots=8)
    await rig.submit(count=4)
    refs = await worker.gets(4)
    await limited(rig, Scope.NODE, 2)
    await rig.submit()
    for ref in refs[:2]:
        await worker.report(ref, ran=9 * SECOND)
        await rig.settled()
        assert worker.tasks == []
    await worker.report(refs[2], ran=9 * SECOND)
    assert len(await worker.gets(1)) == 1


async def test_two_limits_hold_together(rig: Rig) -> None:
    await rig.engine.set_control(Control(Scope.METHOD, "m", concurrency=2))
    await rig.engine.set_control(Control(Scope.GROUP, "a", concurrency=1))
    worker = await rig.worker(groups=("a", "b"), slots=8)
    await rig.submit(count=3, options=in_group("a"))
    await rig.submit(count=3, options=in_group("b"))
    groups = [(await rig.task(task_id)).spec.lane.group for task_id, _ in await worker.gets(2)]
    await rig.settled()
    assert worker.tasks == []
    assert sorted(groups) == ["a", "b"]


async def test_a_store_that_was_away_leaves_no_place_taken(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.engine.dispatch.STORE_AWAY_PAUSE", 0.01)
    await limited(rig, Scope.METHOD)
    ids = await rig.submit(count=2)
    apply, away = rig.store.apply, [True, True]

    async def sometimes(changes: object, **rest: object) -> object:
        if away and away.pop():
            raise Unavailable("gone fishing", code="store_unavailable")
        return await apply(changes, **rest)

    monkeypatch.setattr(rig.store, "apply", sometimes)
    worker = await rig.worker()
    (ref,) = await worker.gets(1)
    assert ref == (ids[0], 1)
    await worker.report(ref, ran=9 * SECOND)
    assert await worker.gets(1) == [(ids[1], 1)]
    assert ("node", "store_away") in rig.herald.heard
    assert ("node", "store_back") in rig.herald.heard


async def test_a_write_that_landed_unheard_is_found_out(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outcome was kept, and the answer was lost: the place is free, though nobody said so."""
    monkeypatch.setattr("rota.engine.controls.LOOK_AGAIN", 0.01)
    await limited(rig, Scope.METHOD)
    worker = await rig.worker()
    ids = await rig.submit(count=2)
    (ref,) = await worker.gets(1)
    apply = rig.store.apply

    async def landed(changes: object, **rest: object) -> object:
        monkeypatch.setattr(rig.store, "apply", apply)
        await apply(changes, **rest)
        raise Unavailable("the commit may or may not have happened", code="outcome_unknown")

    monkeypatch.setattr(rig.store, "apply", landed)
    with pytest.raises(Unavailable):
        await worker.report(ref, ran=9 * SECOND)
    assert await worker.gets(1) == [(ids[1], 1)]


# --- rates


async def test_a_rate_lets_so_many_start_in_a_period_and_time_brings_the_next(rig: Rig) -> None:
    await rig.engine.set_control(Control(Scope.METHOD, "m", rate=Rate(2, 10 * SECOND)))
    worker = await rig.worker(slots=50)
    ids = await rig.submit(count=5)
    assert [ref[0] for ref in await worker.gets(2)] == ids[:2]
    await rig.advance(4.9)
    await rig.settled()
    assert worker.tasks == []
    assert await ready_ones(rig, ids) == ids[2:]
    await rig.advance(0.1)
    assert [ref[0] for ref in await worker.gets(1)] == ids[2:3]
    await rig.advance(20)
    assert [ref[0] for ref in await worker.gets(2)] == ids[3:]


async def test_a_rate_wakes_by_itself(rig: Rig) -> None:
    """With a clock that goes by itself: nobody moves it, nobody looks."""
    await rig.engine.set_control(Control(Scope.NODE, rate=Rate(1, SECOND // 20)))
    rig.clock.advance(1)
    worker = await rig.worker(slots=50)
    await rig.submit(count=3)
    assert len(await worker.gets(1)) == 1
    rig.clock.advance(0.05)
    assert len(await worker.gets(1)) == 1
    rig.clock.advance(0.05)
    assert len(await worker.gets(1)) == 1


async def test_what_did_not_start_spends_nothing_of_a_rate(rig: Rig) -> None:
    await rig.engine.set_control(Control(Scope.METHOD, "m", rate=Rate(2, 3600 * SECOND)))
    first = await rig.worker(slots=2)
    await rig.submit(count=2)
    refs = await first.gets(2)
    second = await rig.worker()
    await first.session.reregister(first.facts, first.methods, True)
    await first.session.released(refs, "draining")
    assert len(await second.gets(2)) == 2


async def test_a_rate_for_each_key_holds_each_key_for_itself(rig: Rig) -> None:
    await rig.engine.set_control(Control(Scope.NODE, key_rate=Rate(1, 20 * SECOND)))
    worker = await rig.worker(slots=50)
    for key in ("a", "b"):
        await rig.submit(count=2, options=Options(concurrency_key=key, concurrency_limit=10))
    await rig.submit(count=2)
    await rig.settled()
    keys = [(await rig.task(task_id)).spec.lane.key for task_id, _ in await worker.gets(4)]
    assert sorted(keys, key=str) == [None, None, "a", "b"]
    await rig.settled()
    assert worker.tasks == []
    await rig.advance(20)
    assert len(await worker.gets(2)) == 2


# --- concurrency keys


def keyed(key: str, limit: int | None = None, **rest: object) -> Options:
    return Options(concurrency_key=key, concurrency_limit=limit, **rest)


async def test_tasks_of_a_key_wait_for_each_other_over_methods_and_groups(rig: Rig) -> None:
    worker = await rig.worker("m", "n", groups=("g",), slots=8)
    ids = await rig.submit("m", options=keyed("k"))
    ids += await rig.submit("n", options=keyed("k"))
    ids += await rig.submit("m", options=keyed("k", group="g"))
    (free,) = await rig.submit("m", options=keyed("other"))
    await rig.settled()
    assert [ref[0] for ref in worker.tasks] == [ids[0], free]
    (ref, _) = await worker.gets(2)
    for expected in ids[1:]:
        await worker.report(ref, ran=9 * SECOND)
        (ref,) = await worker.gets(1)
        assert ref[0] == expected


async def test_each_task_says_how_many_of_its_key_may_run_beside_it(rig: Rig) -> None:
    worker = await rig.worker(slots=8)
    await rig.submit(count=3, options=keyed("k", 2))
    (alone,) = await rig.submit(options=keyed("k", 1))
    refs = await worker.gets(2)
    await rig.settled()
    assert worker.tasks == []
    await worker.report(refs[0], ran=9 * SECOND)
    (third,) = await worker.gets(1)
    await worker.report(refs[1], ran=9 * SECOND)
    await rig.settled()
    assert worker.tasks == [], "one still runs beside it"
    await worker.report(third, ran=9 * SECOND)
    assert await worker.gets(1) == [(alone, 1)]


async def test_a_batch_with_different_limits_of_one_key_goes_no_further_than_each_allows(rig: Rig) -> None:
    ids = await rig.submit(count=2, options=keyed("k", 5))
    ids += await rig.submit(options=keyed("k", 1))
    ids += await rig.submit(options=keyed("k", 5))
    worker = await rig.worker(slots=8)
    refs = await worker.gets(2)
    await rig.settled()
    assert worker.tasks == []
    for ref in refs:
        await worker.report(ref, ran=9 * SECOND)
    assert [ref[0] for ref in await worker.gets(2)] == ids[2:]


async def test_a_key_is_known_after_a_restart(rig: Rig) -> None:
    worker = await rig.worker(worker_id="w")
    ids = await rig.submit(count=2, options=keyed("k"))
    (ref,) = await worker.gets(1)
    worker.starts(ref)
    again = rig.restarted()
    await again.begins()
    same = await again.worker(worker_id="w", held=[Held(*ref, 1)])
    await again.settled()
    assert same.tasks == []
    await same.report(ref, ran=9 * SECOND)
    assert await same.gets(1) == [(ids[1], 1)]
    await again.engine.stop()


async def test_a_rescued_keyed_task_holds_its_key_with_the_new_attempt_alone(rig: Rig) -> None:
    zombie = await rig.worker()
    await rig.submit(count=2, options=keyed("k"))
    (old,) = await zombie.gets(1)
    zombie.starts(old)
    await zombie.session.closed(False, "cut off")
    await rig.advance(6)
    assert (await rig.task(old[0])).reason is Reason.LEASE_LOST
    worker = await rig.worker()
    (ref,) = await worker.gets(1)
    await zombie.report(old)
    await rig.settled()
    assert worker.tasks == []
    await worker.report(ref, ran=9 * SECOND)
    assert len(await worker.gets(1)) == 1


@pytest.mark.engine(prefetch=0)
async def test_lanes_behind_taken_keys_are_not_looked_at_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    lanes = 10_000
    first = await rig.worker(slots=lanes)
    for number in range(lanes):
        await rig.submit(options=keyed(f"k{number}"))
    held = await first.gets(lanes)
    for number in range(lanes):
        await rig.submit(options=keyed(f"k{number}"))
    await rig.submit("n", count=60)
    worker = await rig.worker("n", slots=1)
    refs = await worker.gets(1)
    looked: list[object] = []
    head = rig.index.head
    monkeypatch.setattr(rig.index, "head", lambda lane: looked.append(lane) or head(lane))
    for _ in range(50):
        await worker.report(refs[0], ran=10 * SECOND)
        refs = await worker.gets(1)
    assert len(looked) <= 50 * 5
    looked.clear()
    await first.report(held[7], ran=10 * SECOND)
    assert len(await first.gets(1)) == 1
    assert len(looked) <= 10, "one key was freed: its lane is looked at, and no other"


@pytest.mark.engine(prefetch=0)
async def test_lanes_behind_a_pause_cost_a_round_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.engine.set_control(Control(Scope.GROUP, "held", paused=True))
    for number in range(500):
        await rig.submit(f"m{number}", options=in_group("held"))
        await rig.submit(f"m{number}", count=2)
    worker = await rig.worker(*(f"m{number}" for number in range(500)), groups=("held",), slots=1)
    refs = await worker.gets(1)
    looked: list[object] = []
    head = rig.index.head
    monkeypatch.setattr(rig.index, "head", lambda lane: looked.append(lane) or head(lane))
    for _ in range(50):
        await worker.report(refs[0], ran=10 * SECOND)
        refs = await worker.gets(1)
    assert len(looked) <= 50 * 5


@pytest.mark.engine(prefetch=0)
async def test_groups_that_are_full_are_not_asked_again_until_one_has_room(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = [f"g{number}" for number in range(300)]
    for group in groups:
        await rig.engine.set_control(Control(Scope.GROUP, group, concurrency=1))
    busy = await rig.worker("m", groups=tuple(groups), slots=1_000)
    for group in groups:
        await rig.submit("m", count=2, options=in_group(group))
    held = await busy.gets(len(groups))
    await rig.submit("n", count=60)
    worker = await rig.worker("n", slots=1)
    refs = await worker.gets(1)
    asked: list[Rule] = []
    room = Rule.room
    monkeypatch.setattr(Rule, "room", lambda rule, now: asked.append(rule) or room(rule, now))
    for _ in range(50):
        await worker.report(refs[0], ran=10 * SECOND)
        refs = await worker.gets(1)
    assert asked == []
    await busy.report(held[3], ran=10 * SECOND)
    assert len(await busy.gets(1)) == 1
    assert len(asked) <= 3


@pytest.mark.engine(prefetch=0)
async def test_a_group_with_room_is_served_while_an_earlier_one_is_full(rig: Rig) -> None:
    await rig.engine.set_control(Control(Scope.GROUP, "a", concurrency=1))
    await rig.engine.set_control(Control(Scope.GROUP, "b", concurrency=1))
    worker = await rig.worker(groups=("a", "b"), slots=4)
    first = await rig.submit(count=3, options=in_group("a"))
    second = await rig.submit(count=2, options=in_group("b"))
    third = await rig.submit(count=3)
    given = await worker.gets(4)
    assert {ref[0] for ref in given} == {first[0], second[0], *third[:2]}
    await worker.report(given[0], ran=9 * SECOND)
    assert [ref[0] for ref in await worker.gets(1)] == first[1:2], "the oldest that may run"


async def test_without_limits_nobody_is_counted(rig: Rig) -> None:
    worker = await rig.worker(slots=8)
    await rig.submit(count=4)
    await worker.gets(4)
    assert not rig.engine._dispatch.limits.counting
    assert not rig.engine._dispatch.limits.active


async def test_limits_under_a_storm_are_never_passed(rig: Rig) -> None:
    """Random finishes, losses and returns: what runs is never more than the limit, and all of it gets done."""
    import random

    chance = random.Random(11)
    await rig.engine.set_control(Control(Scope.METHOD, "m", concurrency=3))
    workers: list[ScriptedWorker] = [await rig.worker(slots=4, worker_id=f"s{number}") for number in range(3)]
    ids = await rig.submit(count=60)
    for _ in range(2_000):
        await rig.settled()
        running = [task for task in (await rig.store.get(ids)).values() if task.state is State.RUNNING]
        assert len(running) <= 3
        held = [(worker, ref) for worker in workers for ref in worker.tasks]
        if not held:
            if not await ready_or_running(rig, ids):
                break
            await rig.advance(31)
            continue
        worker, ref = chance.choice(held)
        worker.tasks.remove(ref)
        match chance.randrange(4):
            case 0:
                await worker.session.released([ref], "recalled")
            case 1:
                await worker.session.closed(False, "reset")
                rest, worker.tasks = worker.tasks, []
                lost = await worker.connect([Held(*each, 1) for each in rest])
                worker.tasks += [each for each in rest if each not in lost]
            case _:
                await worker.report(ref, ran=9 * SECOND)
                await worker.report(ref, ran=9 * SECOND)
    states = {task.state for task in (await rig.store.get(ids)).values()}
    assert states == {State.SUCCEEDED}


async def ready_or_running(rig: Rig, ids: Sequence[bytes]) -> bool:
    await asyncio.sleep(0)
    return any(not task.state.ended for task in (await rig.store.get(ids)).values())
