"""F22, F23, F32 over a real socket: messages twice, out of turn, and workers that flap or steal an id."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uuid_utils
from processes import House, house
from raw_worker import RawWorker

from rota import AsyncClient
from rota.wire.v1 import link_pb2 as pb


@pytest.fixture
async def where(tmp_path: Path) -> AsyncIterator[House]:
    with house(tmp_path) as made:
        await asyncio.to_thread(made.start_node)
        yield made


@pytest.fixture
async def client(where: House) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(where.url) as made:
        yield made


async def test_every_message_sent_twice_has_its_effect_once(where: House, client: AsyncClient) -> None:
    worker = RawWorker(where.url, times=2)
    await worker.start()
    await worker.register("twice")
    new = [pb.NewTask(id=uuid_utils.uuid7().bytes, method="twice", params=b"1") for _ in range(3)]
    answer = await worker.ask(pb.Frame(submit=pb.Submit(tasks=new)))
    assert answer.HasField("submitted")
    tasks = await worker.assigned(3)
    assert len({task.id for task in tasks}) == len(tasks) == 3
    worker.started(*tasks)
    given_back = tasks[2]
    done = await worker.ask(
        pb.Frame(release=pb.Release(tasks=[pb.Ref(id=given_back.id, attempt=1)], reason="recalled"))
    )
    assert done.HasField("done")
    again = (await worker.assigned(4))[3]
    assert (again.id, again.attempt) == (given_back.id, 2)
    finished = await worker.ask(worker.finish_frame(tasks[0], tasks[1], again))
    assert not finished.finished.refused
    worker.send(pb.Frame(heartbeat=pb.Heartbeat()), request=False)
    stats = await client.stats()
    assert {name: count for name, count in stats.tasks.items() if count} == {"succeeded": 3}
    views = [view async for view in client.list(method="twice")]
    assert sorted(view.attempt for view in views) == [1, 1, 2]
    assert worker.ups == 1, "the link was never closed"
    await worker.stop()


async def test_messages_out_of_turn_are_taken_or_ignored_and_never_break_the_link(
    where: House, client: AsyncClient
) -> None:
    for order in itertools.permutations(["started", "finish", "release", "report"]):
        await in_this_order(where, client, order)


async def in_this_order(where: House, client: AsyncClient, order: tuple[str, ...]) -> None:
    worker = RawWorker(where.url)
    await worker.start()
    await worker.register("mixed", slots=1)
    task_id = uuid_utils.uuid7().bytes
    await worker.ask(pb.Frame(submit=pb.Submit(tasks=[pb.NewTask(id=task_id, method="mixed")])))
    (task,) = await worker.assigned(1)
    frames = {
        "started": pb.Frame(started=pb.Started(tasks=[pb.HeldRef(id=task.id, attempt=1, started_at=1)])),
        "finish": worker.finish_frame(task),
        "release": pb.Frame(release=pb.Release(tasks=[pb.Ref(id=task.id, attempt=1)], reason="recalled")),
        "report": pb.Frame(report=pb.Report(entries=[pb.Report.Entry(id=task.id, attempt=1)])),
    }
    codes = set()
    for kind in order:
        answer = await worker.ask(frames[kind])
        codes.add(answer.failure.code)
        codes |= {refused.code for refused in answer.finished.refused}
    assert codes <= {"", "stale_attempt"}, codes
    if order.index("release") < order.index("finish"):
        again = (await worker.assigned(2))[1]
        assert again.attempt == 2
        await worker.ask(worker.finish_frame(again))
    view = await client.get(task_id)
    assert (view.state, view.result) == ("succeeded", 1)
    assert worker.ups == 1
    await worker.stop()


async def test_flapping_workers_do_not_disturb_the_others(where: House, client: AsyncClient) -> None:
    await asyncio.to_thread(where.start_worker)
    stop = asyncio.Event()

    async def flap() -> int:
        times = 0
        while not stop.is_set():
            worker = RawWorker(where.url)
            await worker.start()
            await worker.register("mark", slots=2)
            await worker.connection.stop()
            times += 1
        return times

    flapping = [asyncio.create_task(flap()) for _ in range(2)]
    receipts = [await client.submit("mark", {"key": f"f{n}"}) for n in range(200)]
    outcomes = await client.gather([receipt.id for receipt in receipts], timeout=30)
    stop.set()
    flaps = sum(await asyncio.gather(*flapping))
    assert flaps >= 5
    assert {outcome.state for outcome in outcomes} == {"succeeded"}
    views = await client.get_many([receipt.id for receipt in receipts])
    assert {(view.failures, view.rescues) for view in views.values()} == {(0, 0)}


async def test_a_stolen_worker_id_is_refused_and_its_owner_keeps_its_tasks(where: House, client: AsyncClient) -> None:
    owner = RawWorker(where.url, worker_id="mine", key=b"secret")
    await owner.start()
    await owner.register("owned")
    receipt = await client.submit("owned", None)
    (task,) = await owner.assigned(1)
    thief = RawWorker(where.url, worker_id="mine", key=b"guess")
    await thief.start()
    thief.send(
        pb.Frame(register=pb.Register(facts=pb.WorkerFacts(id="mine", slots=1, weight=1), session_key=thief.key))
    )
    await thief.until(lambda: thief.final or any(f.failure.code == "worker_id_taken" for f in thief.frames))
    await owner.ask(owner.finish_frame(task, result=b'"mine"'))
    assert (await client.wait(receipt.id, timeout=5)).value() == "mine"
    await thief.stop()
    await owner.stop()


async def test_of_two_links_of_one_worker_the_newer_stays(where: House, client: AsyncClient) -> None:
    older = RawWorker(where.url, worker_id="same", key=b"k")
    await older.start()
    await older.register("same")
    receipt = await client.submit("same", None)
    (task,) = await older.assigned(1)
    newer = RawWorker(where.url, worker_id="same", key=b"k")
    await newer.start()
    answer = await newer.register("same", held=(pb.HeldRef(id=task.id, attempt=task.attempt, started_at=1),))
    assert not answer.registered.lost
    await older.until(lambda: older.final)
    await newer.ask(newer.finish_frame(task))
    assert (await client.wait(receipt.id, timeout=5)).value() == 1
    assert (await client.get(receipt.id)).attempt == 1
    await older.stop()
    await newer.stop()


async def test_a_worker_that_ends_a_task_it_never_had_changes_nothing(where: House, client: AsyncClient) -> None:
    owner, other = RawWorker(where.url), RawWorker(where.url)
    for worker in (owner, other):
        await worker.start()
    await owner.register("theirs")
    await other.register("nothing")
    receipt = await client.submit("theirs", None)
    (task,) = await owner.assigned(1)
    answer = await other.ask(other.finish_frame(task, result=b'"forged"'))
    assert [refused.code for refused in answer.finished.refused] == ["stale_attempt"]
    await owner.ask(owner.finish_frame(task, result=b'"true"'))
    assert (await client.wait(receipt.id, timeout=5)).value() == "true"
    for worker in (owner, other):
        await worker.stop()
