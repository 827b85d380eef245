"""What must be true whenever nothing is under way."""

from __future__ import annotations

from collections import Counter

from history_rules import governs
from simulated_house import House
from watched_store import unnumbered

from rota.model.cause import Explanation
from rota.model.task import Lane, State, Task


async def look_at_rest(house: House) -> None:
    house.rules.look_at_rest()
    for worker in house.workers:
        for task_id, attempt in worker.held:
            task = house.rules.tasks_by_id(task_id)
            assert task is None or attempt <= task.attempt
    truth = house.store.truth
    real = Counter(task.state for task in house.rules.tasks())
    shown = await house.store.shown.counts()
    assert {state: shown[state] for state in State} == {state: real[state] for state in State}
    if house.store.disk is not None:
        await agree(house)
    await explained(house)
    await surveyed(house)
    assert truth.unended == len(house.unended()) == house.store.shown.unended


async def agree(house: House) -> None:
    """What is on the disk is what is true."""
    truth, disk = house.store.truth, house.store.disk
    assert disk is not None
    house.store.under_way += 1
    ids = [task.id for task in house.rules.tasks()]
    shown, real = await disk.get(ids), await truth.get(ids)
    assert {key: unnumbered(task) for key, task in shown.items()} == {
        key: unnumbered(task) for key, task in real.items()
    }
    assert await disk.group_counts() == await truth.group_counts()
    assert await disk.next_due() == await truth.next_due()
    house.store.under_way -= 1


async def surveyed(house: House) -> None:
    """The groups as people look at them hold what is there."""
    shown = {view.name: Counter(view.tasks) for view in await house.engine.groups()}
    for group in (None, "a"):
        real = Counter(task.state for task in house.unended() if task.spec.lane.group == group)
        assert shown.get(group, Counter()) == real


async def explained(house: House) -> None:
    """Every task that does not run can say why, and it is true."""
    heads: dict[Lane, Task] = {}
    for task in sorted(house.in_state(State.READY), key=lambda task: (task.line, task.seq)):
        heads.setdefault(task.spec.lane, task)
    for task in house.unended():
        if task.state is State.RUNNING:
            continue
        explanation = await house.engine.why(task.id)
        assert explanation.causes, "a task that does not run has no cause"
        if not house.troubled:
            look_at_causes(
                house, task, explanation, first=heads.get(task.spec.lane) is task and not haunted(house, task)
            )


def haunted(house: House, task: Task) -> bool:
    """A task that has ended unstarted may stand before it in the node's memory until its key has room for that one."""
    before = house.index.first(task.spec.lane) if task.spec.lane.key is not None else None
    return before is not None and before.id != task.id


def look_at_causes(house: House, task: Task, explanation: Explanation, *, first: bool) -> None:
    codes = {cause.code for cause in explanation.causes}
    told = f"{task.id.hex()[-4:]} {task.state.name}: {[cause.message for cause in explanation.causes]}"
    lane = task.spec.lane
    controls = [control for control in house.rules.controls.values() if governs(control, lane)]
    running = house.in_state(State.RUNNING)
    paused = any(control.paused for control in controls)
    if task.state in (State.READY, State.SCHEDULED):
        assert ("paused" in codes) is paused, told
    if "concurrency_full" in codes:
        assert any(
            control.concurrency is not None
            and sum(governs(control, other.spec.lane) for other in running) >= control.concurrency
            for control in controls
        ), told
    if "key_concurrency_full" in codes:
        assert sum(other.spec.lane.key == lane.key for other in running) >= task.spec.concurrency_limit, told
    assert not any("look again" in cause.message for cause in explanation.causes), f"nothing holds it back: {told}"
    if first:
        assert codes != {"queued_behind"}, f"nothing holds it back, and it does not start: {told}"
