"""A worker whose token is bound to groups: what it says counts for tasks of its groups, and for no others."""

import pytest
from engine_kit import Rig, ScriptedWorker

from rota.model.method import Method, Options
from rota.model.report import Held, Verdict
from rota.model.task import State

HIGHEST = 2**31
GREEDY = Options(group="a", unique_key="one", retries=7)


async def bound(
    rig: Rig,
    *methods: Method,
    group: str = "a",
    worker_id: str = "bound",
    key: bytes = b"bound",
    held: tuple[Held, ...] = (),
) -> ScriptedWorker:
    """Connected as a link with such a token connects it."""
    worker = await rig.worker(*methods, groups=(group,), worker_id=worker_id, key=key, connects=False)
    worker.confined = True
    worker.lost = await worker.connect(held)
    return worker


async def test_what_it_declares_draws_no_task_into_its_group(rig: Rig) -> None:
    thief = await bound(rig, Method("mail", defaults=GREEDY))
    first, second = await rig.submit("mail", count=2)
    task = await rig.task(first)
    assert (task.spec.lane.group, task.spec.unique_key, task.spec.retry.retries) == (None, None, 0)
    assert first != second, "nor is one taken for another"
    assert not thief.tasks


async def test_what_it_declares_does_not_count_in_another_group(rig: Rig) -> None:
    await rig.worker(Method("mail", defaults=Options(retries=2)), groups=("b",))
    await bound(rig, Method("mail", defaults=GREEDY))
    first, second = await rig.submit("mail", count=2, options=Options(group="b"))
    assert first != second
    assert (await rig.task(first)).spec.retry.retries == 2


async def test_what_it_declares_counts_in_its_own_group_also_when_it_is_away(rig: Rig) -> None:
    worker = await bound(rig, Method("mail", defaults=Options(retries=7)))
    (here,) = await rig.submit("mail", options=Options(group="a"))
    await worker.session.closed(False, "gone")
    (away,) = await rig.submit("mail", options=Options(group="a"))
    again = rig.restarted()
    await again.begins()
    (later,) = await again.submit("mail", options=Options(group="a"))
    assert [(await rig.task(i)).spec.retry.retries for i in (here, away, later)] == [7, 7, 7]
    await again.engine.stop()


async def test_a_declaration_of_the_house_goes_before_its_own(rig: Rig) -> None:
    await rig.worker(Method("mail", defaults=Options(retries=2)))
    await bound(rig, Method("mail", defaults=GREEDY))
    (task,) = await rig.submit("mail", options=Options(group="a"))
    assert (await rig.task(task)).spec.retry.retries == 2


async def test_what_was_declared_for_the_house_stays_when_it_declares_the_same(rig: Rig) -> None:
    honest = await rig.worker(Method("mail", defaults=Options(retries=2)), groups=("b",))
    await honest.session.closed(False, "gone")
    await bound(rig, Method("mail", defaults=GREEDY), Method("mail", HIGHEST, defaults=GREEDY))
    again = rig.restarted()
    await again.begins()
    (task,) = await again.submit("mail", options=Options(group="b"))
    assert (await rig.task(task)).spec.retry.retries == 2
    await again.engine.stop()


async def test_a_higher_version_of_it_does_not_keep_other_groups_tasks_from_running(rig: Rig) -> None:
    old = await rig.worker(Method("mail", 1), groups=("b",))
    new = await bound(rig, Method("mail", HIGHEST))
    await rig.submit("mail", options=Options(group="b"))
    await rig.submit("mail")
    assert len(await old.gets(2)) == 2
    await rig.submit("mail", options=Options(group="a"))
    assert len(await new.gets(1)) == 1


async def test_its_methods_are_listed(rig: Rig) -> None:
    await rig.worker(Method("add"))
    worker = await bound(rig, Method("mail", docs=("sends",)))
    assert [(m.name, m.docs, n) for m, n in await rig.engine.methods()] == [("add", (), 1), ("mail", ("sends",), 1)]
    await worker.session.closed(False, "gone")
    assert [(m.name, n) for m, n in await rig.engine.methods()] == [("add", 1), ("mail", 0)]


async def test_it_is_not_counted_for_the_tasks_without_a_group(rig: Rig) -> None:
    await bound(rig)
    await rig.worker(slots=3, groups=("b",))
    views = {view.name: (view.workers, view.slots) for view in await rig.engine.groups()}
    assert views == {None: (1, 3), "a": (1, 4), "b": (1, 3)}


@pytest.mark.parametrize("attempt", [1, 2, 1_000])
async def test_a_report_on_a_task_of_another_group_is_about_none(rig: Rig, attempt: int) -> None:
    honest = await rig.worker(groups=("b",))
    (task,) = await rig.submit(options=Options(group="b"))
    await honest.gets(1)
    spy = await bound(rig, Method("m"))
    (told,) = await spy.report((task, attempt))
    (nothing,) = await spy.report((b"n" * 16, attempt))
    assert (told.code, told.detail) == (nothing.code, nothing.detail), "it cannot be told from what never was"
    record = await rig.task(task)
    assert record.state is State.RUNNING
    assert await rig.store.attempts(record.seq) == [], "and nothing is noted of it"


async def test_an_attempt_that_never_was_is_not_noted(rig: Rig) -> None:
    worker = await rig.worker()
    (task,) = await rig.submit()
    await worker.gets(1)
    for attempt in range(2, 20):
        (told,) = await worker.report((task, attempt))
        assert told.code == "stale_attempt"
    assert await rig.store.attempts((await rig.task(task)).seq) == []


async def test_by_another_workers_id_it_does_not_come_by_that_ones_tasks(rig: Rig) -> None:
    honest = await rig.worker(groups=("b",), worker_id="mailer")
    (task,) = await rig.submit(options=Options(group="b"))
    ((_, attempt),) = await honest.gets(1)
    again = rig.restarted()
    await again.begins()
    thief = await bound(again, Method("m"), worker_id="mailer", key=b"stolen", held=(Held(task, attempt, 1),))
    assert thief.lost == [(task, attempt)]
    (told,) = await thief.report((task, attempt), Verdict.SUCCEEDED)
    assert told.code == "task_not_found"
    record = await rig.task(task)
    assert (record.state, record.attempt) == (State.RUNNING, attempt), "its lease stays as it is"
    await again.engine.stop()
