"""One step of a random history: something that people, workers, time or the disk do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random

from simulated_house import House
from simulated_worker import SimulatedWorker

from rota.contract.store import Query
from rota.model.control import Control, Rate
from rota.model.errors import RotaError
from rota.model.method import Method, Options
from rota.model.report import Verdict
from rota.model.retry import SECOND
from rota.model.submission import Submission

Step = Callable[[House, Random], Awaitable[None]]
_VERDICTS = [verdict for verdict in Verdict if verdict not in (Verdict.STOPPED, Verdict.ABANDONED_STOPPED)]


def _options(chance: Random) -> Options:
    """Half of the tasks are plain."""
    if chance.random() < 0.3:
        return Options()
    concurrency_key = chance.choice([None, None, "k", "l"])
    unique_key = chance.choice([None, None, None, "u", "v"])
    debounce = chance.choice([None, None, SECOND]) if unique_key is not None else None
    timed = debounce is None and chance.random() < 0.2
    return Options(
        group=chance.choice([None, None, "a"]),
        priority=chance.choice([None, None, 1, -1]),
        retries=chance.choice([None, None, 1]),
        retry_delay=SECOND,
        expires=chance.choice([None, None, None, None, 8 * SECOND]),
        delay=4 * SECOND if timed else None,
        unique_key=unique_key,
        unique_mode=None if debounce is not None else chance.choice([None, "return", "reject", "replace", "replace"]),
        debounce=debounce,
        result_ttl=chance.choice([None, None, None, 5 * SECOND]),
        order_key=chance.choice([None, None, None, "o", "p"]),
        concurrency_key=concurrency_key,
        concurrency_limit=chance.choice([None, 1, 2, 3]) if concurrency_key is not None else None,
    )


def _submission(house: House, chance: Random, earlier: list[bytes]) -> Submission:
    known = [task.id for task in house.rules.tasks()][-6:] + earlier
    count = chance.choice([0, 0, 0, 1, 1, 2]) if known else 0
    return Submission(
        house.new_id(),
        chance.choice("mmn"),
        options=_options(chance),
        idempotency_key=chance.choice([None] * 8 + ["i", "j"]),
        version=chance.choice([None] * 9 + [1]),
        target=chance.choice([None] * 14 + ["w0"]),
        after=tuple(dict.fromkeys(chance.choice(known) for _ in range(count))),
        on_parent_failure=chance.choice(["fail", "fail", "run"]),
        batch=chance.choice([None, None, "b"]),
    )


async def submit(house: House, chance: Random) -> None:
    batch: list[Submission] = []
    for _ in range(chance.choice([1, 1, 2, 4, 7])):
        batch.append(_submission(house, chance, [submission.id for submission in batch]))
    await house.submit(batch, atomic=chance.random() < 0.2)


async def flood(house: House, chance: Random) -> None:
    """More than workers have room for, all alike."""
    options = _options(chance)
    batch = [Submission(house.new_id(), chance.choice("mn"), options=options) for _ in range(chance.choice([6, 15]))]
    await house.submit(batch, atomic=False)


async def work(house: House, chance: Random) -> None:
    """Some worker gets on with what it has."""
    for worker in _picked(house, chance, 2):
        for ref in list(worker.held):
            what = chance.random()
            if what < 0.25 and ref in worker.held:
                worker.start(ref)
            elif what < 0.8:
                await _finish(worker, ref, chance)
            elif what < 0.86 and not worker.held.get(ref, True):
                await worker.release([ref], "recalled")


async def finish_many(house: House, chance: Random) -> None:
    for worker in _picked(house, chance, 1):
        await worker.finish(list(worker.held), Verdict.SUCCEEDED, chance.choice([1, SECOND]))


async def _finish(worker: SimulatedWorker, ref: tuple[bytes, int], chance: Random) -> None:
    verdict = Verdict.SUCCEEDED if chance.random() < 0.6 else chance.choice(_VERDICTS)
    if ref in worker.asked and chance.random() < 0.8:
        verdict = Verdict.STOPPED
    await worker.finish([ref], verdict, chance.choice([1, 1, SECOND]))


async def say_again(house: House, chance: Random) -> None:
    """A zombie, or a frame that comes twice."""
    for worker in house.workers:
        if worker.said and worker.connected:
            await worker.repeat(chance.choice(worker.said))


async def join(house: House, chance: Random) -> None:
    gone = [worker for worker in house.workers if not worker.connected and not worker.shutting_down]
    if gone and chance.random() < 0.6:
        await house.connect(chance.choice(gone))
        return
    if len(house.workers) < 4:
        names = chance.choice(["m", "mn", "mn", "n"])
        methods = [Method(name, chance.choice([1, 1, 1, 2])) for name in names]
        await house.worker(methods, chance.choice([(), ("a",), ("a",)]), chance.choice([1, 2, 4]))


async def leave(house: House, chance: Random) -> None:
    for worker in _picked(house, chance, 1):
        await worker.leave(drained=chance.random() < 0.4)


async def stall(house: House, chance: Random) -> None:
    for worker in _picked(house, chance, 1):
        worker.stalled = not worker.stalled


async def administer(house: House, chance: Random) -> None:
    """Drains and resumes of workers."""
    number = chance.choice([*house.engine._roster._seats, 99])
    with suppress(RotaError):
        what = chance.random()
        if what < 0.35:
            await house.engine.drain_worker(number)
        elif what < 0.4:
            await house.engine.shut_down_worker(number)
        else:
            await house.engine.resume_worker(number)


async def offer_other(house: House, chance: Random) -> None:
    """A worker registers anew with other methods, or says that it drains."""
    for worker in _picked(house, chance, 1):
        if worker.session is not None:
            worker.methods = [Method(name, chance.choice([1, 2])) for name in chance.choice(["m", "mn", "n"])]
            with suppress(RotaError):
                await worker.session.reregister(worker.facts, worker.methods, chance.random() < 0.2)


async def control(house: House, chance: Random) -> None:
    scope, name = chance.choice(house.scopes())
    if chance.random() < 0.3:
        await house.set(Control(scope, name))
        return
    rates = [None, None, None, Rate(1, SECOND), Rate(2, 5 * SECOND), Rate(3, 700_000)]
    await house.set(
        Control(
            scope,
            name,
            paused=chance.random() < 0.25,
            concurrency=chance.choice([None, 1, 1, 2, 3]),
            rate=chance.choice(rates),
            key_rate=chance.choice(rates),
        )
    )


async def call(house: House, chance: Random) -> None:
    """Cancel, run again, delete: some tasks, or what a query meets."""
    ids = [task.id for task in house.rules.tasks()]
    if not ids:
        return
    picked = [chance.choice(ids) for _ in range(chance.choice([1, 1, 3]))]
    action = chance.choice(["cancel", "cancel", "retry", "retry", "delete"])
    with suppress(RotaError):
        if chance.random() < 0.2:
            query = Query(method="m") if chance.random() < 0.5 else Query(batch="b")
            await house.engine.bulk(action, query, limit=chance.choice([3, 100]))
        elif action == "cancel":
            await house.engine.cancel(picked, "no")
        elif action == "retry":
            await house.engine.retry(picked)
        else:
            await house.engine.delete(picked)


async def wait_a_little(house: House, chance: Random) -> None:
    await asyncio.sleep(chance.choice([0.3, 1.1, 2.3, 5.7]))


async def wait_long(house: House, chance: Random) -> None:
    await asyncio.sleep(chance.choice([11.3, 33.3, 70.7]))


async def fail_the_store(house: House, chance: Random) -> None:
    house.store.fault = "before"


async def restart(house: House, chance: Random) -> None:
    await house.restart(crash=chance.random() < 0.6)


async def send_again(house: House, chance: Random) -> None:
    await house.send_again()


async def storm(house: House, chance: Random) -> None:
    """Several things at once."""
    steps = [chance.choice(_AT_ONCE) for _ in range(chance.choice([2, 3, 4]))]
    await asyncio.gather(*(step(house, Random(chance.random())) for step in steps))


def _picked(house: House, chance: Random, count: int) -> list[SimulatedWorker]:
    here = [worker for worker in house.workers if worker.connected]
    return chance.sample(here, min(count, len(here)))


_AT_ONCE: list[Step] = [
    submit,
    flood,
    work,
    work,
    finish_many,
    say_again,
    join,
    leave,
    administer,
    offer_other,
    control,
    call,
]
STEPS: dict[str, Step] = {
    step.__name__: step
    for step in (
        submit,
        flood,
        work,
        finish_many,
        say_again,
        join,
        leave,
        stall,
        administer,
        offer_other,
        control,
        call,
        wait_a_little,
        wait_long,
        fail_the_store,
        restart,
        send_again,
        storm,
    )
}
WEIGHTS = {"submit": 4, "work": 5, "join": 3, "control": 2, "call": 2, "wait_a_little": 2, "storm": 2}
