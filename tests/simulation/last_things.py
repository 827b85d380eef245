"""The end of a history: with nothing in the way every task ends, and nothing of it stays in the node's memory."""

from __future__ import annotations

import asyncio

from simulated_house import House

from rota.model.control import Control
from rota.model.method import Method
from rota.model.report import Verdict
from rota.model.task import State

ROUNDS = 60


async def all_ends(house: House) -> None:
    house.store.fault = None
    await clear_the_way(house)
    for _ in range(ROUNDS):
        for worker in house.workers:
            if worker.connected:
                for ref in list(worker.held):
                    worker.start(ref)
                await worker.finish(list(worker.held), Verdict.SUCCEEDED)
        await house.rest()
        if not house.unended():
            return
        await asyncio.sleep(5.3)
    stuck = [await house.engine.why(task.id) for task in house.unended()]
    raise AssertionError(f"stuck: {[(each.task_id.hex()[-4:], each.state, each.summary) for each in stuck]}")


async def clear_the_way(house: House) -> None:
    """Nothing is held back, and workers for everything are here."""
    for scope, name in house.scopes():
        await house.set(Control(scope, name))
    await house.rest()
    house.settle_controls()
    for worker in house.workers:
        worker.stalled = False
        if worker.session is not None:
            await worker.session.reregister(worker.facts, worker.methods, draining=False)
        else:
            await house.connect(worker)
    for number in list(house.engine._roster._seats):
        await house.engine.resume_worker(number)
    if not house.workers:
        await house.worker([Method("m")], (), 2)  # the one that some tasks are bound to
    await house.worker([Method("m", 1), Method("m", 2), Method("n", 1), Method("n", 2)], ("a",), 4)
    house.workers[0].methods = house.workers[-1].methods
    house.workers[0].facts = type(house.workers[0].facts)("w0", groups=("a",), slots=4)
    await house.connect(house.workers[0])
    await house.send_again()


async def nothing_is_left(house: House) -> None:
    engine = house.engine
    await asyncio.sleep(40.3)  # time for whatever a worker that was given up still holds
    for worker in house.workers:
        await worker.finish(list(worker.held), Verdict.SUCCEEDED)
    await house.rest()
    limits = engine._dispatch.limits
    assert not limits._ledger._entries
    assert not limits._keys
    assert not limits._parked
    assert not limits._waiting
    assert not limits._gates
    assert not limits._freed
    assert not limits._opened
    fronts = engine._dispatch._fronts
    assert not fronts._heads
    assert all(crew.head() is None for crew in fronts)
    assert not house.index._windows
    assert not house.index._tasks
    assert not engine._waiters._by_task
    assert not engine._waiters._by_waiter
    for seat in engine._roster:
        assert not seat.held
        assert not seat.started
        assert not seat.fresh
        assert seat.in_hand == 0
    ties = house.store.truth._ties
    assert not ties.unique
    assert not ties._lines
    assert not any(ties._parents.values())
    assert not any(ties._children.values())
    if house.store.disk is not None and house.store.disk._writer is not None:
        assert house.store.disk._writer.book.waits == 0
    assert house.store.shown.unended == 0
    assert not house.in_state(State.RUNNING)
    unheard = [task_id.hex()[-4:] for task_id in house.waited_for if not house.told[task_id]]
    assert not unheard, f"nobody was told of the end of {unheard}"
    rules = house.rules
    for task in rules.tasks():
        assert rules.ends[task.id] == 1 + rules.revivals[task.id], (
            "a task ends once, and once more each time it is revived"
        )
